"""Prediction depth.

Probes 0, 1, …, P − 1 stand at the input, at layers, and at the softmax; each says a class for every example. The depth
of an example is the first probe from which on *all* probes agree with the network's final answer:

- all agree: depth 0, settled at the input;
- probe l − 1 disagrees and all from l on agree: depth l;
- not even the last probe agrees: it never settles, depth P.

It is not the first probe that happens to agree: an early agreement that is lost again does not count. Nor does the true
label matter, since depth asks when the network has made up its mind, and not whether it is right. There is a looser
definition as well: the first probe that says the *label* with enough of the votes.

Question: why do most examples have a small depth in a network that has converged, and few in one that has not?

Hints
- Count agreements from the end: a cumulative product, flipped, stays 1 as long as nobody disagreed.
"""

import torch
from torch import Tensor


def prediction_depth(said: Tensor, answer: Tensor) -> Tensor:
    """The first probe from which on all agree with the network's answer.

    Args:
        said: class that each probe says [n, probes], the input's probe first.
        answer: the network's class [n].

    Returns:
        [n], each in 0 … probes.
    """
    raise NotImplementedError("this one is yours to write")


def earliest_correct(votes: Tensor, labels: Tensor, least: float) -> Tensor:
    """The first probe that says the label with at least a share of its votes; `probes` where none does.

    Args:
        votes: shares of the votes [n, probes, classes].
        labels: true classes [n].
        least: share of the votes, in (0, 1].
    """
    raise NotImplementedError("this one is yours to write")
