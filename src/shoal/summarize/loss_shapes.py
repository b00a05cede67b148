"""What a validation loss may look like over time: every fall of a list beside every rise of a list.

A fall is (x + shift)^−c or exp(−x/τ); a rise is 0 up to an onset and (x − onset)^p from then on; x is the step
as a share of the last one. Falls go from 1 to 0 and rises from 0 to 1 over the rows, so that weights are in
units of loss. Power laws are what losses of neural networks are seen to follow.

Source: Hestness et al. 2017, "Deep learning scaling is predictable, empirically" (arXiv 1712.00409).
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MOST_ROWS = 40  # a longer curve is averaged to so many rows: enough to see a rise, and quick
NEAR = 30.0  # rows more standard deviations of noise above the end say nothing about a rise, and fit no shape
LATE = 0.7  # rows from this share of the steps on always stay
LEAST_ROWS = 8  # that stay, if there are as many

_POWERS = (0.05, 0.15, 0.3, 0.5, 0.7, 0.9, 1.2, 1.6, 2.2)  # c
_SHIFTS = (0.0, 0.05, 0.3)  # in shares of all steps
_DECAYS = (0.03, 0.06, 0.12, 0.25, 0.5, 1.0)  # τ
_ONSETS = 20  # rows at which a rise may start, at most
_BENDS = (0.6, 1.0, 1.5, 2.0)  # p


class LossShapes:
    """The falls and rises for rows at given steps.

    Args:
        steps: of the rows, increasing, at least four.
    """

    def __init__(self, steps: Array) -> None:
        self._last = float(steps[-1])
        x = steps / self._last
        self._start = 0.0 if x[0] > 0 else float(x[1] - x[0])  # 0^−c is infinite
        self._first = float(x[0])
        at = np.linspace(0, len(x) - 3, min(len(x) - 2, _ONSETS)).round().astype(int)
        self._onsets = x[np.unique(at)]  # each with two rows after it, at least

    def falls(self, steps: Array) -> Array:
        """Every fall at these steps: [rows, falls]."""
        ends = np.array([self._first, 1.0])
        raw, (high, low) = self._falls(steps / self._last), self._falls(ends)
        return (raw - low) / (high - low)

    def rises(self, steps: Array) -> Array:
        """Every rise at these steps: [rows, rises]."""
        x = (steps / self._last)[:, None] - self._onsets
        share = np.maximum(0.0, x) / (1.0 - self._onsets)  # [rows, onsets]
        return np.concatenate([share**bend for bend in _BENDS], axis=1)

    def _falls(self, x: Array) -> Array:
        powers = [(x + self._start + shift) ** -power for power in _POWERS for shift in _SHIFTS]
        decays = [np.exp(-(x - self._first) / (1.0 - self._first) / decay) for decay in _DECAYS]
        return np.stack(powers + decays, axis=1)


def averaged(columns: Array) -> Array:
    """Means of neighbouring rows, as evenly many as possible; at most `MOST_ROWS` are left: [rows, …]."""
    edges = np.linspace(0, len(columns), min(len(columns), MOST_ROWS) + 1).round().astype(int)
    counts = np.diff(edges).reshape(-1, *[1] * (columns.ndim - 1))
    return np.add.reduceat(columns, edges[:-1], axis=0) / counts


def first_near_end(steps: Array, losses: Array) -> int:
    """The row from which a curve is close to its end; a steep fall before it says nothing about the end."""
    rows = len(losses)
    changes = np.diff(losses)[rows // 3 :]
    noise = 1.4826 * float(np.median(np.abs(changes - np.median(changes)))) / 2**0.5
    level = monotone(losses)
    risen = float(losses[-max(3, rows // 10) :].mean() - losses.min())
    above = int((level > level[-1] + max(NEAR * noise, 3 * risen)).sum())
    return max(0, min(above, rows - LEAST_ROWS, int((steps < LATE * steps[-1]).sum())))


def monotone(losses: Array) -> Array:
    """The closest curve that never rises.

    Source: Barlow et al. 1972, "Statistical inference under order restrictions", pooling of adjacent violators.
    """
    means: list[float] = []
    counts: list[int] = []
    for loss in losses.tolist():
        means.append(loss)
        counts.append(1)
        while len(means) > 1 and means[-2] < means[-1]:
            mean, count = means.pop(), counts.pop()
            means[-1] = (means[-1] * counts[-1] + mean * count) / (counts[-1] + count)
            counts[-1] += count
    return np.repeat(means, counts)
