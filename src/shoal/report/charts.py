"""What all charts share: two widths, colours by name, quiet axes, and the way from Vega-Lite to SVG.

Colours are CSS custom properties ("var(--series-1)"), so that one SVG follows the page into light and dark; their
values stand in `templates/report.css`. Titles of axes and the legend are text of the page, not of the drawing, so
that they wrap on a phone. altair is imported when the first chart is drawn.
"""

import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from shoal.report.numbers import number
from shoal.report.svg import HOVER, inline_svg

WIDE, NARROW = 680, 330  # px: a desktop's column and a phone's
FONT = 11
SERIES = 8  # colours --series-1 … --series-8
STEPS = 9  # colours --ramp-1 … --ramp-9, from shallow to deep, with --on-ramp-1 … for text upon them
DASHES = ([1, 0], [7, 3], [2, 3], [10, 3, 2, 3])
SHAPES = ("circle", "square", "diamond", "triangle-up")
INK, MUTED, RULE, PAPER = "var(--ink)", "var(--muted)", "var(--rule)", "var(--paper)"
LETTER = 5.8  # px, an average letter at FONT
_PALEST = 3  # first step of the ramp that stands out from the page


@dataclass(frozen=True)
class Plate:
    """A chart at one width, with the titles of its axes as text for the page.

    Args:
        svg: one `<svg>` element.
        above: title of the axis at the left, which stands above the chart.
        below: title of the axis at the bottom.
    """

    svg: str
    above: str
    below: str


@dataclass(frozen=True)
class Key:
    """One entry of a legend: the series' name and how it is drawn.

    Args:
        name: of the series.
        color: a CSS colour, for example "var(--series-2)".
        form: "line" or "area", or the shape of its points.
        dash: lengths of dashes and gaps of a line.
    """

    name: str
    color: str
    form: Literal["line", "area", "circle", "square", "diamond", "triangle-up"]
    dash: tuple[int, ...] = ()


def series_color(index: int) -> str:
    """Colour of the series at `index`; they repeat after `SERIES`, with another dash or shape."""
    return f"var(--series-{index % SERIES + 1})"


def ramp_color(index: int, count: int) -> str:
    """Colour of part `index` of `count` ordered parts, from shallow to deep; the palest steps are left to cells."""
    return f"var(--ramp-{_PALEST + round((STEPS - _PALEST) * index / max(1, count - 1))})"


def ramp_step(share: float) -> int:
    """Step of the ramp, from 1 to `STEPS`, for a share of the range in [0, 1]."""
    return 1 + min(STEPS - 1, int(share * STEPS))


def distinct(values: Iterable[Any]) -> list[Any]:
    """The values in the order in which they first occur."""
    return list(dict.fromkeys(values))


