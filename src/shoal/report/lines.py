"""Drawing lines, bands and points: loss curves, frontiers, sweeps.

Rows are {"x", "y", "series"} with optional "low" and "high" (a band around a line, a whisker at a point), "label"
(text beside the point) and "mark" ("line" or "point"). A line of one row is drawn as a point.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

from shoal.report import charts
from shoal.report.charts import Key
from shoal.report.placing import LINE, place_labels

_MOST = 500  # rows a series: more than one per pixel cannot be seen
_MOST_HOVERS = 40  # of a series
_HEIGHT = {charts.WIDE: 320, charts.NARROW: 250}
_SIDE = 44  # px that the y axis's numbers take, roughly: labels need not be placed to the pixel
_SAMPLE = 7.0  # px between the samples of a line that labels keep clear of


@dataclass(frozen=True, kw_only=True)
class Plot:
    """Rows that can be drawn, with the ranges and names that follow from them; `usable` counts the rows kept."""

    rows: list[dict[str, Any]]
    usable: int
    names: list[str]
    log_x: bool
    log_y: bool
    named_x: list[str]  # the places of an x axis of names; empty where x is a number
    x: tuple[float, float]
    y: tuple[float, float]


def plot(rows: Sequence[dict[str, Any]], *, log_x: bool, log_y: bool, percent: bool = False) -> Plot | None:
    """Sort out what can be drawn; None where nothing can. A y axis of percent has no air beyond 100."""
    named = any(isinstance(row.get("x"), str) for row in rows)
    kept: list[dict[str, Any]] = [
        charts.known(row, "x", "y", "low", "high", "label", "mark") | {"series": str(row.get("series") or "")}
        for row in rows
        if charts.usable(row.get("y"), log_y) and (named or charts.usable(row.get("x"), log_x))
    ]
    if not kept:
        return None
    names = charts.distinct(row["series"] for row in kept)
    named_x = charts.distinct(str(row["x"]) for row in kept) if named else []
    heights = [row[key] for row in kept for key in ("y", "low", "high") if charts.usable(row.get(key), log_y)]
    across: list[Any] = list(range(len(named_x))) or [row["x"] for row in kept]
    return Plot(
        rows=_marked(kept, names),
        usable=len(kept),
        names=names,
        log_x=log_x and not named,
        log_y=log_y,
        named_x=named_x,
        x=charts.domain(across, log=log_x and not named),
        y=charts.domain(heights, log=log_y, most=100.0 if percent else None),
    )


def keys(plotted: Plot) -> tuple[Key, ...]:
    """The legend: none for a single series."""
    if len(plotted.names) < 2:
        return ()
    points = {row["series"] for row in plotted.rows if row["mark"] == "point"}
    return tuple(
        Key(
            name,
            charts.series_color(i),
            charts.SHAPES[i % 4] if name in points else "line",
            tuple(charts.DASHES[i % 4]),
        )
        for i, name in enumerate(plotted.names)
    )


def draw_lines(plotted: Plot, *, width: int, prefix: str) -> str:
    """Draw at one width.

    Args:
        plotted: what `plot` made of the rows.
        width: of the whole drawing, in pixels.
        prefix: for ids, unique within the page.

    Returns:
        One `<svg>` element.
    """
    import altair as alt

    narrow = width == charts.NARROW
    x, y = _scales(alt, plotted, narrow)
    drawn = (*_shapes(alt, plotted, x, y), *_texts(alt, plotted, x, y, width), _hovers(alt, plotted, x, y, narrow))
    layers = [layer for layer in drawn if layer]
    chart = alt.layer(*layers).properties(
        width=width, height=_HEIGHT[width], autosize=alt.AutoSizeParams(type="fit-x", contains="padding")
    )
    return charts.to_svg(chart, prefix=prefix)


def _marked(rows: list[dict[str, Any]], names: list[str]) -> list[dict[str, Any]]:
    """Say of each row how it is drawn, and thin out what is finer than pixels."""
    result: list[dict[str, Any]] = []
    for name in names:
        own = [row for row in rows if row["series"] == name]
        own = own if len(own) <= _MOST else _thinned(own)
        mark = "point" if len(own) == 1 else "line"
        result += [{**row, "mark": "point" if row.get("mark") == "point" else mark} for row in own]
    return result


def _thinned(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep the lowest and the highest row of each stretch, and every labelled one: the line looks the same."""
    stretch = -(-2 * len(rows) // _MOST)
    kept = {0, len(rows) - 1} | {i for i, row in enumerate(rows) if row.get("label")}
    for start in range(0, len(rows), stretch):
        part = range(start, min(start + stretch, len(rows)))
        kept |= {min(part, key=lambda i: rows[i]["y"]), max(part, key=lambda i: rows[i]["y"])}
    return [rows[i] for i in sorted(kept)]


def _scales(alt: Any, plotted: Plot, narrow: bool) -> tuple[Any, Any]:
    kind = {True: "log", False: "linear"}
    y = alt.Y(
        "y:Q",
        scale=alt.Scale(type=kind[plotted.log_y], domain=list(plotted.y), nice=False, zero=False),
        axis=alt.Axis(**charts.axis(plotted.y, log=plotted.log_y, narrow=narrow, grid=True)),
    )
    if plotted.named_x:
        room = (charts.NARROW if narrow else charts.WIDE) - _SIDE
        fits = max(map(len, plotted.named_x)) * charts.LETTER * len(plotted.named_x) < room
        labels = alt.Axis(title=None, grid=False, labelAngle=0 if fits else -40, labelOverlap=True)
        return alt.X("x:O", sort=plotted.named_x, scale=alt.Scale(type="point", padding=0.4), axis=labels), y
    ticks = charts.axis(plotted.x, log=plotted.log_x, narrow=narrow, grid=False, ticks=7)
    scale = alt.Scale(type=kind[plotted.log_x], domain=list(plotted.x), nice=False, zero=False)
    return alt.X("x:Q", scale=scale, axis=alt.Axis(**ticks)), y


def _shapes(alt: Any, plotted: Plot, x: Any, y: Any) -> list[Any]:
    """Bands and whiskers first, then lines, then points: what is exact lies on top."""
    indices = range(len(plotted.names))
    color = alt.Scale(domain=plotted.names, range=[charts.series_color(i) for i in indices])
    dash = alt.Scale(domain=plotted.names, range=[charts.DASHES[i % 4] for i in indices])
    shape = alt.Scale(domain=plotted.names, range=[charts.SHAPES[i % 4] for i in indices])
    stroke = alt.Stroke("series:N", scale=color, legend=None)
    fill = alt.Fill("series:N", scale=color, legend=None)
    lines = [row for row in plotted.rows if row["mark"] == "line"]
    points = [row for row in plotted.rows if row["mark"] == "point"]
    marked = points + [row for row in lines if row.get("label")]
    ends = {"y": alt.Y("low:Q", scale=y["scale"], axis=y["axis"]), "y2": "high:Q", "x": x}
    return [
        _layer(alt, _with_interval(lines, plotted), lambda c: c.mark_area(opacity=0.16).encode(**ends, fill=fill)),
        _layer(
            alt, _with_interval(points, plotted), lambda c: c.mark_rule(strokeWidth=1.5).encode(**ends, stroke=stroke)
        ),
        _layer(
            alt,
            lines,
            lambda c: c.mark_line(strokeWidth=2, strokeJoin="round", strokeCap="round").encode(
                x=x, y=y, stroke=stroke, strokeDash=alt.StrokeDash("series:N", scale=dash, legend=None)
            ),
        ),
        _layer(
            alt,
            marked,
            lambda c: c.mark_point(size=120, opacity=1, stroke=charts.PAPER, strokeWidth=1.5).encode(
                x=x, y=y, fill=fill, shape=alt.Shape("series:N", scale=shape, legend=None)
            ),
        ),
    ]


def _hovers(alt: Any, plotted: Plot, x: Any, y: Any, narrow: bool) -> Any:
    """A place for the pointer on the points, or on as many of a line as one can hit; a phone has no pointer."""
    if narrow:
        return None
    rows: list[dict[str, Any]] = []
    for name in plotted.names:
        own = [row for row in plotted.rows if row["series"] == name]
        rows += own[:: -(-len(own) // _MOST_HOVERS)]
    dots = {"size": 150, "filled": True, "fill": "transparent", "opacity": 1, "strokeWidth": 0}
    shown = [charts.hovered(row) for row in rows]
    return _layer(alt, shown, lambda c: c.mark_point(**dots).encode(x=x, y=y, description="hover:N"))


def _texts(alt: Any, plotted: Plot, x: Any, y: Any, width: int) -> list[Any]:
    """Labels of points, each with a halo of paper that lifts it off the lines."""
    rows = _placed_labels(plotted, width)
    at = {name: {"expr": f"datum.{name}"} for name in ("dx", "dy", "align")}
    style = {**at, "fontSize": charts.FONT, "baseline": "middle", "lineBreak": "\n", "lineHeight": LINE}
    halo = {"stroke": charts.PAPER, "strokeWidth": 4, "strokeJoin": "round", "fill": charts.PAPER}
    return [
        _layer(alt, rows, lambda c, paint=paint: c.mark_text(**style, **paint).encode(x=x, y=y, text="label:N"))
        for paint in (halo, {"fill": charts.INK})
    ]


def _layer(alt: Any, rows: list[dict[str, Any]], mark: Any) -> Any:
    return mark(alt.Chart(alt.Data(values=rows))) if rows else None


def _with_interval(rows: list[dict[str, Any]], plotted: Plot) -> list[dict[str, Any]]:
    """Rows with both ends; an end that a logarithmic axis cannot show is put on its border."""
    both = [row for row in rows if charts.usable(row.get("low")) and charts.usable(row.get("high"))]
    return [{**row, "low": max(row["low"], plotted.y[0]), "high": max(row["high"], plotted.y[0])} for row in both]


def _placed_labels(plotted: Plot, width: int) -> list[dict[str, Any]]:
    labelled = [row for row in plotted.rows if row.get("label")]
    across, down = width - _SIDE, float(_HEIGHT[width])
    letters = 20 if width == charts.NARROW else 36

    def pixel(row: dict[str, Any]) -> tuple[float, float]:
        x = plotted.named_x.index(str(row["x"])) if plotted.named_x else row["x"]
        return (
            across * _share(float(x), plotted.x, plotted.log_x),
            down * (1 - _share(float(row["y"]), plotted.y, plotted.log_y)),
        )

    texts = [charts.wrapped(row["label"], letters) for row in labelled]
    places = place_labels(
        [(*pixel(row), text) for row, text in zip(labelled, texts, strict=True)],
        _samples(plotted, pixel),
        width=across,
        height=down,
    )
    return [
        {"x": row["x"], "y": row["y"], "label": text, "dx": place.dx, "dy": place.dy, "align": place.align}
        for row, text, place in zip(labelled, texts, places, strict=True)
    ]


def _share(value: float, ends: tuple[float, float], log: bool) -> float:
    """How far along an axis a value lies."""
    low, high, value = (log10(ends[0]), log10(ends[1]), log10(value)) if log else (*ends, value)
    return (value - low) / (high - low)


def _samples(plotted: Plot, pixel: Any) -> list[tuple[float, float]]:
    """Pixels along all lines, and those of all points."""
    samples: list[tuple[float, float]] = []
    for name in plotted.names:
        own = [row for row in plotted.rows if row["series"] == name]
        dots = [pixel(row) for row in own if row["mark"] == "point"]
        line = sorted(pixel(row) for row in own if row["mark"] == "line")
        samples += dots
        for (x0, y0), (x1, y1) in itertools.pairwise(line):
            steps = max(1, int(max(abs(x1 - x0), abs(y1 - y0)) / _SAMPLE))
            samples += [(x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps) for i in range(steps + 1)]
    return samples
