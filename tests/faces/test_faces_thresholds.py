"""Thresholds for a false-accept rate: exact against the binomial distribution, and as often as said."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from shoal.errors import InputError
from shoal.faces.thresholds import fewest_pairs, threshold_at


def ranks(pairs: int, far: float, confidence: float) -> tuple[int, int]:
    """By trying every rank: the largest r with P(at least r below) >= it, the smallest s with P(< s) >= it."""
    below = [r for r in range(1, pairs + 1) if binom.sf(r - 1, pairs, far) >= confidence - 1e-12]
    above = [s for s in range(1, pairs + 1) if binom.cdf(s - 1, pairs, far) >= confidence - 1e-12]
    return max(below), min(above)


@pytest.mark.parametrize(
    ("pairs", "far", "confidence"),
    [(299, 0.01, 0.95), (300, 0.01, 0.95), (1000, 0.02, 0.9), (60, 0.1, 0.99), (5, 0.5, 0.95), (500, 0.3, 0.5)],
)
def test_the_ends_are_the_distances_of_the_right_ranks(pairs: int, far: float, confidence: float) -> None:
    distances = torch.arange(1, pairs + 1, dtype=torch.float64)[torch.randperm(pairs)]
    found = threshold_at(far, distances, confidence=confidence)
    below, above = ranks(pairs, far, confidence)
    accepted = int(far * pairs + 1e-9)
    assert below - 1 <= found.low < below  # just under the distance of that rank
    assert found.high == above
    assert accepted <= found.value < accepted + 1
    assert found.low <= found.value <= found.high
    assert found.pairs == pairs
    exact = binomtest(accepted, pairs).proportion_ci(confidence, "exact")
    assert found.far_measured.value == accepted / pairs
    assert found.far_measured.low == pytest.approx(exact.low)
    assert found.far_measured.high == pytest.approx(exact.high)


def test_the_promises_hold_as_often_as_said() -> None:
    """Distances drawn again and again: the true rate at a threshold t is t, since they are uniform."""
    rng = np.random.default_rng(0)
    far, confidence, times = 0.05, 0.9, 600
    kept = np.zeros(4)
    for _ in range(times):
        found = threshold_at(far, torch.from_numpy(rng.random(120)), confidence=confidence)
        inside = found.far_measured.low <= found.value <= found.far_measured.high
        kept += (found.low <= far, found.high >= far, found.low <= far <= found.high, inside)
    slack = 3 * math.sqrt(confidence * (1 - confidence) / times)
    low, high, both, inside = kept / times
    assert low >= confidence - slack
    assert high >= confidence - slack
    assert both >= 2 * confidence - 1 - slack
    assert inside >= confidence - slack
    assert low < 1  # not by never daring anything
    assert high < 1


def test_with_ties_the_cautious_end_is_still_cautious() -> None:
    """Distances in steps: many are equal, and the true rate at a threshold is that of the step below."""
    rng = np.random.default_rng(1)
    kept, times = 0, 300
    for _ in range(times):
        drawn = torch.from_numpy(rng.integers(0, 12, 200) / 12)
        found = threshold_at(0.1, drawn, confidence=0.9)
        true = (math.floor(found.low * 12 + 1e-9) + 1) / 12 if found.low >= 0 else 0.0
        kept += true <= 0.1
    assert kept / times >= 0.9 - 3 * math.sqrt(0.09 / times)


@given(far=st.floats(1e-4, 0.5), confidence=st.floats(0.5, 0.999))
def test_the_fewest_pairs_are_the_fewest(far: float, confidence: float) -> None:
    needed = fewest_pairs(far, confidence)
    assert (1 - far) ** needed <= (1 - confidence) * (1 + 1e-6)
    assert (1 - far) ** (needed - 1) > (1 - confidence) * (1 - 1e-6)


def test_view_2_of_lfw_is_just_enough_for_one_in_a_thousand() -> None:
    assert fewest_pairs(1e-3) == 2995
    found = threshold_at(1e-3, torch.rand(3000, generator=torch.Generator().manual_seed(0)))
    assert found.far_measured.value == 1e-3
    assert found.far_measured.high > 2e-3


@given(
    distances=st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.50001, 2.0]), min_size=60, max_size=90),
    far=st.sampled_from([0.05, 0.1, 0.3]),
)
def test_it_keeps_to_the_rate_whatever_the_ties(distances: list[float], far: float) -> None:
    found = threshold_at(far, torch.tensor(distances))
    accepted = sum(d <= found.value for d in torch.tensor(distances).double().tolist())
    assert accepted / len(distances) <= far + 1e-9
    assert found.far_measured.value == accepted / len(distances)
    assert found.far_measured.low <= found.far_measured.value <= found.far_measured.high
    assert found.low <= found.value
    assert found.low <= found.high


def test_it_can_be_read() -> None:
    text = str(threshold_at(0.1, torch.arange(100.0)))
    assert "for a FAR of 0.1: measured 0.1 [" in text
    assert text.endswith("on 100 pairs")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"far": 1e-3, "impostor_distances": torch.rand(500)},
            r"expected at least 2,995 pairs of different people for a FAR of 0\.001 at 95 %, got 500; "
            r"give more, or ask for 0\.006 or more",
        ),
        ({"far": 0.01, "impostor_distances": torch.rand(298)}, "expected at least 299 pairs .* got 298"),
        ({"far": 0.1, "impostor_distances": torch.empty(0)}, "got 0; give more$"),
        ({"far": 0.1, "impostor_distances": torch.tensor([0.1, math.nan])}, "finite numbers >= 0, got nan"),
        ({"far": 0.1, "impostor_distances": torch.tensor([0.1, -1])}, "expected finite numbers >= 0, got -1.0"),
        ({"far": 0.0, "impostor_distances": torch.rand(500)}, r"far: expected a share in \(0, 0\.5\], got"),
        ({"far": 0.6, "impostor_distances": torch.rand(500)}, r"far: expected a share in \(0, 0\.5\]"),
        ({"far": math.nan, "impostor_distances": torch.rand(500)}, r"far: expected a share in \(0, 0\.5\]"),
        ({"far": 5e-324, "impostor_distances": torch.rand(500)}, "far: expected a share of at least 1e-12, got 5e-324"),
        ({"far": 1e-12, "impostor_distances": torch.rand(500)}, "expected at least 2,99"),
        ({"far": 0.1, "impostor_distances": torch.rand(99), "confidence": 1.0}, "confidence: expected a"),
        ({"far": 0.1, "impostor_distances": torch.rand(99), "confidence": 0.4}, r"a number in \[0\.5, 1\)"),
    ],
)
def test_bad_input_is_one_line(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        threshold_at(**arguments)
