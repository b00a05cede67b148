"""Drawing a heatmap: a grid of cells from shallow to deep, with their values printed where they fit.

Rows are {"x", "y", "value"}. Nine steps of colour are enough to see a pattern; the numbers say the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shoal.report import charts
from shoal.report.numbers import column

_CELL = {charts.WIDE: 30, charts.NARROW: 26}  # px, height of a cell
_LETTERS = {charts.WIDE: 22, charts.NARROW: 12}  # of a row's name before it is wrapped
_VALUE_FONT = 10


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Cells that can be drawn, with the names of columns and rows in order, and the range of the values."""

    rows: list[dict[str, Any]]
    across: list[str]
    down: list[str]
    low: float
    high: float


def grid(rows: Sequence[dict[str, Any]]) -> Grid | None:
    """Sort out what can be drawn; None where nothing can."""
    kept = [
        {"x": str(row.get("x")), "y": str(row.get("y")), "value": row["value"]}
        for row in rows
        if charts.usable(row.get("value"))
    ]
    if not kept:
        return None
    values = [row["value"] for row in kept]
    low, high = min(values), max(values)
    texts = column(values, digits=3)
    for row, text in zip(kept, texts, strict=True):
        step = charts.ramp_step((row["value"] - low) / (high - low) if high > low else 0.5)
        row |= {"text": text, "fill": f"var(--ramp-{step})", "ink": f"var(--on-ramp-{step})"}
    return Grid(
        rows=kept,
        across=charts.distinct(row["x"] for row in kept),
        down=charts.distinct(row["y"] for row in kept),
        low=low,
        high=high,
    )


def draw_heatmap(cells: Grid, *, width: int, prefix: str) -> str:
    """Draw at one width.

    Args:
        cells: what `grid` made of the rows.
        width: of the whole drawing, in pixels.
        prefix: for ids, unique within the page.

    Returns:
        One `<svg>` element.
    """
    import altair as alt

    letters = _LETTERS[width]
    labels = {name: charts.wrapped(name, letters) for name in cells.down}
    side = max(min(len(line), letters) for label in labels.values() for line in label.split("\n")) * charts.LETTER + 10
    step = (width - side) / len(cells.across)
    upright = max(map(len, cells.across)) * charts.LETTER + 6 <= step
    split = {"labelExpr": "split(datum.value, '\\n')", "labelLimit": 260, "labelLineHeight": 12}
    quiet = {"title": None, "grid": False, "ticks": False, "domain": False}
    x_axis = alt.Axis(**quiet, labelAngle=0 if upright else -45, labelLimit=150, labelOverlap=len(cells.across) > 24)
    scale = alt.Scale(paddingInner=0.04, paddingOuter=0.02)
    place = {
        "x": alt.X("x:N", sort=cells.across, scale=scale, axis=x_axis),
        "y": alt.Y("y:N", sort=list(labels.values()), scale=scale, axis=alt.Axis(**quiet, **split)),
    }
    base = alt.Chart(alt.Data(values=[{**row, "y": labels[row["y"]]} for row in cells.rows]))
    layers = [base.mark_rect().encode(**place, fill=alt.Fill("fill:N", scale=None))]
    if max(len(row["text"]) for row in cells.rows) * 0.56 * _VALUE_FONT + 2 <= step:
        text = base.mark_text(fontSize=_VALUE_FONT, baseline="middle")
        layers.append(text.encode(**place, text="text:N", fill=alt.Fill("ink:N", scale=None)))
    lines = max(label.count("\n") for label in labels.values()) + 1
    height = len(cells.down) * max(_CELL[width], 12 * lines + 4)
    size = alt.AutoSizeParams(type="fit-x", contains="padding")
    return charts.to_svg(alt.layer(*layers).properties(width=width, height=height, autosize=size), prefix=prefix)
