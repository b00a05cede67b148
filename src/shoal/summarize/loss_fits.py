"""How well does a fall explain a loss curve, alone and with a rise? Every pair of shapes is fitted and weighed.

The loss is a + b·fall + d·rise + noise, with b, d >= 0. Noise of neighbouring rows is correlated (AR(1)), with
each correlation of a list in turn; rows are freed of it (Prais & Winsten), after which least squares is right.
A fit counts as much as its likelihood, with the level a integrated out: nothing hangs on one choice of shape,
and intervals hold what is not known about the shape.

    evidence = mean likelihood of all fits / mean likelihood of the best fits that end at their lowest

Source: Prais & Winsten 1954, "Trend estimators and serial correlation"; Kass & Raftery 1995, "Bayes factors",
    JASA 90; Hoeting et al. 1999, "Bayesian model averaging", Statistical Science 14.
"""

import math
from dataclasses import dataclass

import numpy as np

from shoal.measure.statistics import Interval
from shoal.summarize.loss_shapes import Array, LossShapes, averaged, first_near_end, monotone

CORRELATIONS = (0.0, 0.2, 0.4, 0.6, 0.8)  # of the noise of neighbouring rows
EXACT = 1e-7  # noise below this is taken for rounding, in units of loss
_FIXED = 6  # a, b, d and the shapes' own numbers: what rows are spent on before they say how large the noise is


@dataclass(frozen=True)
class LossFits:
    """All fits to one curve; arrays are [correlations, falls, rises].

    Attributes:
        first: the row from which on rows were fitted.
        steps: of the rows that were fitted.
        shapes: that were fitted.
        evidence: logarithm of how much better fits explain the curve if they may rise at the end, >= 0; about 0
            where it does not rise.
        weights: of the fits, summing to 1.
        fall, rise: b and d.
        fall_variance, rise_variance, covariance: of b and d.
        freedom: rows less parameters, >= 2.
    """

    first: int
    steps: Array
    shapes: LossShapes
    evidence: float
    weights: Array
    fall: Array
    rise: Array
    fall_variance: Array
    rise_variance: Array
    covariance: Array
    freedom: int

    def curve(self) -> Array:
        """The mean of all fits at `steps`, up to a constant."""
        fall, rise = (self.weights * self.fall).sum((0, 2)), (self.weights * self.rise).sum((0, 1))
        return self.shapes.falls(self.steps) @ fall + self.shapes.rises(self.steps) @ rise

    def change(self, start: float, end: float, confidence: float) -> Interval:
        """How much the curve without its noise changes from one of `steps`, or between them, to another."""
        ends = np.array([start, end])
        by_fall = np.diff(self.shapes.falls(ends), axis=0)[0][None, :, None]
        by_rise = np.diff(self.shapes.rises(ends), axis=0)[0][None, None, :]
        values = self.fall * by_fall + self.rise * by_rise
        variances = self.fall_variance * by_fall**2 + self.rise_variance * by_rise**2
        variances = variances + 2 * self.covariance * by_fall * by_rise
        return mixture(values, variances, self.weights, self.freedom, confidence)

    def seen_to_rise(self, losses: Array) -> bool:
        """Whether even the closest curve that never rises is far from the rows: a check on misfitting shapes.

        That curve follows noise as well, which helps it: it is close enough if it leaves no more than half of
        the squares that the mean of all fits leaves.
        """
        rows = averaged(losses[self.first :])
        left = rows - averaged(self.curve())
        never_rising = float(((rows - monotone(rows)) ** 2).sum())
        return never_rising > 0.5 * float(((left - left.mean()) ** 2).sum()) + len(rows) * EXACT**2


def fit_losses(steps: Array, losses: Array) -> LossFits:
    """Fit every fall with every rise.

    Args:
        steps: [rows], increasing, >= 0; at least six.
        losses: [rows], finite.

    Returns:
        The fits. Rows before the curve comes close to its end are left out.
    """
    first = first_near_end(steps, losses)
    steps, losses = steps[first:], losses[first:]
    shapes = LossShapes(steps)
    falls, rises, rows = averaged(shapes.falls(steps)), averaged(shapes.rises(steps)), averaged(losses)
    most = _most_rise(falls, rises)
    pairs = [_fit(rows, falls, rises, most, correlation) for correlation in CORRELATIONS]
    fall, rise, left, left_falling, ff, rr, fr = (np.stack(parts) for parts in zip(*pairs, strict=True))
    fits, falling = log_likelihood(left, len(rows)), log_likelihood(left_falling, len(rows))
    weights = np.exp(fits - fits.max())
    freedom = max(2, len(rows) - _FIXED)
    variance = (left + len(rows) * EXACT**2) / freedom
    both, det = (fall > 0) & (rise > 0), ff * rr - fr**2
    return LossFits(
        first=first,
        steps=steps,
        shapes=shapes,
        evidence=_log_mean(fits) - _log_mean(falling),
        weights=weights / weights.sum(),
        fall=fall,
        rise=rise,
        fall_variance=np.where(both, variance * rr / det, np.where(fall > 0, variance / ff, 0.0)),
        rise_variance=np.where(both, variance * ff / det, np.where(rise > 0, variance / rr, 0.0)),
        covariance=np.where(both, -variance * fr / det, 0.0),
        freedom=freedom,
    )


