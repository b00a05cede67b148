"""What the neighbours of an example say: votes for classes, and what follows from the votes of all probes."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


def count_votes(
    index: Int[Tensor, "n k"], labels: Int[Tensor, " references"], classes: int
) -> Float[Tensor, "n classes"]:
    """Shares of neighbours by class."""
    found = torch.zeros(len(index), classes)
    found.scatter_add_(1, labels[index], torch.ones_like(index, dtype=found.dtype))
    return found / index.shape[1]


def depth_of_agreement(votes: Float[Tensor, "n probes classes"], predicted: Int[Tensor, " n"]) -> Int[Tensor, " n"]:
    """The first probe from which on all probes say the network's class; their number where the last one does not.

    Source: Baldock, Maennel & Neyshabur 2021 (arXiv 2106.09647), section 2.
    """
    agrees = votes.argmax(2) == predicted[:, None]  # (n, P); ties go to the lower class
    settled = agrees.flip(1).int().cumprod(1).sum(1)  # probes at the end that agree
    return agrees.shape[1] - settled


def depth_of_right_answer(
    votes: Float[Tensor, "n probes classes"], labels: Int[Tensor, " n"], confidence: float
) -> Int[Tensor, " n"]:
    """The first probe that says the label with at least so many of the votes; the number of probes where none does."""
    sure = votes.gather(2, labels[:, None, None].expand(-1, votes.shape[1], 1)).squeeze(2) >= confidence
    right = (votes.argmax(2) == labels[:, None]) & sure
    never = torch.ones(len(right), 1, dtype=torch.bool)
    return torch.cat([right, never], 1).int().argmax(1)  # the first True


def soft_depth(votes: Float[Tensor, "n probes classes"], asked: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Probes times the share of votes, over all probes, against a class: 0 where all neighbours say it everywhere."""
    share = votes.gather(2, asked[:, None, None].expand(-1, votes.shape[1], 1)).squeeze(2)  # (n, P)
    return (1 - share).sum(1)


def consensus_of(votes: Float[Tensor, "n probes classes"], classes: int | None = None) -> Int[Tensor, " n"]:
    """The class that most probes say; ties go to the lower one."""
    said = F.one_hot(votes.argmax(2), classes or votes.shape[2])  # (n, P, C)
    return said.sum(1).argmax(1)
