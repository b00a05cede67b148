"""The bootstrap of `shoal.measure`, many draws at once: for statistics that torch can compute of all draws together.

resampled((x,), lambda x: x.mean(-1))       # columns [draws, n] to values [draws]
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from shoal.measure import Interval

RESAMPLES = 1000
_AT_ONCE = 2**18  # numbers: they stay in the cache

Statistic = Callable[..., Tensor]


def resampled(columns: Sequence[Tensor], statistic: Statistic) -> Interval:
    """A statistic of some columns, and its percentile bootstrap interval.

    Args:
        columns: of one length; the same rows are drawn of all.
        statistic: of as many tensors [draws, n]; finite numbers [draws].

    Source: Efron & Tibshirani 1993, "An introduction to the bootstrap", chapter 13.

    Example:
        >>> print(f"{resampled([torch.arange(100.0)], lambda x: x.mean(-1)):.0f}")
        50 [44, 55]
    """
    return around(float(statistic(*(column[None] for column in columns))), drawn(columns, statistic))


def drawn(columns: Sequence[Tensor], statistic: Statistic, *, seed: int = 0) -> Float[Tensor, " draws"]:
    """The statistic of draws with replacement."""
    n = len(columns[0])
    generator = torch.Generator().manual_seed(seed)
    found, at_once = [], max(1, _AT_ONCE // n)
    for done in range(0, RESAMPLES, at_once):
        rows = torch.randint(n, (min(at_once, RESAMPLES - done), n), generator=generator)
        found.append(statistic(*(column[rows] for column in columns)))
    return torch.cat(found)


def around(value: float, draws: Float[Tensor, " draws"]) -> Interval:
    """The interval that holds 95 % of the draws, and the value."""
    low, high = torch.quantile(draws.double(), torch.tensor([0.025, 0.975]).double()).tolist()
    return Interval(value, min(low, value), max(high, value))
