"""The error estimate against the true error: exact where all rows are looked at, covered by its interval where not."""

import dataclasses
import math
from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor

from shoal.attention import (
    FeatureMap,
    create_feature_map,
    estimate_error,
    linear_attention,
    softmax_attention_reference,
    windowed_linear_attention,
)
from shoal.attention.sampling import draw_rows, ratio_interval, rows_ahead
from shoal.errors import InputError
from tests.attention.inputs import (
    BATCH,
    DIM,
    EVERY,
    distance,
    fitted,
    frobenius,
    mask,
    normal,
    qkv,
    ready,
    trained_like,
)


def true_errors(
    q: Tensor, k: Tensor, v: Tensor, phi: FeatureMap | None, *, window: int | None = None, **options: Any
) -> tuple[float, float]:
    """Of linear attention and of mean(V), over all rows of queries that are no padding."""
    if window is None:
        out = linear_attention(q, k, v, feature_map=phi, enable_gqa=True, **options)
    else:
        assert phi is not None
        out = windowed_linear_attention(q, k, v, feature_map=phi, window=window, enable_gqa=True, **options)
    exact = softmax_attention_reference(q, k, v, **options)
    mean = softmax_attention_reference(torch.zeros_like(q), k, v, **options)
    key_mask = options.get("key_mask")
    if key_mask is not None and q.shape[2] == k.shape[2]:
        keep = key_mask[:, None, :, None].expand_as(out)
        out, exact, mean = out[keep], exact[keep], mean[keep]
    return frobenius(out.detach(), exact), frobenius(mean, exact)


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("name", EVERY)
def test_all_rows_give_the_true_error(name: str, is_causal: bool) -> None:
    phi = ready(name, groups=2)
    q, k, v = qkv(90, name=name, groups=2)
    for key_mask in (None, mask(90)):
        options: dict[str, Any] = {"is_causal": is_causal, "key_mask": key_mask}
        found = estimate_error(q, k, v, phi, enable_gqa=True, rows=90, **options)
        value, baseline = true_errors(q, k, v, phi, **options)
        assert found.value == pytest.approx(value, rel=1e-9)
        assert found.baseline == pytest.approx(baseline, rel=1e-9)
        assert found.low == found.value == found.high
        assert (found.rows, found.confidence) == (90, 0.95)


@pytest.mark.parametrize("window", [1, 5, 89, 90])
@pytest.mark.parametrize("is_causal", [False, True])
def test_all_rows_give_the_true_error_with_a_window(window: int, is_causal: bool) -> None:
    for name in ("positive", "landmark"):
        phi = fitted(name)
        q, k, v = qkv(90, name=name)
        for key_mask in (None, mask(90)):
            options: dict[str, Any] = {"is_causal": is_causal, "key_mask": key_mask, "window": window}
            found = estimate_error(q, k, v, phi, **options)
            value, baseline = true_errors(q, k, v, phi, **options)
            assert found.value == pytest.approx(value, rel=1e-8, abs=1e-14)
            assert found.baseline == pytest.approx(baseline, rel=1e-9)


def test_all_rows_give_the_true_error_across_two_sequences_and_scales() -> None:
    phi = ready("positive")
    q, k, v = qkv(20, keys=300)
    for key_mask in (None, mask(300)):
        found = estimate_error(q, k, v, phi, key_mask=key_mask, scale=1.5)
        assert found.value == pytest.approx(true_errors(q, k, v, phi, key_mask=key_mask, scale=1.5)[0], rel=1e-9)


@pytest.mark.filterwarnings("ignore::shoal.attention.DenominatorWarning")
@pytest.mark.parametrize("is_causal", [False, True])
def test_rows_whose_denominator_fails_count_with_what_replaces_them(is_causal: bool) -> None:
    phi = create_feature_map("trig", DIM, 4)
    q, k, v = (3 * x if i < 2 else x for i, x in enumerate(qkv(80)))
    _, state = linear_attention(q, k, v, feature_map=phi, is_causal=is_causal, return_state=True)
    assert int(state.replaced.sum()) > 5
    found = estimate_error(q, k, v, phi, is_causal=is_causal)
    assert found.value == pytest.approx(true_errors(q, k, v, phi, is_causal=is_causal)[0], rel=1e-8)


def test_candidates_are_the_only_rows() -> None:
    phi = ready("positive")
    q, k, v = qkv(80)
    exact, out = softmax_attention_reference(q, k, v), linear_attention(q, k, v, feature_map=phi)
    at = torch.arange(40, 80)
    found = estimate_error(q, k, v, phi, candidates=at)
    assert found.rows == 40
    assert found.value == pytest.approx(frobenius(out[:, :, at], exact[:, :, at]), rel=1e-9)


