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
    # <solution>
    agrees = (said == answer[:, None]).long()
    settled = agrees.flip(1).cumprod(1).sum(1)  # probes at the end that agree without a break
    return said.shape[1] - settled
    # </solution>


def earliest_correct(votes: Tensor, labels: Tensor, least: float) -> Tensor:
    """The first probe that says the label with at least a share of its votes; `probes` where none does.

    Args:
        votes: shares of the votes [n, probes, classes].
        labels: true classes [n].
        least: share of the votes, in (0, 1].
    """
    # <solution>
    right = votes.argmax(2) == labels[:, None]
    sure = votes.amax(2) >= least
    found = right & sure
    return torch.where(found.any(1), found.long().argmax(1), votes.shape[1])
    # </solution>


# <tests>
def test_the_cases_of_the_definition() -> None:
    said = torch.tensor([[1, 1, 1], [0, 1, 1], [1, 0, 1], [1, 1, 0], [0, 0, 0]])
    expected = [0, 1, 2, 3, 3]
    found = prediction_depth(said, torch.ones(5, dtype=torch.long)).tolist()
    why = ["all agree", "all but the first", "agreement that was lost again", "the last one disagrees", "nobody agrees"]
    for case, depth, wanted in zip(why, found, expected, strict=True):
        assert depth == wanted, f"{case}: expected depth {wanted}, got {depth}"


def test_it_is_what_the_definition_says_for_all_patterns() -> None:
    said = torch.cartesian_prod(*[torch.arange(2)] * 6)
    found = prediction_depth(said, torch.ones(64, dtype=torch.long)).tolist()
    for row, depth in zip(said.tolist(), found, strict=True):
        slow = next((d for d in range(7) if all(x == 1 for x in row[d:])), 6)
        assert depth == slow, f"probes say {row}, the network 1: expected depth {slow}, got {depth}"


def test_the_earliest_that_is_right_and_sure() -> None:
    votes = torch.tensor([[[0.4, 0.3, 0.3], [0.6, 0.4, 0.0], [0.2, 0.8, 0.0]]])
    for label, least, wanted in ((0, 0.5, 1), (0, 0.3, 0), (1, 0.5, 2), (2, 0.1, 3)):
        found = earliest_correct(votes, torch.tensor([label]), least).tolist()
        assert found == [wanted], (
            f"label {label} with {least:.0%} of the votes: expected probe {wanted}, got {found[0]}"
        )


# <mistakes>
MISTAKES = [
    ("return said.shape[1] - settled", "return agrees.argmax(1)", "lost again"),
    (".flip(1).cumprod(1)", "", "lost again"),
    ("found = right & sure", "found = right", "of the votes: expected probe"),
]
