"""Numbers that the difficulty study's claims and tables are made of, with their intervals."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from shoal.measure import Interval
from shoal.studies.difficulty_measured import Examples, Measured
from shoal.studies.resampling import around, drawn, resampled

SHUFFLES = 2000
NOTHING = 1e6  # probes: the reach of an interval that says nothing
QUARTER = 4  # one in so many images is among the easiest, and the hardest


def first_half(m: Measured, part: Examples) -> int:
    """How many examples are settled at one of the first half of the probes."""
    return int((part.column("depth") < len(m.probes) // 2).sum())


def quarters(part: Examples) -> tuple[Int[Tensor, " quarter"], Int[Tensor, " quarter"]]:
    """Places of the easiest and of the hardest quarter."""
    order, n = part.order, max(1, len(part) // QUARTER)
    return order[:n], order[-n:]


def in_quarters(m: Measured, column: Tensor | list[float]) -> tuple[Tensor, Tensor]:
    """A column of the test images in the easiest and in the hardest quarter."""
    easy, hard = quarters(m.test)
    values = torch.as_tensor(column, dtype=torch.float64)
    return values[easy], values[hard]


def class_means(depth: Float[Tensor, " n"], labels: Int[Tensor, " n"], classes: int) -> Float[Tensor, " classes"]:
    """Mean depth of every class; NaN where it has no examples."""
    return depth.new_zeros(classes).index_add_(0, labels, depth) / torch.bincount(labels, minlength=classes)


def shuffled_spreads(depth: Float[Tensor, " n"], labels: Int[Tensor, " n"], classes: int) -> Float[Tensor, " shuffles"]:
    """Largest less smallest class mean, with the labels shuffled."""
    generator = torch.Generator().manual_seed(0)
    found = torch.empty(SHUFFLES, dtype=torch.float64)
    present = torch.bincount(labels, minlength=classes) > 0
    for i in range(SHUFFLES):
        order = torch.randperm(len(depth), generator=generator)
        means = class_means(depth[order], labels, classes)[present]
        found[i] = means.max() - means.min()
    return found


def mean_of(values: Float[Tensor, " n"]) -> Interval:
    """Mean with its bootstrap interval; one value says nothing about others."""
    if len(values) < 2:
        return Interval(float(values.mean()), -NOTHING, NOTHING)
    return resampled([values], _mean)


def mean_of_both(one: Float[Tensor, " n"], other: Float[Tensor, " n"]) -> Interval:
    """Mean over two networks; the interval holds those of both, so that what one of them contradicts is not settled."""
    found = mean_of(one), mean_of(other)
    return Interval(
        sum(interval.value for interval in found) / 2,
        min(interval.low for interval in found),
        max(interval.high for interval in found),
    )


def group_difference(values: Float[Tensor, " n"], group: Bool[Tensor, " n"]) -> Interval:
    """Mean within a group less the mean of the others; each group is drawn anew by itself."""
    draws = drawn([values[group]], _mean) - drawn([values[~group]], _mean, seed=1)
    return around(float(values[group].mean() - values[~group].mean()), draws)


def standardised(easy: Float[Tensor, " n"], hard: Float[Tensor, " m"]) -> float:
    """Difference of two means in standard deviations within the groups (Cohen's d).

    Source: Cohen 1988, "Statistical power analysis for the behavioral sciences", section 2.2.

    Example:
        >>> standardised(torch.arange(100.0), torch.arange(100.0) + 29)
        1.0...
    """
    return float(hard.mean() - easy.mean()) / _scale(easy, hard)


def effect_size(easy: Float[Tensor, " n"], hard: Float[Tensor, " m"]) -> Interval:
    """The same with its interval: each group is drawn anew by itself, the scale stays."""
    draws = drawn([hard], _mean) - drawn([easy], _mean, seed=1)
    return around(standardised(easy, hard), draws / _scale(easy, hard))


def _scale(easy: Tensor, hard: Tensor) -> float:
    """Standard deviation within the groups; 1 where nothing varies."""
    return float(((easy.var(correction=0) + hard.var(correction=0)) / 2).sqrt()) or 1.0


def _mean(rows: Float[Tensor, "draws n"]) -> Float[Tensor, " draws"]:
    return rows.mean(-1)