def wrapped(text: object, width: int) -> str:
    """Break text into as few lines of at most `width` letters as it needs, of about the same length."""
    lines = textwrap.wrap(str(text), width)
    if len(lines) < 2:
        return str(text)
    even = -(-len(str(text)) // len(lines))
    tries = (textwrap.wrap(str(text), narrower) for narrower in range(even, width + 1))
    return "\n".join(next((fewer for fewer in tries if len(fewer) == len(lines)), lines))


def short_labels(names: Sequence[str], width: int, lines: int = 3) -> dict[str, str]:
    """Names of categories as labels: broken into lines, and cut after the last unless two would then be the same."""
    cut = {name: "\n".join(textwrap.wrap(name, width, max_lines=lines, placeholder=" …")) or name for name in names}
    return cut if len(set(cut.values())) == len(cut) else {name: wrapped(name, width) for name in names}


def split_labels(labels: Sequence[str], *, upright: bool) -> dict[str, Any]:
    """Settings of an axis whose labels have lines of their own; `upright` centres them on their rows."""
    most = max(label.count("\n") for label in labels) + 1
    lift = [{"test": f"length(split(datum.value, '\\n')) == {n}", "value": -6.5 * (n - 1)} for n in range(2, most + 1)]
    offset = {"labelOffset": {"condition": lift, "value": 0}} if lift and upright else {}
    return {"labelExpr": "split(datum.value, '\\n')", "labelLimit": 400, "labelLineHeight": 13, **offset}


def usable(value: Any, log: bool = False) -> bool:
    """Whether a value can be placed on a numeric axis."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return False
    return value > 0 or not log


def known(row: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Those of a row's entries that a chart can use: text, and finite numbers."""
    return {key: row[key] for key in keys if isinstance(row.get(key), str) or usable(row.get(key))}


def hovered(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with what is shown of it when a pointer rests on it: its name, its value with its interval, its place.

    Example:
        >>> hovered({"x": 2.5, "y": 93.58, "low": 93.1, "high": 94.0, "series": "plain"})["hover"]
        'hover:plain: 93.6 (93.1 to 94) at 2.5'
    """
    name = f"{row['series']}: " if row.get("series") else ""
    both = usable(row.get("low")) and usable(row.get("high"))
    ends = f" ({number(row['low'])} to {number(row['high'])})" if both else ""
    return {**row, "hover": f"{HOVER}{name}{number(row['y'])}{ends} at {number(row['x'])}"}


def domain(values: Sequence[float], *, log: bool, zero: bool = False, most: float | None = None) -> tuple[float, float]:
    """Range of an axis: the values with a little air, from zero where they come near it (or `zero` asks for it).

    No air is left beyond `most`, unless a value lies there.
    """
    low, high = min(values), max(values)
    if log:
        air = max(high / low, 1.5) ** 0.05
        return low / air, high * air
    if zero or 0 <= low < 0.2 * high:
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high == 0:
        return 0.0, 1.0
    air = 0.05 * (high - low) or 0.1 * abs(high)
    top = high + air if high else 0.0
    return (low - air if low else 0.0), top if most is None else max(high, min(top, most))


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Ticks of a logarithmic axis: powers of ten, or 1–2–5 (and finer) where it spans less than two decades."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for mantissas in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):
        ticks = [float(f"{m}e{e}") for e in range(first, last + 1) for m in mantissas]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) >= 4:
            return ticks[:: math.ceil(len(ticks) / most)]
    return ticks


def axis(values: Sequence[float], *, log: bool, narrow: bool, grid: bool, ticks: int = 5) -> dict[str, Any]:
    """Settings of a numeric axis over a range: few ticks, numbers in a form that suits their size."""
    largest = max((abs(value) for value in values), default=0.0)
    smallest = min((abs(value) for value in values if value), default=1.0)
    count = max(3, ticks - 1) if narrow else ticks
    settings: dict[str, Any] = {"title": None, "grid": grid}
    settings |= {"values": log_ticks(min(values), max(values), count + 2)} if log else {"tickCount": count}
    if largest < 1e-3 or (log and smallest < 1e-3):
        settings["format"] = "~e"
    elif largest >= 1e5:
        settings["format"] = "~s"
    elif log:
        settings["format"] = ",.6~g"
    return settings


@contextmanager
def trusted() -> Iterator[None]:
    """Draw without checking every part of a chart against Vega-Lite's schema: that takes half of the time.

    What is drawn is made here, from rows that were sorted out; Vega-Lite itself refuses what it cannot compile.
    """
    from altair.utils.schemapi import debug_mode

    with debug_mode(False):
        yield


def to_svg(chart: Any, *, prefix: str) -> str:
    """Render an altair chart as inline SVG in the house's quiet style.

    Args:
        chart: a finished altair chart.
        prefix: for ids, unique within the page.

    Returns:
        The markup of one `<svg>` element.
    """
    import vl_convert

    styled = chart.configure(
        background="transparent",
        font="Liberation Sans, Arial, sans-serif",  # for measuring only: the page's own font is drawn
        padding=2,
        view={"stroke": None},
        axis={
            "labelColor": MUTED,
            "labelFontSize": FONT,
            "labelPadding": 6,
            "gridColor": RULE,
            "domain": False,
            "ticks": False,
            "labelSeparation": 6,
        },
        axisX={
            "domain": True,
            "domainColor": MUTED,
            "ticks": True,
            "tickColor": MUTED,
            "tickSize": 4,
            "labelPadding": 3,
        },
    )
    return inline_svg(vl_convert.vegalite_to_svg(styled.to_dict()), prefix)
