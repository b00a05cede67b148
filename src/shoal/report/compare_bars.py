"""One claim in several runs, drawn on one scale: an interval and its effect a line, and the bound across them.

Positions are percentages of the drawing's width and pixels of its height, as in `shoal.report.interval`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shoal.report.interval import interval_bar
from shoal.report.numbers import quantity, spread
from shoal.studies.result import Claim, Verdict

_LEFT, _RIGHT = 7.0, 98.0  # of the width; letters stand left of it
_LINE, _TOP = 22, 14  # pixels


@dataclass(frozen=True, kw_only=True)
class Line:
    """One run's interval: where it lies."""

    letter: str
    verdict: Verdict
    y: int
    low: float
    high: float
    effect: float


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A bound, and from where to where the lines reach that it is for."""

    x: float
    top: int
    bottom: int
    text: str
    text_y: int
    anchor: str


@dataclass(frozen=True, kw_only=True)
class Scale:
    """The drawing of one claim.

    Args:
        height: in pixels.
        lines: a run each.
        bounds: one for all runs, or where they differ one for each.
        description: all of it in words.
    """

    height: int
    lines: tuple[Line, ...]
    bounds: tuple[Bound, ...]
    description: str


def scale(claims: Sequence[tuple[str, Claim]]) -> Scale:
    """Lay out the claims of several runs.

    Args:
        claims: with the letters of their runs; of one unit.

    Example:
        >>> claim = Claim(id="a", sentence="", measured="", effect=2, low=1, high=3, bound=0, direction="above")
        >>> drawn = scale([("A", claim), ("B", claim)])
        >>> drawn.lines[0].low == drawn.lines[1].low, len(drawn.bounds), drawn.bounds[0].text
        (True, 1, '≥ 0')
    """
    known = [number for _, claim in claims for number in (claim.low, claim.effect, claim.high, claim.bound)]
    least, span = min(known), (max(known) - min(known)) or abs(known[0]) or 1.0

    def place(value: float) -> float:
        return round(_LEFT + (_RIGHT - _LEFT) * (0.04 + 0.92 * (value - least) / span), 2)

    lines = tuple(
        Line(
            letter=letter,
            verdict=claim.verdict,
            y=_TOP + _LINE * number,
            low=place(claim.low),
            high=place(claim.high),
            effect=place(claim.effect),
        )
        for number, (letter, claim) in enumerate(claims)
    )
    shared = len({(claim.bound, claim.direction, claim.strict) for _, claim in claims}) == 1
    foot = _TOP + _LINE * len(claims)
    bounds = [(place(claims[0][1].bound), claims[0][1], 2, foot - 8)] if shared else [
        (place(claim.bound), claim, line.y - 10, line.y + 10) for (_, claim), line in zip(claims, lines, strict=True)
    ]  # fmt: skip
    return Scale(
        height=foot + 8,
        lines=lines,
        bounds=tuple(_bound(*bound, foot if shared else 0) for bound in bounds),
        description=" ".join(f"{letter}: {_words(claim)}" for letter, claim in claims),
    )


def _bound(x: float, claim: Claim, top: int, bottom: int, text_y: int) -> Bound:
    """A bound that all runs share has its condition written below; others are told of in the text."""
    return Bound(
        x=x,
        top=top,
        bottom=bottom,
        text=interval_bar(claim).bound_text if text_y else "",
        text_y=text_y + 4,
        anchor="start" if x < 20 else "end" if x > 80 else "middle",
    )


def _words(claim: Claim) -> str:
    effect, low, high = spread(claim.effect, claim.low, claim.high)
    return f"effect {quantity(effect, claim.unit)}, 95 % interval from {low} to {high}, {claim.verdict}."
