"""LFW's protocol, VAL at FAR and the ROC, against slow readings of their definitions and scikit-learn."""

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve
from torch.nn.functional import normalize

from shoal.errors import InputError
from shoal.faces.by_group import by_group
from shoal.faces.pair_distances import pair_distances
from shoal.faces.roc import most_accurate_threshold, roc, threshold_for_far
from shoal.faces.verification import verification, verify_distances
from shoal.measure import proportion_interval

DISTANCES = st.integers(0, 60).map(lambda steps: steps / 15)  # with ties


def some(pairs: int, *, seed: int = 0, ties: bool = False) -> tuple[torch.Tensor, torch.Tensor]:
    """Distances of matched pairs about 0.8, of mismatched ones about 1.4; the kinds mixed."""
    generator = torch.Generator().manual_seed(seed)
    same = torch.arange(pairs) % 2 == 0
    distances = (1.4 - 0.6 * same + 0.4 * torch.randn(pairs, generator=generator)).abs().double()
    return (distances * 5).round() / 5 if ties else distances, same


def candidates(distances: list[float]) -> list[float]:
    """One threshold between any two distances that differ, one below and one above all."""
    values = sorted(set(distances))
    return [math.nextafter(values[0], -math.inf), *((a + b) / 2 for a, b in pairwise(values)), values[-1]]


def accuracy_at(threshold: float, distances: list[float], same: list[bool]) -> float:
    return sum((d <= threshold) == s for d, s in zip(distances, same, strict=True)) / len(same)


def reference(
    distances: torch.Tensor, same: torch.Tensor, fold: torch.Tensor, far: float
) -> tuple[list[float], list[float], list[float]]:
    """Accuracy, VAL and FAR of each part, by trying every threshold on the others."""
    accuracy, val, measured = [], [], []
    for part in sorted(set(fold.tolist())):
        rows = list(zip(distances.tolist(), same.tolist(), fold.tolist(), strict=True))
        others = [(d, s) for d, s, f in rows if f != part]
        here = [(d, s) for d, s, f in rows if f == part]
        d_others, s_others = [d for d, _ in others], [s for _, s in others]
        tried = candidates(d_others)
        best = max(tried, key=lambda t: (accuracy_at(t, d_others, s_others), -t))
        accuracy.append(accuracy_at(best, [d for d, _ in here], [s for _, s in here]))
        impostors = [d for d, s in others if not s]
        most = far * len(impostors) + 1e-9
        chosen = max(t for t in candidates(impostors) if sum(d <= t for d in impostors) <= most)
        val.append(np.mean([d <= chosen for d, s in here if s]))
        measured.append(np.mean([d <= chosen for d, s in here if not s]))
    return accuracy, val, measured


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", list(range(12)))
def test_it_is_what_its_definition_says(seed: int, ties: bool) -> None:
    distances, same = some(200 + 10 * seed, seed=seed, ties=ties)
    fold = torch.arange(len(same)) // 2 % (3 + seed % 8)
    far = (0.01, 0.05, 0.1, 0.29, 0.6)[seed % 5]
    result = verify_distances(distances, same, fold=fold, far=(far,))
    accuracy, val, measured = reference(distances, same, fold, far)
    assert result.fold_accuracy == pytest.approx(accuracy)
    assert result.accuracy == pytest.approx(np.mean(accuracy))
    assert result.standard_error == pytest.approx(np.std(accuracy, ddof=1) / math.sqrt(len(accuracy)))
    row = result.at(far)
    assert row.val == pytest.approx(np.mean(val))
    assert row.standard_error == pytest.approx(np.std(val, ddof=1) / math.sqrt(len(val)))
    assert row.far_measured == pytest.approx(np.mean(measured))
    assert row.far_standard_error == pytest.approx(np.std(measured, ddof=1) / math.sqrt(len(measured)))


@given(rows=st.lists(st.tuples(DISTANCES, st.booleans()), min_size=1, max_size=30))
def test_the_most_accurate_threshold_is_the_lowest_of_the_best(rows: list[tuple[float, bool]]) -> None:
    distances, same = [d for d, _ in rows], [s for _, s in rows]
    found = most_accurate_threshold(torch.tensor(distances, dtype=torch.float64), torch.tensor(same))
    best = max(accuracy_at(t, distances, same) for t in candidates(distances))
    assert accuracy_at(found, distances, same) == best
    accepted = sum(d <= found for d in distances)
    lower = [t for t in candidates(distances) if sum(d <= t for d in distances) < accepted]
    assert all(accuracy_at(t, distances, same) < best for t in lower)


