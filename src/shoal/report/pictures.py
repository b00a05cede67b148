"""Pictures as data become drawings: lines, bars, heatmaps, galleries and passages.

`draw` turns a `Picture` into a `Drawing`: the same chart as SVG at two widths (a phone's text stays readable), its
legend as data, and a description in words. Drawing needs altair and vl-convert, which are imported with the first
chart; galleries and passages need neither.

Example:
    >>> from shoal.studies.result import Picture
    >>> rows = tuple({"x": x, "y": x * x, "series": "square"} for x in range(4))
    >>> drawing = draw(Picture(id="squares", title="Squares", kind="lines", rows=rows, x="x", y="x²"))
    >>> drawing.wide.svg[:25], drawing.description
    ('<svg width="680" height="', 'Line chart of x² against x. square: from 0 at 0 to 9 at 3.')
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from shoal.errors import unknown_name
from shoal.report import bars, charts, heatmap, lines
from shoal.report.charts import Key, Plate
from shoal.report.gallery import Group, gallery_groups
from shoal.report.numbers import number
from shoal.report.passages import Passage, passages_of
from shoal.studies.result import Picture


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A picture, ready for the page.

    Args:
        wide: the chart for a desktop and for print; None for a gallery, or where nothing can be drawn.
        narrow: the chart for a phone.
        legend: names and looks of the series; empty for a single one.
        ends: lowest and highest value of a heatmap, as text.
        groups: images of a gallery.
        passages: texts, with what is said of them.
        description: the picture in words, for those who cannot see it.
        left_out: rows that could not be drawn: no number, or not positive on a logarithmic axis.
    """

    wide: Plate | None = None
    narrow: Plate | None = None
    legend: tuple[Key, ...] = ()
    ends: tuple[str, str] | None = None
    groups: tuple[Group, ...] = ()
    passages: tuple[Passage, ...] = ()
    description: str = ""
    left_out: int = 0

    @property
    def choices(self) -> list[tuple[str, list[Group]]]:
        """Groups of a gallery by what the reader can choose, in order; the name is empty where there is no choice."""
        found: dict[str, list[Group]] = {}
        for group in self.groups:
            found.setdefault(group.choice, []).append(group)
        return list(found.items())


def draw(picture: Picture, prefix: str = "picture") -> Drawing:
    """Draw a picture.

    Args:
        picture: the picture as data; rows that cannot be drawn are left out and counted.
        prefix: for the ids within the SVG, unique within the page.

    Returns:
        The drawing; the same one for the same picture.

    Raises:
        InputError: if a gallery holds something that is not a PNG, a passage has no text, or the picture's kind is
            unknown.
    """
    drawers = {"lines": _lines, "bars": _bars, "heatmap": _heatmap, "gallery": _gallery, "passages": _passages}
    if picture.kind not in drawers:
        raise unknown_name("kind of picture", picture.kind, drawers)
    return drawers[picture.kind](picture, prefix)


def _lines(picture: Picture, prefix: str) -> Drawing:
    plotted = lines.plot(picture.rows, log_x=picture.log_x, log_y=picture.log_y, percent="(%)" in picture.y)
    if plotted is None:
        return _empty(picture)
    wide, narrow = _plates(picture, partial(lines.draw_lines, plotted), prefix)
    return Drawing(
        wide=wide,
        narrow=narrow,
        legend=lines.keys(plotted),
        description=_describe("Line chart", picture, plotted.names, plotted.rows),
        left_out=len(picture.rows) - plotted.usable,
    )


def _bars(picture: Picture, prefix: str) -> Drawing:
    stacked = bars.stack(picture.rows, log=picture.log_y)
    if stacked is None:
        return _empty(picture)
    wide, narrow = _plates(picture, partial(bars.draw_bars, stacked), prefix, partial(bars.lies, stacked))
    head = f"Bar chart of {_of(picture)}."
    values = (f"{_named(row)} {number(row['y'])}" for row in stacked.rows[:100])
    return Drawing(
        wide=wide,
        narrow=narrow,
        legend=bars.keys(stacked),
        description=f"{head} {'; '.join(values)}.",
        left_out=len(picture.rows) - len(stacked.rows),
    )


def _heatmap(picture: Picture, prefix: str) -> Drawing:
    cells = heatmap.grid(picture.rows)
    if cells is None:
        return _empty(picture)
    wide, narrow = _plates(picture, partial(heatmap.draw_heatmap, cells), prefix)
    ends = number(cells.low), number(cells.high)
    highest = max(cells.rows, key=lambda row: row["value"])
    return Drawing(
        wide=wide,
        narrow=narrow,
        ends=ends,
        description=f"Heatmap of {_of(picture)}, {len(cells.across)} by {len(cells.down)} cells, values from {ends[0]} "
        f"to {ends[1]}; the highest is at {highest['x']}, {highest['y']}.",
        left_out=len(picture.rows) - len(cells.rows),
    )


def _gallery(picture: Picture, _: str) -> Drawing:
    return Drawing(groups=gallery_groups(picture), description=f"{len(picture.rows)} images.")


def _passages(picture: Picture, _: str) -> Drawing:
    return Drawing(passages=passages_of(picture), description=f"{len(picture.rows)} texts.")


def _empty(picture: Picture) -> Drawing:
    return Drawing(description="Nothing to draw: no row holds a number.", left_out=len(picture.rows))


def _plates(
    picture: Picture, drawer: Callable[..., str], prefix: str, turned: Callable[[int], bool] = lambda _: False
) -> tuple[Plate, Plate]:
    """Draw at both widths; where the axes are `turned`, so are their titles."""
    titles = {False: (picture.y, picture.x), True: (picture.x, picture.y)}
    with charts.trusted():
        wide = Plate(drawer(width=charts.WIDE, prefix=f"{prefix}-w"), *titles[turned(charts.WIDE)])
        narrow = Plate(drawer(width=charts.NARROW, prefix=f"{prefix}-n"), *titles[turned(charts.NARROW)])
    return wide, narrow


def _of(picture: Picture) -> str:
    return " against ".join(filter(None, (picture.y, picture.x))) or picture.title


def _named(row: dict[str, Any]) -> str:
    return f"{row['x']}, {row['series']}:" if row["series"] else f"{row['x']}:"


def _describe(what: str, picture: Picture, names: Sequence[str], rows: Sequence[dict[str, Any]]) -> str:
    """Where each series starts and ends: the shape of a line in a sentence."""
    parts = [f"{what} of {_of(picture)}."]
    for name in names:
        own = [row for row in rows if row["series"] == name]
        first, last = own[0], own[-1]
        start = f"{number(first['y'])} at {number(first['x'])}"
        end = f"from {start} to {number(last['y'])} at {number(last['x'])}" if len(own) > 1 else start
        parts.append(f"{name}: {end}." if name else f"{end[0].upper()}{end[1:]}.")
    return " ".join(parts)
