"""The frontier as numbers for a drawing: accuracy against mean MACs, and where the threshold stands on it.

The drawing is 360 × 230 units, as wide as a phone; the template `difficulty/frontier.html` has its lines.
"""

from dataclasses import dataclass

from shoal.web.rooms.exits_leaving import Leaving, Point

LEFT, RIGHT, TOP, BOTTOM = 44.0, 350.0, 12.0, 190.0  # of the area of the curve
_STEPS = (1, 2, 5, 10, 20, 25, 50)  # between ticks, in points


@dataclass(frozen=True, kw_only=True)
class Frontier:
    """A drawing.

    Attributes:
        curve: points of a polyline, as SVG has them.
        now, chosen, full: places of the threshold, of the study's own thresholds, and of never leaving.
        across, down: (place, text) of the ticks below and at the left.
        words: the same for those who cannot see it.
    """

    curve: str
    now: tuple[float, float]
    chosen: tuple[float, float]
    full: tuple[float, float]
    across: tuple[tuple[float, str], ...]
    down: tuple[tuple[float, str], ...]
    words: str


def frontier_of(leaving: Leaving, now: Point) -> Frontier:
    """The drawing for one threshold.

    Args:
        leaving: a network with exits, measured.
        now: the point of the threshold.
    """
    points = [*leaving.path, leaving.chosen, leaving.full]
    low, high = min(p.accuracy for p in points), max(p.accuracy for p in points)
    step = next((s for s in _STEPS if 100 * (high - low) <= 5 * s), _STEPS[-1])
    first, last = int(100 * low // step) * step, -int(-100 * high // step) * step
    last = max(last, first + step)
    full = leaving.full.macs

    def at(point: Point) -> tuple[float, float]:
        x = LEFT + (RIGHT - LEFT) * point.macs / full
        y = BOTTOM - (BOTTOM - TOP) * (100 * point.accuracy - first) / (last - first)
        return round(min(x, RIGHT), 1), round(y, 1)

    return Frontier(
        curve=" ".join(f"{x},{y}" for x, y in sorted(set(map(at, points[:-2])))),
        now=at(now),
        chosen=at(leaving.chosen),
        full=at(leaving.full),
        across=tuple((round(LEFT + (RIGHT - LEFT) * share / 100, 1), f"{share} %") for share in (0, 25, 50, 75, 100)),
        down=tuple(
            (round(BOTTOM - (BOTTOM - TOP) * (value - first) / (last - first), 1), f"{value} %")
            for value in range(first, last + 1, step)
        ),
        words=f"Accuracy against mean MACs over all thresholds, from {100 * low:.0f} to {100 * high:.0f} %. This one: "
        f"{100 * now.accuracy:.1f} % at {100 * now.macs / full:.0f} % of the MACs.",
    )