@given(impostors=st.lists(DISTANCES, min_size=1, max_size=40), far=st.floats(0, 0.99))
def test_a_threshold_for_a_rate_keeps_to_it_and_none_accepts_more(impostors: list[float], far: float) -> None:
    found = threshold_for_far(torch.tensor(impostors, dtype=torch.float64).sort().values, far)
    accepted = sum(d <= found for d in impostors)
    assert accepted <= far * len(impostors) + 1e-6
    following = min((d for d in impostors if d > found), default=math.inf)
    assert sum(d <= following for d in impostors) > far * len(impostors) - 1e-6


class TestRoc:
    @pytest.mark.parametrize("ties", [False, True])
    @pytest.mark.parametrize("seed", list(range(5)))
    def test_it_is_scikit_learns(self, seed: int, ties: bool) -> None:
        distances, same = some(301, seed=seed, ties=ties)
        curve = roc(distances, same)
        fpr, tpr, thresholds = roc_curve(same.numpy(), -distances.numpy(), drop_intermediate=False)
        assert curve.fpr.numpy() == pytest.approx(fpr)
        assert curve.tpr.numpy() == pytest.approx(tpr)
        assert curve.auc == pytest.approx(roc_auc_score(same.numpy(), -distances.numpy()))
        assert bool((curve.thresholds[1:].numpy() >= -thresholds[1:]).all())
        for i, threshold in enumerate(curve.thresholds.tolist()):
            accepted = distances <= threshold
            assert float((accepted & same).sum() / same.sum()) == pytest.approx(float(curve.tpr[i]))
            assert float((accepted & ~same).sum() / (~same).sum()) == pytest.approx(float(curve.fpr[i]))

    def test_alike_distances_are_a_coin(self) -> None:
        curve = roc(torch.full((10,), 0.3), torch.arange(10) % 2 == 0)
        assert (curve.fpr.tolist(), curve.tpr.tolist(), curve.auc) == ([0.0, 1.0], [0.0, 1.0], 0.5)

    def test_neighbouring_numbers_are_told_apart(self) -> None:
        low = 1.0
        high = math.nextafter(low, 2)
        curve = roc(torch.tensor([low, high], dtype=torch.float64), torch.tensor([True, False]))
        assert curve.auc == 1
        assert low <= float(curve.thresholds[1]) < high


