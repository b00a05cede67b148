"""The small bar under a claim: an interval, its effect, and the bound that it must be on the right side of.

Positions are percentages of the bar's width, so that the template's SVG stretches with the page without
stretching its text.

Example:
    >>> claim = Claim(id="a", sentence="", measured="", effect=2, low=1, high=3, bound=0, direction="above")
    >>> bar = interval_bar(claim)
    >>> bar.bound < bar.low < bar.effect < bar.high, bar.true_to
    (True, 100.0)
"""

from dataclasses import dataclass

from shoal.report.numbers import number, quantity, spread
from shoal.studies.result import Claim

_SIGNS = {  # of (direction, strict), and in words
    ("above", False): ("≥", "at least"),
    ("below", False): ("≤", "at most"),
    ("above", True): (">", "more than"),
    ("below", True): ("<", "less than"),
}
_AIR = 0.14  # share of the shown range that is left free on each side


@dataclass(frozen=True, kw_only=True)
class IntervalBar:
    """Where things lie on the bar, in percent of its width, and what they read.

    Args:
        low: the interval's lower end.
        high: its upper end.
        effect: the effect.
        bound: the bound.
        true_from: start of the side of the bound on which the statement is true.
        true_to: its end.
        bound_text: the bound as a condition, for example "≥ −0.5".
        anchor: SVG text-anchor that keeps `bound_text` within the bar.
        description: all of it in words.
    """

    low: float
    high: float
    effect: float
    bound: float
    true_from: float
    true_to: float
    bound_text: str
    anchor: str
    description: str


def interval_bar(claim: Claim) -> IntervalBar:
    """Lay out the bar of one claim."""
    known = (claim.low, claim.high, claim.effect, claim.bound)
    span = max(known) - min(known) or abs(known[0]) or 1.0
    start, width = min(known) - _AIR * span, (1 + 2 * _AIR) * span

    def place(value: float) -> float:
        return round(100 * (value - start) / width, 2)

    bound, above = place(claim.bound), claim.direction == "above"
    return IntervalBar(
        low=place(claim.low),
        high=place(claim.high),
        effect=place(claim.effect),
        bound=bound,
        true_from=bound if above else 0.0,
        true_to=100.0 if above else bound,
        bound_text=f"{_SIGNS[claim.direction, claim.strict][0]} {number(claim.bound)}",
        anchor="start" if bound < 20 else "end" if bound > 80 else "middle",
        description=_words(claim),
    )


def needs(claim: Claim) -> str:
    """The condition under which the statement is true, in words."""
    return f"{_SIGNS[claim.direction, claim.strict][1]} {quantity(number(claim.bound), claim.unit)}"


def _words(claim: Claim) -> str:
    effect, low, high = spread(claim.effect, claim.low, claim.high)
    interval = f"95 % interval from {low} to {high}"
    return f"Effect {quantity(effect, claim.unit)}, {interval}; the statement needs {needs(claim)}."
