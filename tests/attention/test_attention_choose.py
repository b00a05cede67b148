"""The choice of a map: the cheapest that meets the target, or that none does."""

from typing import Any

import pytest
import torch
from torch import Tensor

from shoal.attention import choose_feature_map, estimate_error, list_feature_maps
from shoal.attention.choose import macs_per_token
from shoal.errors import InputError
from tests.attention.inputs import normal, trained_like


def isotropic(n: int, size: float, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    q, k, v = (normal(1, 2, n, 8, seed=3 * seed + i).float() for i in range(3))
    return size * q, size * k, v


QUICK = [name for name in list_feature_maps() if name not in ("landmark", "learned")]


@pytest.mark.parametrize("is_causal", [False, True])
def test_the_cheapest_that_meets_the_target_is_taken(is_causal: bool) -> None:
    q, k, v = isotropic(1200, 0.6)
    told: list[str] = []
    found = choose_feature_map(
        q, k, v, target_error=0.6, is_causal=is_causal, names=QUICK, counts=(16, 32, 64), told=told.append
    )
    assert not found.exact_needed
    assert not found.exact_needed
    macs = [c.macs for c in found.tried]
    assert macs == sorted(macs)
    *skipped, taken = found.tried
    assert taken.meets
    assert (taken.name, taken.num_features) == (found.feature_map.name, found.feature_map.num_features)
    assert not any(c.meets for c in skipped)
    assert taken.error is not None
    assert taken.error.high <= 0.6
    for c in skipped:  # all were tried, and failed
        assert c.error is not None
        assert c.error.high > 0.6
    assert all(c.share == pytest.approx(c.macs / (1200 * 16 / (1 + is_causal))) for c in found.tried)
    assert len(told) == len(found.tried)
    assert f"take {taken.name} with {taken.num_features} features" in str(found)
    # what is promised is what the map does on the positions it was not fitted on
    again = estimate_error(q, k, v, found.feature_map, is_causal=is_causal, candidates=torch.arange(600, 1200))
    assert again == taken.error


def test_a_lower_target_is_never_cheaper() -> None:
    q, k, v = isotropic(2000, 0.5)
    shares = []
    for target in (2.0, 0.3, 0.19):
        found = choose_feature_map(q, k, v, target_error=target, names=["positive"], counts=(8, 32, 128, 512))
        assert not found.exact_needed
        shares.append(found.tried[-1].share)
    assert shares == sorted(shares)
    assert shares[0] < shares[-1]


def test_exact_attention_is_needed_where_nothing_reaches_the_target() -> None:
    q, k, v = isotropic(500, 3.0)
    found = choose_feature_map(q, k, v, target_error=0.1, names=QUICK, counts=(16, 64))
    assert found.exact_needed
    with pytest.raises(InputError, match="got none that costs less than exact attention; take torch's"):
        _ = found.feature_map  # None would be taken for ready features by linear_attention
    assert {c.name for c in found.tried} == set(QUICK)
    assert not any(c.meets for c in found.tried)
    assert "use exact attention" in str(found)


def test_what_costs_as_much_as_exact_attention_is_not_tried() -> None:
    q, k, v = isotropic(128, 0.1)
    found = choose_feature_map(q, k, v, target_error=1e-6, names=["positive"], counts=(4, 512))
    cheap, dear = found.tried
    assert cheap.error is not None
    assert dear.error is None
    assert dear.share >= 1
    assert dear.note == "not tried: costs as much as exact attention"
    assert dear.note in str(found)


def test_what_cannot_be_fitted_is_noted() -> None:
    q, k, v = isotropic(4096, 3.0)
    found = choose_feature_map(q[:, :1, :1300], k[:, :1, :1300], v[:, :1, :1300], target_error=1e-6,
                               names=["learned"], counts=(700,), window=1)  # fmt: skip
    assert len(found.tried) == 1
    assert found.tried[0].error is None
    assert found.exact_needed


def test_maps_that_no_window_can_use_are_left_out() -> None:
    q, k, v = isotropic(600, 0.5)
    found = choose_feature_map(
        q, k, v, target_error=1e-9, names=["elu", "relu", "taylor", "positive"], counts=(8,), window=9
    )
    assert {c.name for c in found.tried} == {"taylor", "positive"}
    with_all = choose_feature_map(q, k, v, target_error=0.5, names=["positive"], counts=(8,), window=64)
    assert with_all.tried[0].macs > found.tried[0].macs


def test_fitted_maps_are_chosen_on_inputs_like_trained_ones() -> None:
    q, k, v = trained_like(3000, seed=4)
    names = ["positive", "trig", "landmark"]
    found = choose_feature_map(q, k, v, target_error=0.75, names=names, counts=(32, 64, 128))
    assert not found.exact_needed
    assert found.feature_map.name == "landmark"


@pytest.mark.slow  # a thousand steps of training
def test_learned_comes_last_and_is_fitted_for_its_window() -> None:
    q, k, v = isotropic(300, 3.0)
    found = choose_feature_map(q, k, v, target_error=5.0, names=["learned"], counts=(8,), window=20)
    assert not found.exact_needed
    assert found.feature_map.estimates_softmax


def test_arithmetic_is_counted_as_it_is_done() -> None:
    """Features of query and key, taking the key in, reading the query, a block of 64 weights with their values."""
    from shoal.attention import create_feature_map

    d, m, r = 8, 5, 32
    expected = 2 * d * r + 2 * r * (m + 1) + 64 * (r + m)
    assert macs_per_token(create_feature_map("positive", d, r), m) == expected
    assert macs_per_token(create_feature_map("landmark", d, r), m) == expected + r * r
    assert macs_per_token(create_feature_map("elu", d, r), m) == 2 * d * (m + 1) + 64 * (d + m)


@pytest.mark.parametrize(
    ("options", "length", "message"),
    [
        ({"target_error": 0.0}, 64, "target_error: expected a number > 0, 0.1 for 10 %, got 0"),
        ({"target_error": float("nan")}, 64, "target_error"),
        ({"target_error": 0.1}, 63, "q and k: expected as many queries as keys, at least 64, got 63 and 63"),
        ({"target_error": 0.1, "names": ["positiv"]}, 64, "unknown feature map 'positiv'; did you mean 'positive'"),
        ({"target_error": 0.1, "counts": (0,)}, 64, "num_features: expected a"),
        ({"target_error": 0.1, "confidence": 2.0}, 640, "confidence"),
        ({"target_error": 0.1, "window": 0}, 640, "window: expected a whole number >= 1, got 0"),
    ],
)
def test_bad_settings_are_refused(options: dict[str, Any], length: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        choose_feature_map(*isotropic(length, 1.0), **options)
