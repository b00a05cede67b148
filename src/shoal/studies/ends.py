"""An effect and the ends of its interval, as a `Claim` takes them."""

from typing import TypedDict

from shoal.measure import Interval


class Ends(TypedDict):
    """Fields of a `Claim`: `Claim(**point(0.5), ...)`."""

    effect: float
    low: float
    high: float


def point(value: float) -> Ends:
    """Effect and ends of a number that was not sampled."""
    return {"effect": value, "low": value, "high": value}


def ends(interval: Interval) -> Ends:
    """Effect and ends; a bootstrap of few rounds may leave the value outside by a rounding."""
    low, high = min(interval.low, interval.value), max(interval.high, interval.value)
    return {"effect": interval.value, "low": low, "high": high}
