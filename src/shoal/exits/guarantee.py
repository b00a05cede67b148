"""How sure is it that a policy loses no more than it may? An exact test on rows that nothing was chosen with.

Of n rows, `losses` are right with the whole network and wrong with the policy, `gains` the other way round. Shares of
both in all data are unknown, b and c; what the policy loses is b − c. The test asks how likely so good an outcome, or a
better one, would be if the policy lost `max_drop` or more: that is the p-value. No approximation is in it:

    outcomes are ordered by the score statistic of b − c = max_drop (Tango 1998), closed so that fewer losses and more
    gains are always at least as good; the most likely case is then b = c + max_drop, since more losses only make good
    outcomes rarer; c is not known, so that the largest probability over all c of a confidence set is taken, and what
    the set misses is added (Berger & Boos 1994). Between the values of c that are tried, a bound is used.

The usual alternatives, Hoeffding's inequality and betting, hold for any bounded loss; a loss that can only be −1, 0 or
1 has an exact distribution. `python -m benchmarks.guarantee` measures how many rows each needs.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shoal.errors import wrong
from shoal.measure import exact_proportion_interval

MISSED = 1e-4  # chance that c lies outside of the set that is searched; added to the p-value
_CLOSE = 0.02  # the bound is at most so much above a value that is reached
_HALVINGS = 16  # of that set, at most; the bound holds after any number
_REACH = 7.0  # standard deviations beyond which counts are not listed


def p_value(rows: int, losses: int, gains: int, max_drop: float) -> float:
    """Chance of an outcome at least as good, if the policy lost `max_drop` or more.

    Args:
        rows: n, >= 1; drawn alike, and apart from whatever the policy was chosen with.
        losses: rows that the whole network has right and the policy wrong.
        gains: rows that the policy has right and the whole network wrong.
        max_drop: ε, in [0, 1).

    Returns:
        In (0, 1]. For any b − c >= max_drop, it is at most α with probability at most α, for every α.

    Raises:
        InputError: if a number is out of range.

    Example:
        >>> round(p_value(1000, 2, 1, 0.01), 4)
        0.0028

    Source: Tango 1998, "Equivalence test and confidence interval for the difference in proportions for the
        paired-sample design", Statistics in Medicine 17; Berger & Boos 1994, "P values maximized over a confidence set
        for the nuisance parameter", JASA 89.
    """
    return _p_value(rows, losses, gains, float(max_drop), None)


def passes(rows: int, losses: int, gains: int, max_drop: float, level: float) -> bool:
    """Whether `p_value` is at most `level`; sooner than by computing it.

    Raises:
        InputError: if a number is out of range.
    """
    return _p_value(rows, losses, gains, float(max_drop), float(level)) <= level


@lru_cache(maxsize=4096)
def _p_value(rows: int, losses: int, gains: int, max_drop: float, level: float | None) -> float:
    if rows < 1 or min(losses, gains) < 0 or losses + gains > rows:
        raise wrong("losses and gains", expected=f"counts >= 0 of {rows} >= 1 rows", got=f"{losses} and {gains}")
    if not 0 <= max_drop < 1:
        raise wrong("max_drop", expected="a share in [0, 1)", got=max_drop, fix="give 1 point as 0.01")
    if losses - gains >= rows * max_drop:
        return 1.0  # no better than what is to be ruled out
    low, high = _plausible(rows, gains, (1 - max_drop) / 2)
    # gains beyond these are not listed but counted as good
    least = max(0, math.floor(rows * low - _REACH * math.sqrt(rows * low) - 40))
    most = min(rows, math.ceil(rows * high + _REACH * math.sqrt(rows * high) + 40))
    count = np.arange(min(least, gains), max(most, gains) + 1)
    good = _Good(rows, count, _allowed(rows, losses, gains, max_drop, count), max_drop)
    return min(1.0, MISSED + _largest(good, low, high, None if level is None else level - MISSED))


def _plausible(rows: int, gains: int, most: float) -> tuple[float, float]:
    """Shares of gains under which neither so many nor so few have less than half the chance of `MISSED`."""
    found = exact_proportion_interval(gains, rows, confidence=1 - MISSED)
    return min(found.low, most), min(found.high, most)


def _allowed(rows: int, losses: int, gains: int, max_drop: float, count: NDArray) -> NDArray[np.int64]:
    """For every count of gains, the most losses with which an outcome is at least as good as the one seen; −1: none."""
    seen = _statistic(rows, np.array([losses]), np.array([gains]), max_drop)[0]
    low, high = np.full(len(count), -1), rows - count + 1  # with `low` it is good, or none is; with `high` it is not
    while (high - low > 1).any():
        middle = (low + high) // 2
        good = (middle >= 0) & (_statistic(rows, np.maximum(middle, 0), count, max_drop) <= seen + 1e-12)
        low, high = np.where(good, middle, low), np.where(good, high, middle)
    # what was seen is as good as itself, whatever rounding says; more gains are never worse
    return np.maximum.accumulate(np.where(count >= gains, np.maximum(low, losses), low))


def _statistic(rows: int, losses: NDArray, gains: NDArray, max_drop: float) -> NDArray[np.float64]:
    """(losses − gains − n ε) over its standard deviation where b − c = ε, with the most likely c."""
    sum_of_both = losses + gains
    half = (sum_of_both * (1 + max_drop) - 2 * max_drop * (rows + gains)) if max_drop else sum_of_both
    constant = gains * max_drop * (1 - max_drop)
    share = (half + np.sqrt(np.maximum(half * half + 8.0 * rows * constant, 0.0))) / (4.0 * rows)  # c
    share = np.clip(share, 0.0, (1 - max_drop) / 2)
    spread = np.sqrt(np.maximum(rows * (2 * share + max_drop - max_drop**2), 1e-12))
    return (losses - gains - rows * max_drop) / spread


class _Good(NamedTuple):
    """The outcomes that are at least as good as the one seen: for each number of gains, losses up to `allowed`."""

    rows: int
    gains: NDArray[np.int64]  # [k]
    allowed: NDArray[np.int64]  # [k]
    max_drop: float

    def chance(self, low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
        """At most the chance of a good outcome for every c from `low` to `high`: the most gains, the fewest losses.

        Moving a row from a tie to a gain, or from a loss to a tie, never makes a good outcome bad: this share of gains,
        with this one of losses, is as favourable as any between the two. Where they are equal, it is the chance itself.

        Args:
            low: [pieces].
            high: [pieces].

        Returns:
            [pieces].
        """
        from scipy.special import bdtr  # here: half a second of import that only a calibration needs

        gaining, losing = high[:, None], np.minimum((low + self.max_drop) / (1 - high), 1.0)[:, None]  # [pieces, 1]
        weights = bdtr(self.gains, self.rows, gaining)  # [pieces, k]
        listed = weights[:, -1] - bdtr(self.gains[0] - 1, self.rows, high) if self.gains[0] else weights[:, -1]
        weights = np.diff(weights, prepend=(weights[:, -1] - listed)[:, None])
        others = self.rows - self.gains  # rows that are no gains
        chance = bdtr(np.clip(self.allowed, 0, others), others, losing)
        chance = np.where(self.allowed < 0, 0.0, np.where(self.allowed >= others, 1.0, chance))
        return np.minimum((weights * chance).sum(1) + (1 - listed), 1.0)


def _largest(good: _Good, low: float, high: float, level: float | None) -> float:
    """A bound on the chance of a good outcome over all c from `low` to `high`, close to the largest value.

    With a level, any number on the same side of it.
    """
    lows, highs = np.array([low]), np.array([high])  # [pieces]
    reached = float(good.chance(np.array([low, high]), np.array([low, high])).max())
    settled = 0.0
    for _ in range(_HALVINGS):
        bounds = good.chance(lows, highs)
        if level is not None and (reached > level or max(settled, bounds.max()) <= level):
            break
        close = bounds <= (1 + _CLOSE) * reached + 1e-9
        settled = max(settled, float(bounds[close].max(initial=0.0)))
        lows, highs = lows[~close], highs[~close]
        if not len(lows):
            return settled
        middles = (lows + highs) / 2
        reached = max(reached, float(good.chance(middles, middles).max()))
        lows, highs = np.concatenate([lows, middles]), np.concatenate([middles, highs])
    return max(settled, float(good.chance(lows, highs).max()))
