"""Intervals against textbook numbers, slow references and simulated coverage."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from shoal.errors import InputError
from shoal.measure import (
    Interval,
    bootstrap_interval,
    exact_proportion_interval,
    mean_interval,
    paired_difference_interval,
    proportion_interval,
    standard_error,
)


def normal(n: int, seed: int) -> Tensor:
    return torch.randn(n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30))
def test_standard_error_is_scipys(values: list[float]):
    expected = float(stats.sem(np.array(values)))
    assert standard_error(torch.tensor(values, dtype=torch.float64)) == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.integers(-100, 100), min_size=2, max_size=30), st.sampled_from([0.5, 0.9, 0.99]))
def test_mean_interval_is_students(values: list[int], confidence: float):
    found = mean_interval(torch.tensor(values), confidence=confidence)
    error = float(stats.sem(np.array(values)))
    reach = float(stats.t.ppf((1 + confidence) / 2, len(values) - 1)) * error
    assert found.value == pytest.approx(sum(values) / len(values))
    assert found.high - found.value == pytest.approx(reach)
    assert found.value - found.low == pytest.approx(reach)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_wilson_is_scipys_and_holds_the_share(counts: tuple[int, int], confidence: float):
    successes, n = counts
    found = proportion_interval(successes, n, confidence=confidence)
    expected = stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert 0 <= found.low <= found.value == successes / n <= found.high <= 1


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_the_exact_interval_is_scipys_and_each_end_holds(counts: tuple[int, int], confidence: float):
    successes, n = counts
    found = exact_proportion_interval(successes, n, confidence=confidence)
    expected = stats.binomtest(successes, n).proportion_ci(confidence, method="exact")
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert 0 <= found.low <= found.value == successes / n <= found.high <= 1
    tail = (1 - confidence) / 2
    assert not successes or stats.binom.sf(successes - 1, n, found.low) == pytest.approx(tail)
    assert successes == n or stats.binom.cdf(successes, n, found.high) == pytest.approx(tail)


def test_bootstrap_of_a_mean_agrees_with_students_interval():
    values = normal(400, seed=1) + 3
    bootstrap, student = bootstrap_interval(values), mean_interval(values)
    assert bootstrap.value == pytest.approx(student.value)
    reach = student.high - student.value
    assert bootstrap.low == pytest.approx(student.low, abs=0.1 * reach)
    assert bootstrap.high == pytest.approx(student.high, abs=0.1 * reach)


def test_bootstrap_equals_a_plain_loop():
    a, b = normal(30, seed=1).abs() + 1, normal(30, seed=2).abs() + 1
    found = bootstrap_interval((a, b), lambda a, b: a.sum() / b.sum(), resamples=300, seed=7, confidence=0.9)
    generator = torch.Generator().manual_seed(7)
    draws = []
    for _ in range(300):
        rows = torch.randint(30, (30,), generator=generator).tolist()
        draws.append(sum(float(a[r]) for r in rows) / sum(float(b[r]) for r in rows))
    assert found.value == pytest.approx(float(a.sum() / b.sum()))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(draws, [0.05, 0.95])))
    assert found.confidence == 0.9


def test_rows_stay_paired():
    a = normal(200, seed=1) * 100
    found = bootstrap_interval((a, a + 1), lambda a, b: (b - a).mean())
    assert (found.low, found.high) == pytest.approx((1, 1))  # unpaired, it would be some 28 wide


def test_seeded_and_free_of_the_global_state():
    values = normal(50, seed=3)
    before = torch.get_rng_state()
    assert bootstrap_interval(values, seed=1) == bootstrap_interval(values, seed=1)
    assert bootstrap_interval(values, seed=1) != bootstrap_interval(values, seed=2)
    assert torch.equal(before, torch.get_rng_state())


def test_takes_booleans_counts_and_any_statistic():
    right = torch.arange(100) % 4 > 0
    assert bootstrap_interval(right).value == 0.75
    assert bootstrap_interval(torch.arange(11), torch.median).value == 5
    assert bootstrap_interval((torch.rand(20, 3), torch.arange(20)), lambda x, i: x[i % 20].numel()).low == 60


def test_coverage_is_about_what_it_says():
    held = {"mean": 0, "bootstrap": 0, "proportion": 0}
    trials = 300
    for seed in range(trials):
        values = normal(60, seed=seed)
        held["mean"] += 0.0 in mean_interval(values, confidence=0.9)
        held["bootstrap"] += 0.0 in bootstrap_interval(values, confidence=0.9, resamples=200)
        held["proportion"] += 0.5 in proportion_interval(int((values > 0).sum()), 60, confidence=0.9)
    for name, hits in held.items():
        # 4 standard errors of a share of 300 trials, and 0.02 for what discreteness and few rows cost
        assert abs(hits / trials - 0.9) < 4 * math.sqrt(0.9 * 0.1 / trials) + 0.02, name


def test_an_interval_formats_all_three_numbers():
    interval = Interval(0.5, 0.25, 0.75)
    assert str(interval) == "0.5 [0.25, 0.75]"
    assert f"{interval:.0%}" == "50% [25%, 75%]"
    assert 0.25 in interval
    assert 0.76 not in interval


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: standard_error(torch.ones(1)), "at least two rows, got 1"),
        (lambda: mean_interval(torch.ones(3), confidence=95), r"confidence: expected a number in \(0, 1\), got 95"),
        (lambda: proportion_interval(3, 2), "got 3 of 2"),
        (lambda: proportion_interval(0, 0), "got 0 of 0"),
        (lambda: exact_proportion_interval(-1, 2), "got -1 of 2"),
        (lambda: bootstrap_interval((torch.ones(3), torch.ones(4)), torch.dot), r"lengths \[3, 4\]"),
        (lambda: bootstrap_interval(torch.ones(1)), "at least two rows"),
        (lambda: bootstrap_interval(torch.ones(5), resamples=0), "resamples"),
        (lambda: bootstrap_interval(torch.tensor([0.0, 1.0]), lambda x: 1 / x.sum()), "draws not finite"),
    ],
)
def test_refuses_what_has_no_answer(call, message: str):
    with pytest.raises(InputError, match=message):
        call()


def answers(both: int, only_first: int, only_second: int, neither: int) -> tuple[Tensor, Tensor]:
    counts = torch.tensor([both, only_first, only_second, neither])
    first = torch.tensor([True, True, False, False]).repeat_interleave(counts)
    return first, torch.tensor([True, False, True, False]).repeat_interleave(counts)


def test_paired_difference_is_newcombes():
    """The first row of his table of examples: 0.2, from 0.0569 to 0.3404."""
    found = paired_difference_interval(*answers(36, 12, 2, 0))
    assert (found.value, round(found.low, 4), round(found.high, 4)) == (pytest.approx(0.2), 0.0569, 0.3404)


@given(st.lists(st.integers(0, 40), min_size=4, max_size=4).filter(lambda counts: sum(counts) > 0))
def test_paired_difference_turns_with_its_arguments(counts: list[int]):
    first, second = answers(*counts)
    one, other = paired_difference_interval(first, second), paired_difference_interval(second, first)
    assert (one.low, one.high) == (pytest.approx(-other.high), pytest.approx(-other.low))
    assert -1 - 1e-9 <= one.low <= one.value <= one.high <= 1 + 1e-9
    assert one.low < one.high


def test_paired_difference_agrees_with_the_bootstrap_on_many_rows():
    first, second = answers(17_000, 700, 900, 1_400)
    found = paired_difference_interval(first, second)
    drawn = bootstrap_interval(first.double() - second.double())
    assert found.low == pytest.approx(drawn.low, abs=3e-4)
    assert found.high == pytest.approx(drawn.high, abs=3e-4)


@pytest.mark.parametrize("shares", [(0.9, 0.03, 0.03), (0.5, 0.2, 0.1), (0.97, 0.0, 0.01)])
def test_paired_difference_covers_the_truth(shares: tuple[float, float, float]):
    generator = torch.Generator().manual_seed(0)
    cells = torch.multinomial(torch.tensor([*shares, 1 - sum(shares)]), 400 * 100, True, generator=generator)
    hits = 0
    for row in cells.view(400, 100):
        hits += shares[1] - shares[2] in paired_difference_interval((row == 0) | (row == 1), (row == 0) | (row == 2))
    assert hits / 400 >= 0.92


def test_paired_difference_refuses_unequal_lengths():
    with pytest.raises(InputError, match="two tensors of one length"):
        paired_difference_interval(torch.ones(3).bool(), torch.ones(2).bool())