class TestVerification:
    def test_of_embeddings(self) -> None:
        generator = torch.Generator().manual_seed(0)
        a, b = (normalize(torch.randn(400, 16, generator=generator), dim=1) for _ in range(2))
        same = torch.arange(400) % 2 == 0
        b = normalize(torch.where(same[:, None], a + 0.4 * b, b), dim=1)
        result = verification(a, b, same)
        other = verify_distances((a - b).double().square().sum(1), same)
        assert result.accuracy == pytest.approx(other.accuracy)
        assert len(result.fold_accuracy) == 10
        assert 0.85 < result.accuracy <= 1
        assert 0 <= result.at(0.1).val <= 1
        assert (result.matched, result.mismatched) == (200, 200)
        assert not result.at(1e-3).resolved
        assert result.at(0.1).resolved
        half = verification(a.half(), b.half(), same)
        assert half.accuracy == pytest.approx(result.accuracy, abs=0.02)

    def test_distances_are_squared_and_exact(self) -> None:
        generator = torch.Generator().manual_seed(1)
        a, b = torch.randn(50, 8, generator=generator), torch.randn(50, 8, generator=generator)
        rows = zip(a.tolist(), b.tolist(), strict=True)
        slow = [sum((x - y) ** 2 for x, y in zip(p, q, strict=True)) for p, q in rows]
        assert pair_distances(a, b).tolist() == pytest.approx(slow)
        assert pair_distances(a, a).tolist() == [0.0] * 50

    def test_pairs_in_file_order_get_the_folds_of_the_file(self) -> None:
        distances, _ = some(600)
        same = torch.arange(600) // 30 % 2 == 0  # as View 2 has them, with 30 for 300
        by_hand = verify_distances(distances, same, fold=torch.arange(600) // 60)
        assert by_hand.fold_accuracy == verify_distances(distances, same, folds=10).fold_accuracy

    def test_perfect_and_reversed(self) -> None:
        same = torch.arange(100) % 2 == 0
        perfect = verify_distances(torch.where(same, 0.1, 1.5), same)
        assert (perfect.accuracy, perfect.standard_error, perfect.auc, perfect.at(0.1).val) == (1, 0, 1, 1)
        reversed_ = verify_distances(torch.where(same, 1.5, 0.1), same)
        assert reversed_.accuracy <= 0.5
        assert (reversed_.auc, reversed_.at(0.1).val) == (0, 0)

    def test_it_can_be_read(self) -> None:
        result = verify_distances(*some(400), far=(1e-4, 0.1))
        assert " ± " in str(result)
        assert "too few mismatched pairs to measure so small a rate" in str(result)
        html = result._repr_html_()
        accuracy, auc = f"{100 * result.accuracy:.2f}", f"{result.auc:.4f}"
        for text in (accuracy, "200 matched, 200 mismatched", "FAR 0.1", auc):
            assert text in html
        with pytest.raises(InputError, match=r"far: expected one of 0\.0001, 0\.1, got 0\.2"):
            result.at(0.2)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"a": torch.ones(5, 2)}, r"two tensors \[pairs, dim\] of one shape, got \[5, 2\] and \[40, 2\]"),
            ({"same": torch.ones(3, dtype=torch.bool)}, r"distances and same: .* got \[40\] and \[3\]"),
            (
                {"a": torch.full((40, 2), math.nan)},
                "first embeddings: expected finite rows, none of them zero, got NaN",
            ),
            ({"b": torch.full((40, 2), math.inf)}, "second embeddings: .* NaN or infinity in 40 of 40 rows"),
            ({"b": torch.zeros(40, 2)}, "second embeddings: .* only zeros in 40 of 40 rows, the first"),
            (
                {"same": torch.ones(40, dtype=torch.bool)},
                "expected matched and mismatched ones, got 40, all of them matched",
            ),
            ({"same": torch.zeros(40, dtype=torch.bool)}, "got 40, all of them mismatched"),
            ({"folds": 1}, "folds: expected at least 2, got 1"),
            ({"folds": 25}, "folds: expected at most 20, as many as there are pairs of the rarer kind, got 25"),
            ({"fold": torch.arange(20) // 10}, r"fold: expected whole numbers \[40\], one per pair"),
            ({"fold": torch.zeros(40, dtype=torch.int64)}, "fold: expected at least 2 different parts, got 1"),
            ({"fold": torch.arange(40) % 2}, "fold 0: expected .* 20 matched and 0 mismatched; give more"),
            ({"far": (0.0,)}, r"far: expected rates in \(0, 1\), got 0\.0; give 0\.1 % as 0\.001"),
            ({"far": (1.0,)}, r"far: expected rates in \(0, 1\)"),
            ({"far": (math.nan,)}, r"far: expected rates in \(0, 1\)"),
        ],
    )
    def test_bad_input_is_one_line(self, change: dict[str, Any], message: str) -> None:
        rows = torch.ones(40, 2)
        arguments: dict[str, Any] = {"a": rows, "b": rows, "same": torch.arange(40) % 2 == 0, **change}
        with pytest.raises(InputError, match=message):
            verification(arguments.pop("a"), arguments.pop("b"), arguments.pop("same"), **arguments)

    @pytest.mark.parametrize("bad", [math.nan, -0.1, math.inf])
    def test_what_is_no_distance_is_refused(self, bad: float) -> None:
        distances, same = some(40)
        distances[7] = bad
        with pytest.raises(InputError, match=r"distances: expected finite numbers >= 0, got .* in pair 7"):
            verify_distances(distances, same)

    def test_no_pairs_are_refused(self) -> None:
        with pytest.raises(InputError, match="expected matched and mismatched ones, got none"):
            verify_distances(torch.empty(0), torch.empty(0, dtype=torch.bool))


class TestGroups:
    def test_rates_are_counted(self) -> None:
        distances, same = some(300)
        groups = [("old", "young", "child")[i % 3] for i in range(300)]
        table = by_group(distances, same, groups, threshold=1.1)
        assert [row.group for row in table] == ["old", "young", "child"]
        for k, row in enumerate(table):
            d, s = distances[k::3].tolist(), same[k::3].tolist()
            false_accepts = sum(x <= 1.1 and not y for x, y in zip(d, s, strict=True))
            false_rejects = sum(x > 1.1 and y for x, y in zip(d, s, strict=True))
            assert row.far == proportion_interval(false_accepts, row.mismatched)
            assert row.frr == proportion_interval(false_rejects, row.matched)
            assert row.accuracy == proportion_interval(100 - false_accepts - false_rejects, 100)
            assert (row.matched, row.mismatched) == (sum(s), 100 - sum(s))
        html = table._repr_html_()
        assert html.count("<tr>") == 4
        assert "young" in html

    def test_what_was_not_measured_is_not_zero(self) -> None:
        same = torch.tensor([True, True, False])
        table = by_group(torch.tensor([0.1, 0.2, 1.9]), same, ["a", "b", "b"], threshold=1)
        assert table[0].far is None
        assert "FAR not measured" in str(table[0])
        assert "–" in table._repr_html_()
        assert table[1].far is not None
        assert table[1].far.high > 0.5  # one pair proves little

    def test_bad_input_is_one_line(self) -> None:
        distances, same = some(10)
        with pytest.raises(InputError, match="groups: expected one of each of 10 pairs, got 3"):
            by_group(distances, same, ["a"] * 3, threshold=1)
        with pytest.raises(InputError, match="threshold: expected a squared distance >= 0, got nan"):
            by_group(distances, same, ["a"] * 10, threshold=math.nan)
