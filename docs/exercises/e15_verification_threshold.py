"""Which distance means "the same person"?

A pair is accepted if its squared distance is at most a threshold d. Two rates say how good that is:

    VAL(d) = accepted pairs of one person / all pairs of one person
    FAR(d) = accepted pairs of two people / all pairs of two people

The usual question is: the largest threshold whose FAR is at most 0.1 %, and its VAL. And the honest answer is often
that nobody can know: with 100 pairs of strangers, none of them accepted, the true rate may still be 3 %.

Write both rates, the threshold, and how many pairs of strangers it takes at least to promise a rate with 95 %
confidence: so many that (1 − FAR)^pairs ≤ 0.05.

Questions: why does a constant like "0.6" from a library's documentation not answer the question for your photos? Why
must the threshold be found on other people than the network was trained on?

Hints
- Sort the distances of strangers; at most ⌊FAR · pairs⌋ of them may be accepted.
- Distances are float64 here; in float32 the number just below another may round up to it again.
- "At most d" accepts a pair at d itself. With ties the threshold may have to lie below all of them.
"""

import math

import torch
from torch import Tensor


def val_and_far(distances: Tensor, same: Tensor, threshold: float) -> tuple[float, float]:
    """Both rates at a threshold.

    Args:
        distances: squared, of each pair.
        same: whether it shows one person.
        threshold: accept where distance <= threshold.
    """
    raise NotImplementedError("this one is yours to write")


def threshold_at(far: float, strangers: Tensor) -> float:
    """A threshold, as large as can be, at which at most a share of strangers is accepted.

    Args:
        far: the share, in (0, 1).
        strangers: squared distances of pairs of two people.

    Returns:
        Just below the nearest stranger who may not be accepted.
    """
    raise NotImplementedError("this one is yours to write")


def pairs_needed(far: float, confidence: float = 0.95) -> int:
    """The fewest pairs of strangers, none of them accepted, that promise a rate of at most `far`."""
    raise NotImplementedError("this one is yours to write")
