"""Verdicts on curves of known truth, on curves by hand, and on histories that cannot be used.

Thresholds were chosen on seeds 1000 to 1999; the tests look at seeds 0 to 199.
"""

import math
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.errors import InputError
from shoal.summarize.curves import MATTERS, SimulatedCurve, simulate
from shoal.summarize.diagnosis import diagnose
from shoal.summarize.loss_shapes import monotone
from shoal.summarize.verdict import Verdict

SEEDS = range(200)


@dataclass
class Measured:
    rows: list[dict[str, Any]]


@cache
def judged() -> list[tuple[SimulatedCurve, Verdict]]:
    curves = [simulate(seed) for seed in SEEDS]
    return [(curve, diagnose(curve.rows)) for curve in curves]


def history(train: Any, validation: Any, held_back: Any = None) -> list[dict[str, Any]]:
    rows = [
        {"step": 100 * (at + 1), "train_loss": float(a), "validation_loss": float(b)}
        for at, (a, b) in enumerate(zip(train, validation, strict=True))
    ]
    if held_back is not None:
        rows = [row | {"held_back_loss": float(loss)} for row, loss in zip(rows, held_back, strict=True)]
    return rows


def falling(rows: int, end: float = 2.0, noise: float = 0.01, seed: int = 0) -> np.ndarray:
    x = np.arange(1, rows + 1) / rows
    return end - 1 + x**-0.4 + noise * np.random.default_rng(seed).normal(size=rows)


def share(right: list[bool]) -> float:
    return sum(right) / len(right)


def test_overfitting_is_told_on_95_percent_of_curves_with_under_5_percent_false_alarms() -> None:
    assert share([(verdict.kind == "overfit") == curve.overfits for curve, verdict in judged()]) >= 0.95
    assert share([verdict.kind == "overfit" for curve, verdict in judged() if not curve.overfits]) < 0.05
    assert 0.35 < share([curve.overfits for curve, _ in judged()]) < 0.65


def test_a_shift_alone_is_never_called_overfitting() -> None:
    fitting = [(curve, verdict) for curve, verdict in judged() if not curve.overfits]
    shifted = [verdict for curve, verdict in fitting if abs(curve.shift) > 5 * curve.noise]
    assert len(shifted) > 30
    assert not [verdict for verdict in shifted if verdict.kind == "overfit"]


def test_kinds_are_told_where_the_last_fall_is_not_close_to_the_one_that_matters() -> None:
    clear = [
        curve.kind == verdict.kind
        for curve, verdict in judged()
        if curve.overfits or not MATTERS / 1.5 < curve.fall < MATTERS * 1.5
    ]
    assert share(clear) >= 0.93
    assert len(clear) > 0.8 * len(judged())


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    assert share([verdict.low <= curve.gap <= verdict.high for curve, verdict in judged()]) > 0.9
    assert share([bool(verdict.shift and curve.shift in verdict.shift) for curve, verdict in judged()]) > 0.9
    rises = [(curve.rise, verdict.rise) for curve, verdict in judged() if curve.overfits and verdict.rise]
    assert share([true in rise for true, rise in rises]) > 0.85


def test_the_step_is_close_to_the_lowest() -> None:
    errors = [
        abs(verdict.step - curve.step) / curve.rows[-1]["step"]
        for curve, verdict in judged()
        if curve.step is not None and verdict.step is not None
    ]
    assert np.median(errors) < 0.05
    assert np.quantile(errors, 0.9) < 0.15


def test_the_larger_a_rise_the_surer_it_is_seen() -> None:
    seen = [
        share([diagnose(simulate(seed, overfits=True, rise=rise).rows).kind == "overfit" for seed in range(25)])
        for rise in (1, 3, 12)
    ]
    assert seen == sorted(seen)
    assert seen[0] < 0.5 < 0.9 <= seen[2]


def test_the_trap_is_a_shift() -> None:
    """0.64 epochs, 3.45 against 4.05, before any example is seen twice."""
    train, validation = falling(16, 3.45, 0.02), falling(16, 4.05, 0.02, seed=1)
    verdict = diagnose(history(train, validation, falling(16, 3.45, 0.02, seed=2)))
    assert verdict.kind == "underfit"
    assert verdict.step is None
    assert verdict.low < 0 < verdict.high
    assert verdict.shift is not None
    assert 0.6 in verdict.shift
    assert "is a shift between groups, not overfitting" in str(verdict)
    alone = diagnose(history(train, validation))
    assert alone.kind == "underfit"
    assert alone.shift is None
    assert alone.low <= 0.6 <= alone.high
    assert "held-back training data would tell" in alone.why


def test_by_hand() -> None:
    epochs = [5.9, 4.8, 4.3, 4.0, 3.8, 3.72, 3.70, 3.74, 3.83, 3.95, 4.10, 4.27]
    train = [5.8, 4.6, 4.0, 3.6, 3.25, 2.95, 2.7, 2.45, 2.2, 2.0, 1.8, 1.62]
    verdict = diagnose(history(train, epochs))
    assert (verdict.kind, verdict.step) == ("overfit", 700)
    assert verdict.rise is not None
    assert 0.57 in verdict.rise
    assert str(verdict).startswith("Overfit from step 700: the validation loss has risen by 0.5")
    assert "what grows with training is memorising" in verdict.why
    assert "<td>700</td>" in verdict._repr_html_()
    assert diagnose(history(train[:6], epochs[:6])).kind == "underfit"
    level = [5.0, 4.2, 4.02, 4.0, 4.005, 3.995, 4.0, 4.002, 3.998, 4.001, 3.999, 4.0]
    assert diagnose(history(train, level)).kind == "good"


