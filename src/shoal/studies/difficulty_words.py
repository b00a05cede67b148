"""How the difficulty study's numbers read, and what its properties are called."""

from shoal.measure import Interval

WORDS = {
    "contrast": "contrast",
    "clutter": "clutter",
    "typicality": "typicality",
    "boundary": "distance to a boundary",
    "people": "disagreement of people",
}


def signed(value: float, digits: int) -> str:
    """A difference, always with its sign.

    Example:
        >>> signed(-0.25, 1), signed(3, 0)
        ('−0.2', '+3')
    """
    return f"{value:+.{digits}f}".replace("-", "−")


def shown(interval: Interval, digits: int = 2) -> str:
    """A number and its interval, which stays on one line."""
    value, low, high = (f"{x:.{digits}f}".replace("-", "−") for x in (interval.value, interval.low, interval.high))
    return f"{value} [{low},\u00a0{high}]"


def points(gain: Interval) -> str:
    """A difference of two shares in points, with its interval."""
    value, low, high = (signed(100 * share, 1) for share in (gain.value, gain.low, gain.high))
    return f"{value} points [{low},\u00a0{high}]"


def capital(text: str) -> str:
    """With a capital first letter; the others stay."""
    return text[:1].upper() + text[1:]
