"""What do the losses of a training say: train on, good, or overfit, and from which step?

verdict = diagnose(history)       # rows of step, train_loss, held_back_loss, validation_loss
verdict.kind, verdict.step        # "overfit", 3200
print(verdict)                    # the reason, in a sentence

The two questions that a gap between curves leaves open are answered apart. Does the validation loss rise after
a lowest point? Only that is overfitting. And where does a gap come from? With the loss of training data that is
held back, it falls into two: held-back less training loss, which is what memorising made, and validation less
held-back loss, which is a shift between two groups of data, and may be there from the first step.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from shoal.errors import wrong
from shoal.summarize.curves import MATTERS
from shoal.summarize.loss_fits import fit_losses
from shoal.summarize.loss_gaps import fit_gap
from shoal.summarize.loss_shapes import Array
from shoal.summarize.verdict import Findings, Verdict, worded

LEAST_ROWS = 6
EVIDENCE = 20.0  # how much better the validation loss must be explained with a rise than without
WITHOUT_ONE = 2.0  # the same without the highest row after the best: one row alone may be a spike
LAST = 0.2  # share of the steps that is the end of a training


@runtime_checkable
class _HasRows(Protocol):
    @property
    def rows(self) -> Sequence[Mapping[str, Any]]: ...


class _Losses(NamedTuple):
    """Columns of a history, [rows] each."""

    steps: Array
    train: Array
    validation: Array
    held_back: Array | None


def diagnose(
    history: Sequence[Mapping[str, Any]] | _HasRows, *, matters: float = MATTERS, confidence: float = 0.95
) -> Verdict:
    """Say whether a training should go on, is good, or overfits, and why.

    overfit: the validation loss rises after its lowest, while the training loss does not rise with it. Falls
    with a rise must explain the rows 20 times as well as falls without (a Bayes factor: strong evidence), with
    noise that may be correlated, and still twice as well without the highest row, which may be a spike.
    underfit: it still falls, by `matters` or more over the last fifth of the steps, and surely so.
    good: neither. A gap that was there from the start never makes a training overfit.

    Thresholds were chosen on the curves of `simulate` with seeds 1000 to 1999. There, 98 % are told rightly as
    overfit or not; what is missed rises by less than 4 standard deviations of the noise, or in one or two rows.
    Losses that are flat from the start mislead most: 3 % of those with 12 to 300 rows and a correlation of
    neighbours up to 0.7 are called overfit, and 10 % of those with 6 to 8 rows and a correlation of 0.6.

    Where training and validation loss rise together, training diverges; that is called underfit, as `why` says.

    Args:
        history: rows, or an object with `rows`, at least 6. Each holds step (>= 0, increasing), train_loss and
            validation_loss, and held_back_loss in all rows or none: the loss of data of the training
            distribution that was not yet trained on. Without it, a shift between groups cannot be told from
            memorising by its size; whether it grew is then all there is to go by. Other keys are ignored.
        matters: the least fall over the last fifth worth training on for, > 0; 0.02 nats are 2 % of perplexity.
        confidence: of all intervals, in (0, 1).

    Returns:
        The verdict. It does not change when a constant is added to a loss, or steps are counted in other units.

    Raises:
        InputError: if there are too few rows, steps do not increase, a loss is missing, NaN or infinite, or a
            setting is out of range.

    Example:
        >>> losses = [3.0, 2.4, 2.1, 1.95, 1.9, 1.93, 1.98, 2.05, 2.11, 2.2]
        >>> rows = [
        ...     {"step": 100 * (i + 1), "train_loss": 3.0 / (i + 1) ** 0.5, "validation_loss": loss}
        ...     for i, loss in enumerate(losses)
        ... ]
        >>> verdict = diagnose(rows)
        >>> verdict.kind, verdict.step
        ('overfit', 500)

    Source: Kass & Raftery 1995, "Bayes factors", JASA 90; the fits are in `loss_fits`.
    """
    if not (math.isfinite(matters) and matters > 0):
        raise wrong("matters", expected="a number > 0, in the unit of the loss", got=matters)
    if not 0 < confidence < 1:
        raise wrong("confidence", expected="a number in (0, 1)", got=confidence, fix="give 95 % as 0.95")
    losses = _columns(list(history if isinstance(history, Sequence) else history.rows))
    return worded(_findings(losses, matters, confidence))


def _findings(losses: _Losses, matters: float, confidence: float) -> Findings:
    steps, validation = losses.steps, losses.validation
    fits = fit_losses(steps, validation)
    last, fifth = float(steps[-1]), float(steps[-1] - LAST * (steps[-1] - steps[0]))
    best = fits.first + int(fits.curve().argmin())
    rises = best < len(steps) - 1 and fits.evidence >= math.log(EVIDENCE)
    rises = rises and fits.seen_to_rise(validation)
    rises = rises and _without_highest(steps, validation, best) >= math.log(WITHOUT_ONE)
    step = float(steps[best]) if rises else None
    rise = None if step is None else fits.change(step, last, confidence)
    recent = fits.change(fifth, last, confidence)
    trained = fit_losses(steps, losses.train).change(fifth if step is None else step, last, confidence)
    diverges = rise is not None and trained.low > 0 and trained.value > rise.value / 2
    falls = recent.value <= -matters and recent.high < 0
    kind = "overfit" if rises and not diverges else "underfit" if diverges or falls else "good"
    whole = fit_gap(steps, validation - losses.train, confidence)
    gap, shift = whole.end, None
    if losses.held_back is not None:
        gap = fit_gap(steps, losses.held_back - losses.train, confidence).end
        shift = fit_gap(steps, validation - losses.held_back, confidence).end
    return Findings(kind, step, rise, recent, trained, gap, shift, whole.growth, diverges, matters)


def _without_highest(steps: Array, validation: Array, best: int) -> float:
    """The evidence that is left without the highest row after the best: one row makes no training overfit."""
    others = np.arange(len(steps)) != best + 1 + int(validation[best + 1 :].argmax())
    return fit_losses(steps[others], validation[others]).evidence


def _columns(rows: list[Mapping[str, Any]]) -> _Losses:
    if len(rows) < LEAST_ROWS:
        raise wrong("history", expected=f"at least {LEAST_ROWS} rows", got=len(rows), fix="evaluate more often")
    steps = _column(rows, "step")
    for at in range(len(rows)):
        if steps[at] < 0 or (at and steps[at] <= steps[at - 1]):
            before = f"above {steps[at - 1]:g}, that of the row before" if at else ">= 0"
            raise wrong(f"step of row {at}", expected=before, got=f"{steps[at]:g}")
    held_back = [row.get("held_back_loss") is not None for row in rows]
    if any(held_back) and not all(held_back):
        raise wrong(
            "held_back_loss",
            expected="a number in all rows or in none",
            got=f"none in row {held_back.index(False)}",
        )
    column = _column(rows, "held_back_loss") if all(held_back) else None
    return _Losses(steps, _column(rows, "train_loss"), _column(rows, "validation_loss"), column)


def _column(rows: list[Mapping[str, Any]], name: str) -> Array:
    for at, row in enumerate(rows):
        value = row.get(name)
        if not isinstance(value, int | float | np.number) or not math.isfinite(value):
            found = "none" if value is None else value
            raise wrong(f"{name} of row {at}", expected="a finite number", got=found)
    return np.array([float(row[name]) for row in rows])