def test_masked_garbage_is_not_looked_at() -> None:
    phi, key_mask = ready("positive"), mask(90)
    q, k, v = qkv(90)
    hidden = ~key_mask[:, None, :, None]
    found = estimate_error(
        q, k.masked_fill(hidden, torch.nan), v.masked_fill(hidden, torch.nan), phi, key_mask=key_mask
    )
    assert found == estimate_error(q, k, v, phi, key_mask=key_mask)


def inputs(kind: str, seed: int, n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Eight dimensions, two heads; isotropic, or with few strong directions and means away from 0."""
    if kind == "anisotropic":
        q, k, v = trained_like(n, dim=8, heads=2, spread=1.5, seed=seed)
        return q, k, v
    q, k, v = (normal(1, 2, n, 8, seed=3 * seed + i).float() for i in range(3))
    return 1.2 * q, 1.2 * k, v


def coverage(kind: str, is_causal: bool, draws: int, n: int) -> tuple[int, list[float]]:
    """How many of the draws' intervals hold the true error, and how wide they are relative to the value."""
    held, truth, widths = 0, 0.0, []
    phi = create_feature_map("positive", 8, 32)
    for seed in range(draws):
        q, k, v = inputs(kind, seed // 10, n)
        phi.redraw(seed // 10)
        if seed % 10 == 0:  # ten samples of rows for every draw of inputs and map
            truth = estimate_error(q, k, v, phi, is_causal=is_causal, rows=n).value
        found = estimate_error(q, k, v, phi, is_causal=is_causal, rows=64, seed=seed)
        assert 0 <= found.low <= found.value <= found.high
        assert found.rows <= 72
        held += found.low <= truth <= found.high
        widths.append((found.high - found.low) / found.value)
    return held, widths


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("kind", ["isotropic", "anisotropic"])
def test_intervals_hold_the_true_error(kind: str, is_causal: bool) -> None:
    held, widths = coverage(kind, is_causal, 60, 300)
    assert held >= stats.binom.ppf(1e-3, 60, 0.93)
    assert sorted(widths)[30] <= 0.5


@pytest.mark.slow
@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("kind", ["isotropic", "anisotropic"])
def test_intervals_hold_the_true_error_in_93_of_100_draws(kind: str, is_causal: bool) -> None:
    held, widths = coverage(kind, is_causal, 1000, 1024)
    assert held >= 930
    assert sorted(widths)[500] <= 0.5


def test_more_confidence_is_a_wider_interval() -> None:
    q, k, v = inputs("isotropic", 0, 300)
    phi = create_feature_map("positive", 8, 32)
    found = [estimate_error(q, k, v, phi, confidence=c, rows=40) for c in (0.5, 0.9, 0.99)]
    assert len({x.value for x in found}) == 1
    assert found[0].low > found[1].low > found[2].low
    assert found[0].high < found[1].high < found[2].high


def test_a_seed_is_a_sample() -> None:
    q, k, v = inputs("isotropic", 0, 300)
    phi = create_feature_map("positive", 8, 32)
    before = torch.get_rng_state()
    one, same, other = (estimate_error(q, k, v, phi, rows=40, seed=s) for s in (1, 1, 2))
    assert one == same
    assert one.value != other.value
    assert torch.equal(before, torch.get_rng_state())


def test_an_estimate_prints_its_numbers() -> None:
    q, k, v = qkv(30)
    found = estimate_error(q, k, v, ready("positive"))
    changed = dataclasses.replace(found, value=0.11, low=0.09, high=0.13, baseline=0.5)
    assert str(changed) == "0.11 [0.09, 0.13]; mean(V) has 0.5"


def test_no_gradient_is_recorded() -> None:
    q, k, v = (x.requires_grad_() for x in qkv(30))
    assert estimate_error(q, k, v, ready("learned")).value > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"confidence": 0.0}, "confidence: expected a number between 0 and 1, 0.95 for 95 %, got 0.0"),
        ({"confidence": 1}, "confidence"),
        ({"rows": 7}, "rows: expected a whole number >= 8, got 7"),
        ({"window": 0}, "window: expected a whole number >= 1, got 0"),
        ({"scale": -1.0}, "scale: expected a number > 0, got -1"),
        ({"key_mask": torch.zeros(BATCH, 20, dtype=torch.bool)}, "q, k and v: expected values that are not all 0"),
        ({"candidates": torch.arange(0)}, "expected"),
    ],
)
def test_bad_settings_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        estimate_error(*qkv(20), fitted("positive"), **options)


