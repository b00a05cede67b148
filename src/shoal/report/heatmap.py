"""Drawing a heatmap: a grid of cells from shallow to deep, with their values printed where they fit.

Rows are {"x", "y", "value"}. Nine steps of colour are enough to see a pattern; the numbers say the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shoal.report import charts
from shoal.report.numbers import aligned, number
from shoal.report.svg import HOVER

_CELL = {charts.WIDE: 30, charts.NARROW: 26}  # px, height of a cell
_LETTERS = {charts.WIDE: 22, charts.NARROW: 12}  # of a row's name before it is wrapped
_MANY = 20  # rows or columns: more of them make a texture rather than a table
_MOST_HOVERS = 400  # cells
_VALUE_FONT = 9.5
_DIGIT = 0.556 * _VALUE_FONT  # px, width of a digit


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
    for row in kept:
        step = charts.ramp_step((row["value"] - low) / (high - low) if high > low else 0.5)
        row |= {"fill": f"var(--ramp-{step})", "ink": f"var(--on-ramp-{step})"}
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
    labels = charts.short_labels(cells.down, letters)
    side = max(len(line) for label in labels.values() for line in label.split("\n")) * charts.LETTER + 10
    step = (width - side) / len(cells.across)
    level = max(map(len, cells.across)) * charts.LETTER + 2 <= step or len(cells.across) > _MANY
    split = charts.split_labels(list(labels.values()), upright=True)
    quiet = {"title": None, "grid": False, "ticks": False, "domain": False}
    x_axis = alt.Axis(**quiet, labelAngle=0 if level else -45, labelLimit=150, labelOverlap=len(cells.across) > _MANY)
    scale = alt.Scale(paddingInner=0.04 if max(len(cells.across), len(cells.down)) <= _MANY else 0)
    place = {
        "x": alt.X("x:N", sort=cells.across, scale=scale, axis=x_axis),
        "y": alt.Y(
            "y:N",
            sort=list(labels.values()),
            scale=scale,
            axis=alt.Axis(**quiet, **split, labelOverlap=len(cells.down) > _MANY),
        ),
    }
    texts = _fitting(cells, step)
    rows = [
        {**row, "y": labels[row["y"]], "text": text, "hover": f"{HOVER}{row['y']}, {row['x']}: {number(row['value'])}"}
        for row, text in zip(cells.rows, texts, strict=True)
    ]
    base = alt.Chart(alt.Data(values=rows))
    # a phone has no pointer, and who looks at a texture looks for its pattern
    said = {"description": "hover:N"} if width == charts.WIDE and len(rows) <= _MOST_HOVERS else {}
    layers = [base.mark_rect().encode(**place, **said, fill=alt.Fill("fill:N", scale=None))]
    if any(texts):
        text = base.mark_text(fontSize=_VALUE_FONT, baseline="middle")
        layers.append(text.encode(**place, text="text:N", fill=alt.Fill("ink:N", scale=None)))
    height = len(cells.down) * _row_height(cells, list(labels.values()), step, width)
    size = alt.AutoSizeParams(type="fit-x", contains="padding")
    return charts.to_svg(alt.layer(*layers).properties(width=width, height=height, autosize=size), prefix=prefix)


def _row_height(cells: Grid, labels: list[str], step: float, width: int) -> float:
    """Pixels: room for a value or a name; of many rows, as high as the columns are wide."""
    if len(cells.down) > _MANY:
        return min(step, _CELL[width])
    return max(_CELL[width], 12 * max(label.count("\n") + 1 for label in labels) + 4)


def _fitting(cells: Grid, step: float) -> list[str]:
    """The values with as many digits, up to three, as fit into `step` pixels; nothing where they would say too little.

    That is where not even one digit fits, and where texts tell fewer values apart than the colours do.
    """
    colours = len({row["fill"] for row in cells.rows})
    for digits in (3, 2, 1) if len(cells.down) <= _MANY else ():
        texts = aligned([row["value"] for row in cells.rows], digits)
        if max(map(len, texts)) * _DIGIT + 1 <= step and len(set(texts)) >= colours:
            return texts
    return [""] * len(cells.rows)
