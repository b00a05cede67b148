"""Small pictures for the front page: the shape of a result's picture, without axes, numbers or names.

Drawn here rather than by Vega: a few polylines or rectangles, in the colours of the large picture. Who wants the
numbers follows the link.

Example:
    >>> rows = tuple({"x": x, "y": x * x} for x in range(3))
    >>> small = small_picture(Picture(id="squares", title="Squares", kind="lines", rows=rows))
    >>> small.svg.count("<path")  # the ground, and the line
    2
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log10

from shoal.report import charts, lines
from shoal.report.bars import Bars, stack
from shoal.report.gallery import Thumbnail, gallery_groups
from shoal.report.heatmap import Grid, grid
from shoal.report.lines import Plot
from shoal.studies.result import Picture

WIDTH, HEIGHT = 168, 76  # px
_AIR = 4.0  # px that lines and points keep from the border
_MOST_SERIES, _MOST_BARS, _IMAGES = 6, 40, 3


@dataclass(frozen=True, kw_only=True)
class Small:
    """A small picture.

    Args:
        svg: one `<svg>` element; empty for a gallery.
        images: a few of a gallery.
    """

    svg: str = ""
    images: tuple[Thumbnail, ...] = ()


def small_picture(picture: Picture) -> Small | None:
    """Draw a picture small.

    Args:
        picture: of any kind.

    Returns:
        None where nothing can be seen at this size: of texts, and where no row holds a number.
    """
    if picture.kind == "gallery":
        return _images(picture)
    if picture.kind == "lines":
        plotted = lines.plot(picture.rows, log_x=picture.log_x, log_y=picture.log_y)
        return _drawing(_lines(plotted)) if plotted else None
    if picture.kind == "bars":
        stacked = stack(picture.rows, log=picture.log_y)
        return _drawing(_bars(stacked)) if stacked else None
    if picture.kind == "heatmap":
        cells = grid(picture.rows)
        return _drawing(_cells(cells)) if cells else None
    return None


def _drawing(marks: Sequence[str]) -> Small:
    head = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" aria-hidden="true">'
    return Small(svg=head + "".join(marks) + "</svg>")


def _images(picture: Picture) -> Small | None:
    """The first image of each group, then the second: as different ones as there are."""
    groups = gallery_groups(picture)
    turns = (group.images[i] for i in range(max((len(g.images) for g in groups), default=0)) for group in groups
             if i < len(group.images))  # fmt: skip
    images = tuple(image for _, image in zip(range(_IMAGES), turns, strict=False))
    return Small(images=images) if images else None


def _lines(plotted: Plot) -> list[str]:
    marks = [f'<path d="M0 {HEIGHT - 0.5}h{WIDTH}" stroke="{charts.RULE}"/>']
    across = _placing(plotted.x, plotted.log_x, _AIR, WIDTH - _AIR)
    up = _placing(plotted.y, plotted.log_y, HEIGHT - _AIR, _AIR)
    for i, name in enumerate(plotted.names[:_MOST_SERIES]):
        own = [row for row in plotted.rows if row["series"] == name]
        at = [(across(_place(row["x"], plotted)), up(row["y"]), row["mark"]) for row in own]
        line = [f"{_short(x)} {_short(y)}" for x, y, mark in sorted(at) if mark == "line"]
        color = charts.series_color(i)
        if line:
            dash = charts.DASHES[i % 4]
            drawn = "" if dash == [1, 0] else f' stroke-dasharray="{" ".join(map(str, dash))}"'
            marks.append(f'<path d="M{"L".join(line)}" fill="none" stroke="{color}" stroke-width="2"{drawn}/>')
        marks += [
            f'<circle cx="{_short(x)}" cy="{_short(y)}" r="3" fill="{color}"/>' for x, y, mark in at if mark == "point"
        ]
    return marks


def _bars(stacked: Bars) -> list[str]:
    names = stacked.names[:_MOST_BARS]
    low, high = stacked.range
    up = _placing((low, high), stacked.log, HEIGHT - 1.0, 1.0)
    floor = low if stacked.log else max(0.0, low)
    step = WIDTH / len(names)
    wide = min(0.7 * step, 26.0)
    marks = []
    for i, name in enumerate(names):
        base = {1: floor, -1: floor}  # where the next part of a stack begins, upwards and downwards
        for row in (row for row in stacked.rows if row["x"] == name):
            way = 1 if row["y"] >= 0 or stacked.log else -1
            end = row["y"] if stacked.log else base[way] + row["y"]
            top, bottom = sorted((up(base[way]), up(end)))
            base[way] = end
            color = "var(--bar)" if len(stacked.parts) == 1 else charts.ramp_color(row["rank"], len(stacked.parts))
            left = i * step + (step - wide) / 2
            marks.append(
                f'<path d="M{_short(left)} {_short(top)}h{_short(wide)}v{_short(bottom - top)}h-{_short(wide)}z" '
                f'fill="{color}"/>'
            )
    return marks


def _cells(cells: Grid) -> list[str]:
    """One path for all cells of a colour."""
    size = min(WIDTH / len(cells.across), HEIGHT / len(cells.down), 24.0)
    column = {name: i for i, name in enumerate(cells.across)}
    line = {name: i for i, name in enumerate(cells.down)}
    inner = size * 0.94 if size > 5 else size
    paths: dict[str, list[str]] = {}
    for row in cells.rows:
        corner = f"M{_short(column[row['x']] * size)} {_short(line[row['y']] * size)}"
        paths.setdefault(row["fill"], []).append(f"{corner}h{_short(inner)}v{_short(inner)}h-{_short(inner)}z")
    return [f'<path d="{"".join(parts)}" fill="{fill}"/>' for fill, parts in paths.items()]


def _placing(ends: tuple[float, float], log: bool, start: float, stop: float) -> Callable[[float], float]:
    """A scale: from values between `ends` to pixels between `start` and `stop`."""
    low, high = map(log10, ends) if log else ends

    def place(value: float) -> float:
        share = ((log10(value) if log else value) - low) / (high - low)
        return start + (stop - start) * share

    return place


def _place(x: float | str, plotted: Plot) -> float:
    return float(plotted.named_x.index(str(x))) if plotted.named_x else float(x)


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