def _fit(rows: Array, falls: Array, rises: Array, most: Array, correlation: float) -> tuple[Array, ...]:
    """Least squares for every pair: b, d, squares left, the same for pairs that end lowest, and products."""
    columns = np.concatenate([np.ones((len(rows), 1)), falls, rises, (rows - rows.mean())[:, None]], axis=1)
    columns = whitened(columns, correlation)
    one = columns[:, 0]
    columns = columns - np.outer(one, one @ columns / (one @ one))
    products = columns.T @ columns
    f, r = slice(1, 1 + falls.shape[1]), slice(1 + falls.shape[1], -1)
    ff, rr = np.diag(products)[f][:, None], np.diag(products)[r][None]
    parallel = np.sqrt(ff * rr * (1 - 1e-9))  # two shapes never count as one and the same
    fr, fy, ry = np.clip(products[f, r], -parallel, parallel), products[f, -1][:, None], products[r, -1][None]
    det = ff * rr - fr**2
    fall, rise = (rr * fy - fr * ry) / det, (ff * ry - fr * fy) / det
    only_fall, only_rise = np.maximum(0.0, fy / ff), np.maximum(0.0, ry / rr)
    both, falls_more = (fall > 0) & (rise > 0), only_fall * fy >= only_rise * ry
    fall = np.where(both, fall, np.where(falls_more, only_fall, 0.0))
    rise = np.where(both, rise, np.where(falls_more, 0.0, only_rise))
    gain = fall * fy + rise * ry
    # a pair ends at its lowest if d <= most·b; where the best pair does not, the best that does is at that edge
    edge = np.maximum(0.0, fy + most * ry) ** 2 / (ff + 2 * most * fr + most**2 * rr)
    gain_falling = np.where(rise <= most * fall, gain, np.maximum(edge, only_fall * fy))
    left, left_falling = (np.maximum(0.0, products[-1, -1] - gained) for gained in (gain, gain_falling))
    return fall, rise, left, left_falling, *np.broadcast_arrays(ff, rr, fr)


def _most_rise(falls: Array, rises: Array) -> Array:
    """The largest d for b = 1 with which a fall and a rise together end at their lowest: [falls, rises]."""
    above, below = falls[:-1] - falls[-1], rises[-1] - rises[:-1]  # [rows − 1, …]
    return np.maximum(0.0, (above[:, :, None] / np.maximum(below, 1e-12)[:, None, :]).min(0))


def whitened(columns: Array, correlation: float) -> Array:
    """Rows freed of the correlation of their noise with the row before."""
    head = columns[:1] * math.sqrt(1 - correlation**2)
    return np.concatenate([head, columns[1:] - correlation * columns[:-1]])


def log_likelihood(left: Array, rows: int) -> Array:
    """Of fits that leave these squares, [correlations, …], up to a constant."""
    correlation = np.array(CORRELATIONS)
    of_level = 1 - correlation**2 + (rows - 1) * (1 - correlation) ** 2  # how closely rows pin down the level
    of_correlation = 0.5 * np.log(1 - correlation**2) - 0.5 * np.log(of_level)
    return -(rows - 1) / 2 * np.log(left + rows * EXACT**2) + of_correlation.reshape(-1, *[1] * (left.ndim - 1))


def _log_mean(logarithms: Array) -> float:
    most = float(logarithms.max())
    return most + math.log(float(np.exp(logarithms - most).mean()))


def mixture(values: Array, variances: Array, weights: Array, freedom: int, confidence: float) -> Interval:
    """Mean of all fits, with an interval of what each leaves open and of what they disagree about."""
    from scipy.special import stdtrit  # here: half a second of import that the rest of this room does not need

    mean = float((weights * values).sum())
    variance = float((weights * (variances + (values - mean) ** 2)).sum())
    reach = float(stdtrit(freedom, (1 + confidence) / 2)) * math.sqrt(max(0.0, variance))
    return Interval(mean, mean - reach, mean + reach, confidence)
