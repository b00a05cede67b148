"""Loss curves of known truth, to see what a verdict is worth.

curve = simulate(seed=3)
diagnose(curve.rows).kind, curve.kind

The loss of new data of the training distribution is a + b·t^−c, plus d·(t − onset)^p from the onset on if the
network overfits; the validation loss is that plus a constant shift; the training loss is a + b·t^−c and falls
on. Each has its own noise, correlated between neighbouring rows. What is drawn, and from where (log: evenly in
the logarithm):

    rows          12 to 300, log; steps even, irregular, or ever farther apart
    last step     200 to 200,000, log, and at least 20 a row
    a, c          0.2 to 4; 0.1 to 1.2
    fall          of the training loss from the first row to the last, 0.2 to 5, log
    shift         0 in half of the curves, otherwise −0.2 to 1
    noise         standard deviation 0.002 to 0.05, log; correlation of neighbours 0 to 0.7
    overfits      half of the curves; onset at 15 to 80 % of the steps, p 0.6 to 2
    rise          of the validation loss from its lowest to the last row: 3 to 60 times the noise, log

A rise of less than three standard deviations is not drawn unless asked for (`rise=`): where rows are few, none
can tell it from noise. Rises that only the last row shows are drawn, and are not decidable either.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from shoal.errors import wrong
from shoal.summarize.loss_shapes import Array

MATTERS = 0.02  # a fall over the last fifth of the steps, in nats, worth training on for: 2 % of perplexity


@dataclass(frozen=True)
class SimulatedCurve:
    """A history, and the truth behind it, without the noise.

    Attributes:
        rows: of step, train_loss, held_back_loss, validation_loss.
        kind: "overfit" if it overfits; otherwise "underfit" if the validation loss falls by `MATTERS` or more
            over the last fifth of the steps, or "good".
        overfits: whether the validation loss rises after its lowest.
        onset: the step from which memorising costs; None if it does not overfit.
        step: of the row with the lowest validation loss; None if it does not overfit.
        rise: of the validation loss from there to the last row.
        fall: of the validation loss over the last fifth of the steps; negative if it rises.
        gap: held-back less training loss at the last row.
        shift: validation less held-back loss.
        noise: its standard deviation.
        correlation: of the noise of neighbouring rows.
    """

    rows: list[dict[str, Any]] = field(repr=False)
    kind: str
    overfits: bool
    onset: float | None
    step: float | None
    rise: float
    fall: float
    gap: float
    shift: float
    noise: float
    correlation: float


def simulate(seed: int, *, overfits: bool | None = None, rise: float | None = None) -> SimulatedCurve:
    """Draw a history of known truth.

    Args:
        seed: equal seeds give equal curves.
        overfits: drawn, evenly, unless given.
        rise: in standard deviations of the noise, > 0; drawn from 3 to 60 unless given.

    Returns:
        The curve.

    Raises:
        InputError: if the rise is not > 0.

    Example:
        >>> curve = simulate(3)
        >>> curve.kind, len(curve.rows), sorted(curve.rows[0])
        ('overfit', 26, ['held_back_loss', 'step', 'train_loss', 'validation_loss'])
    """
    if rise is not None and not (math.isfinite(rise) and rise > 0):
        raise wrong("rise", expected="a number > 0, in standard deviations of the noise", got=rise)
    rng = np.random.default_rng(seed)
    drawn = bool(rng.random() < 0.5)
    steps = _steps(rng)
    c, fall, a = rng.uniform(0.1, 1.2), _log_uniform(rng, 0.2, 5), rng.uniform(0.2, 4)
    shift = float(rng.integers(2)) * rng.uniform(-0.2, 1)
    noise, correlation = _log_uniform(rng, 0.002, 0.05), rng.uniform(0, 0.7)
    onset, p = rng.uniform(0.15, 0.8) * steps[-1], rng.uniform(0.6, 2)
    risen = noise * (_log_uniform(rng, 3, 60) if rise is None else rise)

    def train(t: Array) -> Array:
        return a + fall * (t**-c - steps[-1] ** -c) / (steps[0] ** -c - steps[-1] ** -c)

    def memorising(t: Array) -> Array:
        return np.maximum(0.0, (t - onset) / (steps[-1] - onset)) ** p

    overfits = drawn if overfits is None else overfits
    d = _cost(train(steps), memorising(steps), risen) if overfits else 0.0
    held_back = train(steps) + d * memorising(steps)
    ends = np.array([0.2 * steps[0] + 0.8 * steps[-1], steps[-1]])
    last_fall = -float(np.diff(train(ends) + d * memorising(ends))[0])
    losses = (train(steps), held_back, held_back + shift)
    noisy = [loss + _noise(rng, len(steps), noise, correlation) for loss in losses]
    return SimulatedCurve(
        rows=_rows(steps, noisy),
        kind="overfit" if overfits else "underfit" if last_fall >= MATTERS else "good",
        overfits=overfits,
        onset=float(onset) if overfits else None,
        step=float(steps[held_back.argmin()]) if overfits else None,
        rise=float(held_back[-1] - held_back.min()),
        fall=last_fall,
        gap=float(d),
        shift=shift,
        noise=noise,
        correlation=correlation,
    )


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def _steps(rng: np.random.Generator) -> Array:
    """Whole numbers >= 1, increasing: even, irregular, or ever farther apart."""
    rows, last = round(_log_uniform(rng, 12, 300)), _log_uniform(rng, 200, 200_000)
    spacing = (
        np.ones(rows).cumsum(),
        rng.uniform(0.2, 1.8, rows).cumsum(),
        np.geomspace(_log_uniform(rng, 0.005, 0.05), 1, rows),
    )[rng.integers(3)]
    steps = np.round(spacing / spacing[-1] * max(last, 20 * rows))
    index = np.arange(float(rows))
    return np.maximum.accumulate(np.maximum(steps, 1) - index) + index  # at least one apart


def _cost(train: Array, memorising: Array, rise: float) -> float:
    """The d with which the validation loss rises by `rise` from its lowest to its last row; by halving."""
    low, high = 0.0, float(np.ptp(train)) + rise  # with so much it rises by more, whatever the onset
    for _ in range(60):
        middle = (low + high) / 2
        loss = train + middle * memorising
        low, high = (middle, high) if loss[-1] - loss.min() < rise else (low, middle)
    return high


def _noise(rng: np.random.Generator, rows: int, deviation: float, correlation: float) -> Array:
    """AR(1), with the same standard deviation in every row."""
    draws = rng.normal(0, deviation, rows)
    for row in range(1, rows):
        draws[row] = correlation * draws[row - 1] + math.sqrt(1 - correlation**2) * draws[row]
    return draws


def _rows(steps: Array, losses: list[Array]) -> list[dict[str, Any]]:
    names = ("step", "train_loss", "held_back_loss", "validation_loss")
    columns = [[int(step) for step in steps], *(loss.tolist() for loss in losses)]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
