"""Drawing bars: one per name, or stacked from ordered parts, with whiskers for intervals.

Rows are {"x", "y"} with optional "series" (the parts of a stack, from shallow to deep), "low" and "high". Bars lie
down where their names would not fit side by side; single bars carry their value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shoal.report import charts
from shoal.report.charts import Key
from shoal.report.numbers import column

_HEIGHT = {charts.WIDE: 260, charts.NARROW: 220}  # of standing bars
_LETTERS = {charts.WIDE: 30, charts.NARROW: 15}  # in a line of a lying bar's name
_SIDE = 40  # px that the numbers of the y axis take, roughly


@dataclass(frozen=True, kw_only=True)
class Bars:
    """Rows that can be drawn, with the names of the bars and of their parts in order."""

    rows: list[dict[str, Any]]
    names: list[str]
    parts: list[str]
    log: bool
    range: tuple[float, float]


def stack(rows: Sequence[dict[str, Any]], *, log: bool) -> Bars | None:
    """Sort out what can be drawn; None where nothing can. A stack has no logarithmic axis: its parts add up."""
    parts = charts.distinct(str(row.get("series") or "") for row in rows)
    log = log and len(parts) == 1
    kept = [
        charts.known(row, "y", "low", "high") | {"x": str(row.get("x")), "series": str(row.get("series") or "")}
        for row in rows
        if charts.usable(row.get("y"), log)
    ]
    if not kept:
        return None
    kept = [{**row, "rank": parts.index(row["series"])} for row in kept]
    heights = _heights(kept) if len(parts) > 1 else [row["y"] for row in kept]
    ends = [row[key] for row in kept for key in ("low", "high") if charts.usable(row.get(key), log)]
    names = charts.distinct(row["x"] for row in kept)
    reach = charts.domain([*heights, *ends], log=log, zero=True)
    return Bars(rows=kept, names=names, parts=parts, log=log, range=reach)


def keys(bars: Bars) -> tuple[Key, ...]:
    """The legend: none for single bars."""
    if len(bars.parts) < 2:
        return ()
    return tuple(Key(part, charts.ramp_color(i, len(bars.parts)), "area") for i, part in enumerate(bars.parts))


def draw_bars(bars: Bars, *, width: int, prefix: str) -> str:
    """Draw at one width.

    Args:
        bars: what `stack` made of the rows.
        width: of the whole drawing, in pixels.
        prefix: for ids, unique within the page.

    Returns:
        One `<svg>` element.
    """
    import altair as alt

    lying = lies(bars, width)
    labels = charts.short_labels(bars.names, _LETTERS[width] if lying else max(map(len, bars.names)))
    texts = zip(bars.rows, _values(bars, width), strict=True)
    rows = [{**charts.hovered(row), "x": labels[row["x"]], "value": text} for row, text in texts]
    step = max(24, 13 * max(label.count("\n") + 1 for label in labels.values()) + 6)  # px a lying bar
    thick = {"height": min(26, round(0.7 * step))} if lying else {"width": min(64, 0.6 * _room(bars.names, width))}
    frame = _frame(alt, bars, list(labels.values()), lying, width)
    layers = [
        _bars(alt, bars, rows, frame, thick, width == charts.WIDE),
        *_whiskers(alt, rows, frame),
        *_value_texts(alt, rows, frame, bars.log),
    ]
    height = len(labels) * step if lying else _HEIGHT[width]
    size = alt.AutoSizeParams(type="fit-x", contains="padding")
    return charts.to_svg(alt.layer(*layers).properties(width=width, height=height, autosize=size), prefix=prefix)


def lies(bars: Bars, width: int) -> bool:
    """Whether the bars lie down at this width: their names would not fit side by side, and are not numbers."""
    if all(name.isdecimal() for name in bars.names) and len(bars.names) < width / 4:
        return False
    return max(map(len, bars.names)) * charts.LETTER + 8 > _room(bars.names, width)


def _room(names: Sequence[str], width: int) -> float:
    """Pixels from one standing bar to the next."""
    return (width - _SIDE) / len(names)


def _heights(rows: list[dict[str, Any]]) -> list[float]:
    """Lower and upper ends of the stacks."""
    ends: list[float] = []
    for name in charts.distinct(row["x"] for row in rows):
        values = [row["y"] for row in rows if row["x"] == name]
        ends += [sum(v for v in values if v > 0), sum(v for v in values if v < 0)]
    return ends


def _values(bars: Bars, width: int) -> list[str]:
    """What is written at the end of each bar: its value, or nothing where there is no room."""
    texts = column([row["y"] for row in bars.rows])
    fitting = lies(bars, width) or max(map(len, texts)) * charts.LETTER <= _room(bars.names, width)
    return texts if fitting and len(bars.parts) == 1 else [""] * len(texts)


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """The two axes of a drawing, whichever way its bars lie."""

    lying: bool
    band: Any  # channel of the names
    extent: Any  # class of the channel of the values
    scale: Any
    axis: Any

    def encode(self, value: str, to: Any = None, **settings: Any) -> dict[str, Any]:
        """Channels that put `value`, or the stretch from it `to` another, along the bars."""
        along, across, end = ("x", "y", "x2") if self.lying else ("y", "x", "y2")
        channel = self.extent(f"{value}:Q", scale=self.scale, axis=self.axis, **settings)
        return {across: self.band, along: channel} | ({} if to is None else {end: to})


def _frame(alt: Any, bars: Bars, labels: list[str], lying: bool, width: int) -> _Frame:
    low, high = bars.range
    high += 0.08 * (high - low) if any(_values(bars, width)) and not bars.log else 0
    ticks = charts.axis((low, high), log=bars.log, narrow=width == charts.NARROW, grid=True)
    split = charts.split_labels(labels, upright=lying)
    quiet = {"title": None, "grid": False, "ticks": False, "labelAngle": 0}
    names = alt.Axis(**quiet, **split, domain=not lying, labelOverlap=not lying)
    scale = alt.Scale(paddingInner=0.3 if lying else 0.45, paddingOuter=0.2)
    return _Frame(
        lying=lying,
        band=(alt.Y if lying else alt.X)("x:N", sort=labels, scale=scale, axis=names),
        extent=alt.X if lying else alt.Y,
        scale=alt.Scale(type="log" if bars.log else "linear", domain=[low, high], nice=False),
        axis=alt.Axis(**ticks, domain=False, ticks=False),
    )


def _bars(
    alt: Any, bars: Bars, rows: list[dict[str, Any]], frame: _Frame, thick: Mapping[str, float], hovers: bool
) -> Any:
    single = len(bars.parts) == 1
    colors = ["var(--bar)"] if single else [key.color for key in keys(bars)]
    fill = alt.Fill("series:N", scale=alt.Scale(domain=bars.parts, range=colors), legend=None)
    # a bar on a logarithmic axis starts at the axis's end, as it cannot start at zero
    start = alt.datum(bars.range[0]) if bars.log else None
    mark = alt.Chart(alt.Data(values=rows)).mark_bar(stroke=charts.PAPER, strokeWidth=0 if single else 1, **thick)
    stack = None if single else "zero"
    said = {"description": "hover:N"} if hovers else {}
    return mark.encode(**frame.encode("y", start, stack=stack), **said, fill=fill, order=alt.Order("rank:Q"))


def _whiskers(alt: Any, rows: list[dict[str, Any]], frame: _Frame) -> list[Any]:
    both = [row for row in rows if charts.usable(row.get("low")) and charts.usable(row.get("high"))]
    rules = alt.Chart(alt.Data(values=both)).mark_rule(strokeWidth=1.5, stroke=charts.INK)
    return [rules.encode(**frame.encode("low", "high:Q"))] if both else []


def _value_texts(alt: Any, rows: list[dict[str, Any]], frame: _Frame, log: bool) -> list[Any]:
    """The values beyond the ends of the bars and of their whiskers; above zero, where a bar hangs down."""
    if not any(row["value"] for row in rows):
        return []
    floor = [] if log else [0.0]
    ended = [{**row, "end": max([row["y"], row.get("high", row["y"]), *floor])} for row in rows]
    style = {"dx": 6, "align": "left"} if frame.lying else {"dy": -8, "align": "center"}
    text = alt.Chart(alt.Data(values=ended)).mark_text(
        fontSize=charts.FONT, fill=charts.INK, baseline="middle", **style
    )
    return [text.encode(**frame.encode("end"), text="value:N")]
