"""How sure a measured number is: standard errors and confidence intervals.

    bootstrap_interval(values)                                          # of a mean, or of any statistic
    bootstrap_interval((a, b), lambda a, b: a.mean() / b.mean())        # of a ratio; rows stay together
    proportion_interval(90, 100)                                        # of an accuracy
    exact_proportion_interval(0, 100)                                   # the same where a promise rests on it
    paired_difference_interval(right_a, right_b)                        # of two accuracies on the same examples

For other differences between two networks on the same examples, resample the differences (or both columns jointly):
what the examples have in common then cancels.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import torch
from jaxtyping import Bool, Num, Shaped
from torch import Tensor

from shoal.errors import wrong


@dataclass(frozen=True)
class Interval:
    """A measured number and the interval that holds the true one with the stated confidence.

    `format` applies its specification to all three numbers; `in` asks whether a number lies within.

    Attributes:
        value: the number as measured.
        low: lower end.
        high: upper end.
        confidence: in (0, 1).

    Example:
        >>> interval = Interval(0.912, 0.897, 0.931)
        >>> print(f"{interval:.1%}")
        91.2% [89.7%, 93.1%]
        >>> 0.9 in interval
        True
    """

    value: float
    low: float
    high: float
    confidence: float = 0.95

    def __contains__(self, number: float) -> bool:
        return self.low <= number <= self.high

    def __format__(self, spec: str) -> str:
        value, low, high = (format(number, spec or ".4g") for number in (self.value, self.low, self.high))
        return f"{value} [{low}, {high}]"

    def __str__(self) -> str:
        return format(self)


def standard_error(values: Num[Tensor, "n"]) -> float:
    """Standard error of the mean of independent values: their standard deviation (n − 1) over √n.

    Args:
        values: at least two.

    Returns:
        The standard error, in the values' unit.

    Raises:
        InputError: if there are fewer than two.

    Example:
        >>> standard_error(torch.tensor([1.0, 2.0, 3.0, 4.0]))
        0.6454...
    """
    _check_rows(len(values))
    return float(values.detach().double().std()) / math.sqrt(len(values))


def mean_interval(values: Num[Tensor, "n"], *, confidence: float = 0.95) -> Interval:
    """Student's interval of the mean of independent, roughly normal values: a few runs with different seeds.

    Args:
        values: at least two.
        confidence: in (0, 1).

    Returns:
        The mean and its interval.

    Raises:
        InputError: if there are fewer than two values, or the confidence is out of range.

    Example:
        >>> print(mean_interval(torch.tensor([1.0, 2.0, 3.0])))
        2 [-0.4841, 4.484]
    """
    from scipy.special import stdtrit  # here: half a second of import that the rest of this room does not need

    _check_confidence(confidence)
    reach = float(stdtrit(len(values) - 1, (1 + confidence) / 2)) * standard_error(values)
    mean = float(values.detach().double().mean())
    return Interval(mean, mean - reach, mean + reach, confidence)


def proportion_interval(successes: int, n: int, *, confidence: float = 0.95) -> Interval:
    """Wilson's interval of a proportion; sound for few trials and at 0 and 1, where mean ± error is not.

    Args:
        successes: in 0 … n.
        n: trials, >= 1.
        confidence: in (0, 1).

    Returns:
        successes / n and its interval, within [0, 1].

    Raises:
        InputError: if a number is out of range.

    Example:
        >>> print(f"{proportion_interval(10, 10):.3f}")
        1.000 [0.722, 1.000]

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22.
    """
    _check_confidence(confidence)
    _check_trials(successes, n)
    share = successes / n
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # rounding must not leave a share of 0 or 1 outside of its own interval
    return Interval(share, min(share, max(0.0, centre - reach)), max(share, min(1.0, centre + reach)), confidence)


def exact_proportion_interval(successes: int, n: int, *, confidence: float = 0.95) -> Interval:
    """Clopper and Pearson's interval of a proportion: it holds at least as often as it says, however few the trials.

    Wider than Wilson's, which holds as often as it says on average. Each end by itself holds with confidence
    (1 + confidence) / 2.

    Args:
        successes: in 0 … n.
        n: trials, >= 1.
        confidence: in (0, 1).

    Returns:
        successes / n and its interval, within [0, 1].

    Raises:
        InputError: if a number is out of range.

    Example:
        >>> print(f"{exact_proportion_interval(0, 100):.3f}")
        0.000 [0.000, 0.036]

    Source: Clopper & Pearson 1934, "The use of confidence or fiducial limits", Biometrika 26.
    """
    from scipy.special import betaincinv  # here, as above

    _check_confidence(confidence)
    _check_trials(successes, n)
    tail = (1 - confidence) / 2
    low = float(betaincinv(successes, n - successes + 1, tail)) if successes else 0.0
    high = float(betaincinv(successes + 1, n - successes, 1 - tail)) if successes < n else 1.0
    return Interval(successes / n, low, high, confidence)


def paired_difference_interval(
    first: Bool[Tensor, "n"], second: Bool[Tensor, "m"], *, confidence: float = 0.95
) -> Interval:
    """Newcombe's interval of the difference of two shares that were measured on the same examples.

    Sound where few or no examples differ, which is where a bootstrap of the differences collapses to a point.

    Args:
        first: [n], whether the first is right about each example; at least one.
        second: [n], the same of the second.
        confidence: in (0, 1).

    Returns:
        Share of first − share of second, within [−1, 1].

    Raises:
        InputError: if lengths differ or are 0, or the confidence is out of range.

    Example:
        >>> right = torch.ones(100, dtype=torch.bool)
        >>> print(f"{paired_difference_interval(right, right):.3f}")
        0.000 [-0.037, 0.037]

    Source: Newcombe 1998, "Improved confidence intervals for the difference between binomial proportions based on
        paired data", Statistics in Medicine 17, method 10.
    """
    if len(first) != len(second) or not len(first):
        raise wrong("values", expected="two tensors of one length, >= 1", got=f"{len(first)} and {len(second)}")
    n = len(first)
    both, neither = int((first & second).sum()), int((~first & ~second).sum())
    only_first, only_second = int((first & ~second).sum()), int((~first & second).sum())
    a = proportion_interval(both + only_first, n, confidence=confidence)
    b = proportion_interval(both + only_second, n, confidence=confidence)
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    product = both * neither - only_first * only_second
    if product > 0:  # corrected for continuity, towards independence
        product = max(product - n / 2, 0)
    phi = product / math.sqrt(margins) if margins else 0.0
    down, up = (a.value - a.low, b.high - b.value), (a.high - a.value, b.value - b.low)
    low, high = (math.sqrt(max(0.0, x * x - 2 * phi * x * y + y * y)) for x, y in (down, up))
    difference = (only_first - only_second) / n
    return Interval(difference, difference - low, difference + high, confidence)


def _mean(values: Tensor) -> Tensor:
    return values.double().mean()  # double: booleans and counts have no mean of their own


def bootstrap_interval(
    values: Shaped[Tensor, "n ..."] | Sequence[Shaped[Tensor, "n ..."]],
    statistic: Callable[..., Any] = _mean,
    *,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap interval of any statistic of independent rows.

    Rows are drawn with replacement, as many as there are, and the statistic is computed again, many times. Of
    several tensors the same rows are drawn, which keeps paired measurements paired.

    Args:
        values: one tensor, or several of the same length; row i of each belongs to example i.
        statistic: a function of as many tensors that gives one finite number; the mean unless given.
        confidence: in (0, 1).
        resamples: how often to draw.
        seed: of the draws; equal seeds give equal intervals.

    Returns:
        The statistic of the rows as they are, and its interval.

    Raises:
        InputError: if lengths differ, there are fewer than two rows, a setting is out of range, or the statistic
            is not finite.

    Example:
        >>> a, b = torch.arange(50.0), torch.arange(50.0) * 2 + 1
        >>> print(f"{bootstrap_interval((a, b), lambda a, b: a.mean() / b.mean()):.2f}")
        0.49 [0.49, 0.49]

    Source: Efron & Tibshirani 1993, "An introduction to the bootstrap", chapter 13.
    """
    columns = [column.detach() for column in ((values,) if isinstance(values, Tensor) else values)]
    _check_confidence(confidence)
    if resamples < 1:
        raise wrong("resamples", expected="a whole number >= 1", got=resamples)
    rows = _check_lengths(columns)
    generator = torch.Generator().manual_seed(seed)
    draws = torch.empty(resamples, dtype=torch.float64)
    for i in range(resamples):
        chosen = torch.randint(rows, (rows,), generator=generator)  # [n]
        draws[i] = float(statistic(*(column[chosen.to(column.device)] for column in columns)))
    value = float(statistic(*columns))
    if not (math.isfinite(value) and bool(draws.isfinite().all())):
        raise wrong(
            "statistic",
            expected="a finite number for every draw of rows",
            got=f"{value} for all rows and {int((~draws.isfinite()).sum())} of {resamples} draws not finite",
        )
    low, high = torch.quantile(draws, torch.tensor([(1 - confidence) / 2, (1 + confidence) / 2]).double()).tolist()
    return Interval(value, low, high, confidence)


def _check_lengths(columns: Sequence[Tensor]) -> int:
    lengths = [len(column) for column in columns]
    if len(set(lengths)) != 1:
        raise wrong("values", expected="tensors of one length", got=f"lengths {lengths}")
    _check_rows(lengths[0])
    return lengths[0]


def _check_rows(rows: int) -> None:
    if rows < 2:
        raise wrong("values", expected="at least two rows", got=rows)


def _check_trials(successes: int, n: int) -> None:
    if n < 1 or not 0 <= successes <= n:
        raise wrong("successes of n", expected="0 <= successes <= n and n >= 1", got=f"{successes} of {n}")


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise wrong("confidence", expected="a number in (0, 1)", got=confidence, fix="give 95 % as 0.95")