def test_bad_inputs_are_refused() -> None:
    q, k, v = qkv(20)
    phi = fitted("positive")
    with pytest.raises(InputError, match="q, k and v: expected values that are not all 0"):
        estimate_error(q, k, 0 * v, phi)
    spoiled = k.index_put((torch.tensor(0), torch.tensor(0), torch.tensor(3)), torch.tensor(torch.nan).double())
    with pytest.raises(InputError, match="k: expected finite numbers, got 4 NaN or infinite"):
        estimate_error(q, spoiled, v, phi)
    with pytest.raises(InputError, match="expected"):
        estimate_error(q[:, :, :0], k, v, phi)
    with pytest.raises(InputError, match="feature_map: expected a map that estimates"):
        estimate_error(q, q, v, fitted("elu"), window=3)


# ---------------------------------------------------------------------- sampling


def test_rows_drawn_ahead_are_those_of_every_longer_sequence() -> None:
    positions, weights = rows_ahead(20_000, whole=24, ratio=4 / 3, seed=0)
    assert positions.tolist() == sorted(set(positions.tolist()))
    assert positions[:24].tolist() == list(range(24))
    assert 100 < len(positions) < 120
    for length in (0, 1, 24, 25, 1000, 19_999):
        shorter, own = rows_ahead(length, whole=24, ratio=4 / 3, seed=0)
        assert torch.equal(shorter, positions[positions < length])
        assert torch.equal(own, weights[: len(own)])
        assert abs(float(own.sum()) - length) <= 0.1 * length


@pytest.mark.parametrize("growing", [False, True])
@pytest.mark.parametrize("total", [1, 7, 8, 9, 30, 127, 1000])
@pytest.mark.parametrize("count", [8, 9, 12, 64, 128])
def test_a_sample_stands_for_all_positions(total: int, count: int, growing: bool) -> None:
    everything = torch.arange(total) * 3 + 1
    sample = draw_rows(everything, count, growing=growing, seed=0)
    positions = sample.positions.tolist()
    assert positions == sorted(set(positions))
    assert set(positions) <= set(everything.tolist())
    assert int(sample.sizes.sum()) == total
    assert float(sample.weights.sum()) == pytest.approx(total)
    assert min(count, total) - 4 <= len(positions) <= count + 4
    drawn = torch.bincount(sample.stratum, minlength=len(sample.sizes))
    assert bool(((drawn == sample.sizes) | (drawn >= 2)).all())  # else a stratum has no variance
    if total > count and growing:
        assert positions[: count // 4] == everything[: count // 4].tolist()


def test_every_position_is_drawn_as_often_as_its_weight_says() -> None:
    for growing in (False, True):
        total = torch.zeros(200, dtype=torch.float64)
        for seed in range(400):
            sample = draw_rows(torch.arange(200), 32, growing=growing, seed=seed)
            total[sample.positions] += sample.weights  # expectation 1 for each
        weight = draw_rows(torch.arange(200), 32, growing=growing, seed=0).weights.max()
        assert distance(total / 400, torch.ones(200).double()) < 5 * float((weight / 400).sqrt())


def test_the_interval_of_a_ratio_is_the_jackknifes() -> None:
    """Against the textbook's sums with loops: each position left out in turn, in two strata."""
    sizes = torch.tensor([50, 20])
    sample = dataclasses.replace(
        draw_rows(torch.arange(70), 8, growing=False, seed=1), stratum=torch.tensor([0] * 5 + [1] * 3), sizes=sizes
    )
    error, size = normal(8, seed=1).abs(), normal(8, seed=2).abs() + 1
    strata = [list(range(5)), list(range(5, 8))]

    def log_ratio(kept: list[list[int]]) -> float:
        totals = [sum(n * x[rows].mean() for n, rows in zip(sizes.tolist(), kept, strict=True)) for x in (error, size)]
        return math.log(float(totals[0]) / float(totals[1]))

    parts = []
    for h, rows in enumerate(strata):
        without = [log_ratio([[j for j in own if j != i] for own in strata]) for i in rows]
        centre = sum(without) / len(rows)
        spread = sum((x - centre) ** 2 for x in without)
        parts.append((len(rows) - 1) / len(rows) * (1 - len(rows) / int(sizes[h])) * spread)
    freedom = sum(parts) ** 2 / sum(part**2 / (len(rows) - 1) for part, rows in zip(parts, strata, strict=True))
    ratio, low, high = ratio_interval(error, size, sample, 0.9)
    assert math.log(ratio) == pytest.approx(log_ratio(strata))
    assert math.log(high / ratio) == pytest.approx(float(stats.t.ppf(0.95, freedom)) * sum(parts) ** 0.5)
    assert low * high == pytest.approx(ratio**2)
