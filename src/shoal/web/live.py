"""Drawings that follow a slider: made in a millisecond where the report's charts take tenths of a second.

They use the report's colours (nine steps from shallow to deep), so that both look alike.
"""

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

from shoal.report.charts import STEPS, ramp_step


def cells_svg(values: Sequence[Sequence[float]], top: float, label: str) -> Markup:
    """A matrix as a square of cells, one path for each step of colour.

    Args:
        values: rows of the matrix; what is not above 0 gets the palest colour.
        top: value of the deepest colour; larger ones get it too. The root of the share lifts small values.
        label: what it shows, for those who cannot see it.

    Example:
        >>> cells_svg([[0.0, 1.0]], 1.0, "two cells").count("<path")
        2
    """
    height, width = len(values), max(map(len, values), default=0)
    runs: dict[int, list[str]] = {}
    for y, row in enumerate(values):
        for x, length, step in _runs([_step(value, top) for value in row]):
            runs.setdefault(step, []).append(f"M{x} {y}h{length}v1h-{length}z")
    paths = "".join(f'<path fill="var(--ramp-{step})" d="{"".join(runs[step])}"/>' for step in sorted(runs))
    head = f'<svg class="cells" viewBox="0 0 {width} {height}" shape-rendering="crispEdges" role="img"'
    return Markup(f'{head} aria-label="{escape(label)}">{paths}</svg>')


def place(value: float, low: float, high: float) -> float:
    """Where a value stands on a logarithmic axis, in per cent of its length; the ends where it is beyond.

    Example:
        >>> place(1.0, 0.01, 100.0), place(0.0, 0.01, 100.0), place(1e9, 0.01, 100.0)
        (50.0, 0.0, 100.0)
    """
    if not value > low:
        return 0.0
    return round(100 * min(1.0, math.log(value / low) / math.log(high / low)), 2)


def _step(value: float, top: float) -> int:
    """Step of colour of a value."""
    share = value / top if top > 0 else 0.0
    return ramp_step(math.sqrt(min(1.0, share))) if share > 0 else 1


def _runs(steps: Sequence[int]) -> list[tuple[int, int, int]]:
    """Neighbours of one colour as one: where they begin, how many they are, their step."""
    assert all(1 <= step <= STEPS for step in steps)
    found: list[tuple[int, int, int]] = []
    for x, step in enumerate(steps):
        if found and found[-1][2] == step:
            start, length, _ = found[-1]
            found[-1] = (start, length + 1, step)
        else:
            found.append((x, 1, step))
    return found
