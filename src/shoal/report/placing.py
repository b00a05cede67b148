"""Putting labels next to points without covering lines, other points or each other.

A greedy search: each label in turn takes the cheapest of a few places around its point. Positions are pixels of
the plot, y downwards. `draw_lines` uses it for points that carry a label.

Example:
    >>> place_labels([(10, 50, "a"), (95, 50, "b")], [], width=100, height=100)
    [Placed(dx=9, dy=0, align='left'), Placed(dx=-9, dy=0, align='right')]
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Align = Literal["left", "center", "right"]

LETTER, LINE = 6.1, 14.0  # width of an average letter and height of a line of an 11 px label, in px
_PLACES: tuple[tuple[int, int, Align], ...] = (
    (9, 0, "left"), (-9, 0, "right"), (0, -14, "center"), (0, 15, "center"),
    (8, -12, "left"), (8, 13, "left"), (-8, -12, "right"), (-8, 13, "right"),
    (14, -24, "left"), (14, 25, "left"), (-14, -24, "right"), (-14, 25, "right"),
    (0, -32, "center"), (0, 33, "center"), (24, -40, "left"), (24, 41, "left"), (-24, 41, "right"),
)  # fmt: skip
_OVERLAP, _OUTSIDE, _CROSSED, _FAR = 8.0, 20.0, 40.0, 1.5  # per px², px², obstacle and place down the list


@dataclass(frozen=True)
class Placed:
    """Where a label goes: the offset of its first line's middle from the point, in pixels, and its alignment."""

    dx: int
    dy: int
    align: Align


class _Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: "_Box") -> float:
        wide = min(self.right, other.right) - max(self.left, other.left)
        high = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, wide) * max(0.0, high)

    def holds(self, x: float, y: float) -> bool:
        return self.left <= x <= self.right and self.top <= y <= self.bottom


def place_labels(
    labels: Sequence[tuple[float, float, str]],
    obstacles: Sequence[tuple[float, float]],
    *,
    width: float,
    height: float,
) -> list[Placed]:
    """Choose a place for each label.

    Args:
        labels: x and y of the point in pixels, and the text; lines of the text are parted by newlines.
        obstacles: further pixels to keep free: samples of lines, other points.
        width: of the plot, in pixels; labels avoid leaving it.
        height: of the plot, in pixels.

    Returns:
        One place per label, in the same order.
    """
    inside = _Box(-4, -6, width + 4, height + 2)
    avoid = [*obstacles, *((x, y) for x, y, _ in labels)]
    taken: list[_Box] = []
    chosen: list[Placed] = []
    for x, y, text in labels:
        lines = text.split("\n")
        boxes = [_box(x, y, lines, place) for place in _PLACES]
        costs = [_cost(box, taken, avoid, inside) + _FAR * rank for rank, box in enumerate(boxes)]
        best = min(range(len(costs)), key=costs.__getitem__)
        taken.append(boxes[best])
        dx, _, align = _PLACES[best]
        chosen.append(Placed(dx, round(boxes[best].top + LINE / 2 - y), align))
    return chosen


def _box(x: float, y: float, lines: list[str], place: tuple[int, int, Align]) -> _Box:
    dx, dy, align = place
    wide, high = LETTER * max(map(len, lines)), LINE * len(lines)
    left = x + dx - {"left": 0.0, "center": 0.5, "right": 1.0}[align] * wide
    # a block of several lines grows away from the point, so that dy means the same for its nearest line
    middle = y + dy + (0 if dy == 0 else (1 if dy > 0 else -1) * (high - LINE) / 2)
    return _Box(left, middle - high / 2, left + wide, middle + high / 2)


def _cost(box: _Box, taken: list[_Box], avoid: list[tuple[float, float]], inside: _Box) -> float:
    area = (box.right - box.left) * (box.bottom - box.top)
    return (
        _OVERLAP * sum(map(box.overlap, taken))
        + _OUTSIDE * (area - box.overlap(inside))
        + _CROSSED * sum(box.holds(x, y) for x, y in avoid)
    )
