"""Accuracies of test pairs as the study of faces keeps them, and how sure they and their differences are.

Pairs come in parts, mostly of different people. Intervals are Student's over the parts; differences are taken part by
part, so that what makes a part's pairs hard for both networks cancels. They tell what other pairs would give, not what
another training would.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from shoal.measure import Interval, mean_interval, standard_error


@dataclass(frozen=True, kw_only=True)
class Checked:
    """Verification of the test pairs.

    Attributes:
        parts: accuracy of each of the parts that the pairs come in, with a threshold that the others chose.
        auc: area under the ROC.
    """

    parts: list[float]
    auc: float

    @property
    def accuracy(self) -> float:
        """Mean over the parts."""
        return sum(self.parts) / len(self.parts)

    @property
    def interval(self) -> Interval:
        """The same with its interval over the parts, in percent."""
        return percent_interval([self])

    def column(self) -> Float64[Tensor, "parts"]:
        """The parts as a tensor."""
        return torch.tensor(self.parts, dtype=torch.float64)


def shown(found: Checked) -> tuple[float, float, str]:
    """Accuracy in percent, its standard error, its interval: three cells of a table."""
    interval = found.interval
    error = 100 * standard_error(found.column())
    return round(interval.value, 2), round(error, 2), f"{interval.low:.1f} to {interval.high:.1f}"


def percent_interval(found: list[Checked]) -> Interval:
    """Mean accuracy of some networks on the same pairs, in percent; Student's interval over the parts."""
    return within(mean_interval(100 * torch.stack([one.column() for one in found]).mean(0)), 0.0, 100.0)


def points(first: list[Checked] | Checked, second: list[Checked] | Checked) -> Interval:
    """Difference of accuracies on the same pairs, in points; paired by part, means over networks taken first.

    Args:
        first: one network, or several.
        second: the same number.
    """
    one, other = ([x] if isinstance(x, Checked) else x for x in (first, second))
    differences = [a.column() - b.column() for a, b in zip(one, other, strict=True)]
    return mean_interval(100 * torch.stack(differences).mean(0))


def within(found: Interval, low: float, high: float) -> Interval:
    """An interval of a share does not leave its range.

    Args:
        found: the interval.
        low: end of the range.
        high: the other end.
    """
    return Interval(found.value, max(low, found.low), min(high, found.high), found.confidence)
