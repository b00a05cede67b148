"""Rank correlations with intervals: whether two columns put the same examples in the same order.

rank_correlation(depth, right)        # Spearman's, with a bootstrap interval
"""

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from shoal.measure import Interval
from shoal.studies.resampling import resampled


def places(values: Num[Tensor, " n"]) -> Int[Tensor, " n"]:
    """Numbers of the different values, from the least on: all that ranks depend on, quick to draw again.

    Example:
        >>> places(torch.tensor([0.5, 2.0, 0.5])).tolist()
        [0, 1, 0]
    """
    return torch.unique(values, return_inverse=True)[1]


def ranks(placed: Int[Tensor, "*draws n"]) -> Float[Tensor, "*draws n"]:
    """Ranks from 1 on, along the last axis; equal values share the mean of theirs.

    Example:
        >>> ranks(torch.tensor([0, 1, 0])).tolist()
        [1.5, 3.0, 1.5]
    """
    counts = placed.new_zeros(*placed.shape[:-1], int(placed.max()) + 1)
    counts = counts.scatter_add_(-1, placed, torch.ones_like(placed)).double()
    return (counts.cumsum(-1) - (counts - 1) / 2).gather(-1, placed)


def spearman(one: Int[Tensor, "*draws n"], other: Int[Tensor, "*draws n"]) -> Float[Tensor, "*draws"]:
    """Rank correlation of what `places` made of two columns, in [−1, 1]; 0 where one is the same everywhere.

    Source: Spearman 1904, "The proof and measurement of association between two things".

    Example:
        >>> float(spearman(places(torch.tensor([1.0, 5.0, 9.0])), places(torch.tensor([3, 2, 1]))))
        -1.0
    """
    a, b = ranks(one), ranks(other)
    a, b = a - a.mean(-1, keepdim=True), b - b.mean(-1, keepdim=True)
    size = (a.square().sum(-1) * b.square().sum(-1)).sqrt()
    return ((a * b).sum(-1) / size).masked_fill(size == 0, 0.0).clamp(-1, 1)


def agreement(one: Num[Tensor, " n"], other: Num[Tensor, " n"]) -> float:
    """Spearman's correlation of two columns, without an interval.

    Example:
        >>> agreement(torch.tensor([1, 2, 3, 3]), torch.tensor([0.1, 0.2, 0.9, 0.9]))
        1.0
    """
    return float(spearman(places(one), places(other)))


def rank_correlation(one: Num[Tensor, " n"], other: Num[Tensor, " n"]) -> Interval:
    """Spearman's correlation with its bootstrap interval; of fewer than two examples nothing is known.

    Example:
        >>> rank_correlation(torch.arange(9), torch.arange(9.0) ** 2)
        Interval(value=1.0, low=1.0, high=1.0, confidence=0.95)
    """
    return resampled((places(one), places(other)), spearman) if len(one) > 1 else Interval(0.0, -1.0, 1.0)


def correlation_difference(common: Num[Tensor, " n"], one: Num[Tensor, " n"], other: Num[Tensor, " n"]) -> Interval:
    """How much better a column agrees with one than with another; the same examples are drawn for both."""
    if len(common) < 2:
        return Interval(0.0, -2.0, 2.0)
    columns = places(common), places(one), places(other)
    return resampled(columns, lambda a, b, c: spearman(a, b) - spearman(a, c))
