"""How large is the gap between two losses at the end, and how much has it grown?

The gap is a level plus any one of the shapes of losses, up or down, plus noise. Fits and intervals are as for
losses.
"""

from typing import NamedTuple

import numpy as np

from shoal.measure.statistics import Interval
from shoal.summarize.loss_fits import CORRELATIONS, EXACT, log_likelihood, mixture, whitened
from shoal.summarize.loss_shapes import Array, LossShapes, averaged

_FIXED = 4  # level, size of the shape, and the shape's own numbers


class Gap(NamedTuple):
    """One loss less another, without noise.

    Attributes:
        end: at the last step.
        growth: from the first step to the last.
    """

    end: Interval
    growth: Interval


def fit_gap(steps: Array, gaps: Array, confidence: float) -> Gap:
    """Fit every shape to a gap.

    Args:
        steps: [rows], increasing, >= 0; at least six.
        gaps: [rows], of one loss above another.
        confidence: of the intervals, in (0, 1).
    """
    shapes = LossShapes(steps)
    columns = np.concatenate([-shapes.falls(steps), shapes.rises(steps) - 1.0], axis=1)  # from −1 up to 0
    columns = averaged(columns)
    rows = averaged(gaps)
    n, freedom, middle = len(rows), max(2, len(rows) - _FIXED), float(rows.mean())
    fits = [_fit(rows - middle, columns, correlation) for correlation in CORRELATIONS]
    end, growth, left, end_share, growth_share = (np.stack(parts) for parts in zip(*fits, strict=True))
    logs = log_likelihood(left, n)
    weights = np.exp(logs - logs.max())
    weights, variance = weights / weights.sum(), (left + n * EXACT**2) / freedom
    found = mixture(end, variance * end_share, weights, freedom, confidence)
    return Gap(
        end=Interval(found.value + middle, found.low + middle, found.high + middle, confidence),
        growth=mixture(growth, variance * growth_share, weights, freedom, confidence),
    )


def _fit(rows: Array, columns: Array, correlation: float) -> tuple[Array, ...]:
    """For every shape: end, growth, squares left, and variances of end and growth over that of the noise."""
    one, y = whitened(np.ones(len(rows)), correlation), whitened(rows, correlation)
    shapes = whitened(columns, correlation)
    oo, os, ss, oy, sy = one @ one, one @ shapes, (shapes * shapes).sum(0), one @ y, y @ shapes
    det = oo * ss - os**2
    end, growth = (ss * oy - os * sy) / det, (oo * sy - os * oy) / det
    return end, growth, np.maximum(0.0, y @ y - end * oy - growth * sy), ss / det, oo / det
