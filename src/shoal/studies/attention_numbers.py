"""Numbers that claims are made of: exponents, ratios, and intervals as the fields of a `Claim`."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from shoal.measure import Interval, bootstrap_interval
from shoal.studies.attention_measured import LEAST, KernelErrors, MapError, Measured, Times
from shoal.studies.ends import Ends

FROM = 1024  # tokens: below, what a call costs at any length hides the slope


def z_score(row: KernelErrors) -> float:
    """Mean error of the kernel in its standard errors."""
    mean = row.mean_error
    return float(mean.mean() / mean.std()) * len(mean) ** 0.5


def rms_exponent(row: KernelErrors) -> Interval:
    """Exponent of the RMS error of the kernel in the number of features; draws of directions are resampled."""
    features = torch.tensor(row.counts, dtype=torch.float64)
    square = torch.tensor(row.square, dtype=torch.float64)
    return bootstrap_interval(square, lambda rows: slope(features, rows.mean(0).sqrt()))


def time_exponent(times: Times, name: str) -> Interval:
    """Exponent of the median time in the length; rounds of timing are resampled."""
    return bootstrap_interval(times.seconds(name), lambda rows: growth(times, rows))


def growth(times: Times, rows: Float[Tensor, "repeats places"]) -> float:
    """Exponent of the median of some rounds in the length, from `first_place` on."""
    first = first_place(times)
    return slope(torch.tensor(times.places[first:], dtype=torch.float64), medians(rows)[first:])


def memory_exponent(times: Times, sizes: Sequence[int | None]) -> float:
    """Exponent of peak memory in the length, from `first_place` on; lengths that were not measured are left out."""
    first = first_place(times)
    known = [(place, size) for place, size in zip(times.places[first:], sizes[first:], strict=True) if size]
    places, bytes_ = (torch.tensor(column, dtype=torch.float64) for column in zip(*known, strict=True))
    return slope(places, bytes_)


def first_place(times: Times) -> int:
    """Index of the first length that counts for an exponent: 1024 tokens, or the shortest where those are too few."""
    return next((at for at, place in enumerate(times.places[:-2]) if place >= FROM), 0)


def slope(x: Float[Tensor, "n"], y: Float[Tensor, "n"]) -> float:
    """Of the straight line through log y against log x.

    Example:
        >>> x = torch.tensor([1.0, 2.0, 4.0])
        >>> round(slope(x, 3 * x**2), 6)
        2.0
    """
    x, y = x.log() - x.log().mean(), y.log()
    return float((x * y).sum() / x.square().sum())


def medians(rows: Float[Tensor, "repeats places"]) -> Float[Tensor, "places"]:
    """Median over the rounds, place by place."""
    return rows.quantile(0.5, dim=0)


def typical_seconds(times: Times) -> tuple[Float[Tensor, "places"], Float[Tensor, "places"]]:
    """Medians over the rounds, of exact and of linear attention."""
    return medians(times.seconds("exact")), medians(times.seconds("linear"))


def left_of_mean(m: Measured, row: MapError) -> Float[Tensor, "heads"]:
    """Error of a map over that of mean(V), per head."""
    mean = torch.tensor(m.references[row.kind].mean_value, dtype=torch.float64)
    return torch.tensor(row.errors, dtype=torch.float64) / mean


def mean_of(errors: list[float]) -> float:
    """Geometric mean, without the interval of `geometric_mean`."""
    return math.exp(sum(math.log(max(error, LEAST)) for error in errors) / len(errors))


def distance(interval: Interval, centre: float = 0.0) -> Ends:
    """Effect and ends of the distance from a number.

    Example:
        >>> distance(Interval(-1.0, -3.0, 0.5)), distance(Interval(2.0, 1.5, 3.0), 1.0)
        ({'effect': 1.0, 'low': 0.0, 'high': 3.0}, {'effect': 1.0, 'low': 0.5, 'high': 2.0})
    """
    near, far = sorted((abs(interval.low - centre), abs(interval.high - centre)))
    return {"effect": abs(interval.value - centre), "low": 0.0 if centre in interval else near, "high": far}