def test_a_training_that_diverges_does_not_overfit() -> None:
    up = [3.0, 2.5, 2.2, 2.1, 2.05, 2.2, 2.5, 2.9, 3.2, 3.6, 4.0, 4.4]
    verdict = diagnose(history(up, np.array(up) + 0.1))
    assert verdict.kind == "underfit"
    assert "diverges" in verdict.why
    assert verdict.step is None


def test_one_high_row_may_be_a_spike() -> None:
    for at in (-1, -2, -5):
        validation = falling(30)
        validation[at] += 0.3
        assert diagnose(history(falling(30, seed=1), validation)).kind != "overfit"


@pytest.mark.parametrize("rows", [6, 7, 41, 400])
def test_constant_curves_are_good(rows: int) -> None:
    verdict = diagnose(history([1.0] * rows, [1.5] * rows))
    assert verdict.kind == "good"
    assert verdict.gap == pytest.approx(0.5)
    assert verdict.low == pytest.approx(verdict.high, abs=1e-4)


@pytest.mark.parametrize("shape", ["power", "decay", "line", "stairs"])
def test_curves_without_noise_that_fall_do_not_overfit(shape: str) -> None:
    x = np.arange(1, 61) / 60
    losses = {"power": x**-0.5, "decay": np.exp(-9 * x), "line": 3 - x, "stairs": 3 - np.floor(5 * x)}[shape]
    assert diagnose(history(losses, losses)).kind != "overfit"


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), constant=st.floats(-3, 3), scale=st.sampled_from([0.01, 7, 1000]))
def test_units_of_steps_and_constants_do_not_matter(seed: int, constant: float, scale: float) -> None:
    rows = simulate(seed).rows
    units = [row | {"step": row["step"] * scale} for row in rows]
    moved = [row | {"validation_loss": row["validation_loss"] + constant} for row in units]
    before, after = diagnose(rows), diagnose(moved)
    assert after.kind == before.kind
    if before.step is not None and after.step is not None:
        assert after.step == pytest.approx(before.step * scale)
    assert before == diagnose(rows)
    assert all(math.isfinite(number) for number in (before.gap, before.low, before.high))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=6, max_size=60))
def test_any_losses_have_a_verdict(losses: list[float]) -> None:
    verdict = diagnose(history(losses[::-1], losses, losses))
    assert verdict.kind in ("underfit", "good", "overfit")
    assert verdict.low <= verdict.gap <= verdict.high
    assert (verdict.step is None) == (verdict.kind != "overfit")


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=8))
def test_monotone_is_closest(losses: list[int]) -> None:
    found = monotone(np.array(losses, dtype=float))
    n = range(len(losses))
    for at in n:  # the max–min formula
        means = [[np.mean(losses[i : j + 1]) for i in range(at + 1)] for j in n[at:]]
        assert found[at] == pytest.approx(max(min(of) for of in means))


def test_a_history_may_start_at_step_0_and_hold_other_keys() -> None:
    rows = [row | {"seconds": 1.0, "epoch": None} for row in history(falling(12), falling(12))]
    rows[0]["step"] = 0
    assert diagnose(Measured(rows)) == diagnose(rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"validation_loss": math.nan}, "validation_loss of row 3: expected a finite number, got nan"),
        ({"train_loss": math.inf}, "train_loss of row 3: expected a finite number, got inf"),
        ({"train_loss": "2"}, "train_loss of row 3: expected a finite number, got 2"),
        ({"validation_loss": None}, "validation_loss of row 3: expected a finite number, got none"),
        ({"step": 300}, "step of row 3: expected above 300, that of the row before, got 300"),
        (
            {"held_back_loss": None},
            "held_back_loss: expected a number in all rows or in none, got none in row 3",
        ),
    ],
)
def test_what_cannot_be_used_is_named(change: dict[str, Any], message: str) -> None:
    rows = history(falling(8), falling(8), falling(8))
    rows[3] |= change
    with pytest.raises(InputError) as error:
        diagnose(rows)
    assert message in str(error.value)


def test_settings_and_lengths_are_checked() -> None:
    rows = history(falling(8), falling(8))
    with pytest.raises(InputError, match="history: expected at least 6 rows, got 5"):
        diagnose(rows[:5])
    with pytest.raises(InputError, match="step of row 0: expected >= 0"):
        diagnose([rows[0] | {"step": -1}, *rows[1:]])
    with pytest.raises(InputError, match="matters"):
        diagnose(rows, matters=0)
    with pytest.raises(InputError, match="confidence"):
        diagnose(rows, confidence=95)
    with pytest.raises(InputError, match="rise"):
        simulate(0, rise=0)


def test_simulated_curves_are_as_they_say() -> None:
    for seed in range(60):
        curve = simulate(seed)
        assert curve == simulate(seed)
        steps = [row["step"] for row in curve.rows]
        assert steps[0] >= 1
        assert 12 <= len(steps) <= 300
        assert all(a < b for a, b in pairwise(steps))
        assert curve.overfits == (curve.kind == "overfit") == (curve.step is not None)
        if curve.overfits:
            assert 3 <= curve.rise / curve.noise < 61
            assert curve.gap >= curve.rise
        else:
            assert curve.gap == curve.rise == 0
    assert simulate(5, overfits=True, rise=2).rise == pytest.approx(2 * simulate(5).noise)
