"""The windowed form against a dense one: exact weights inside, the map's outside, one normaliser."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import shoal.attention.blocks
import shoal.attention.local
from shoal.attention import (
    DenominatorWarning,
    FeatureMap,
    create_feature_map,
    softmax_attention_reference,
    windowed_linear_attention,
)
from shoal.errors import InputError
from tests.attention.inputs import BATCH, DIM, KERNEL, distance, fewer_examples, fitted, mask, qkv, set_sizes

MAPS = [*KERNEL, "learned"]


@pytest.fixture(autouse=True)
def _without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def dense(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    phi: FeatureMap,
    window: int,
    *,
    is_causal: bool = False,
    key_mask: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """All weights written out, in absolute scale."""
    factor: float = q.shape[-1] ** -0.5 if scale is None else scale
    batch, heads, length, dim = k.shape
    far = phi.queries(q.reshape(batch, heads, -1, dim), factor).linear() @ phi.keys(k, factor).linear().mT
    far = far.reshape(batch, q.shape[1], length, length)
    k, v = (x.repeat_interleave(q.shape[1] // heads, 1) for x in (k, v))
    i, j = torch.arange(length)[:, None], torch.arange(length)
    weights = torch.where((i - j).abs() < window, (factor * q @ k.mT).exp(), far)
    weights = weights.masked_fill(j > i, 0.0) if is_causal else weights
    weights = weights if key_mask is None else weights.masked_fill(~key_mask[:, None, None, :], 0.0)
    return (weights @ v / weights.sum(-1, keepdim=True)).nan_to_num(0.0)


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("is_causal", [False, True])
def test_equals_the_dense_form_at_every_window(name: str, is_causal: bool) -> None:
    for window in (1, 2, 64, 69, 1000):
        phi = fitted(name, window=window)
        q, k, v = qkv(70, name=name)
        found = windowed_linear_attention(q, k, v, feature_map=phi, window=window, is_causal=is_causal)
        assert distance(found, dense(q, k, v, phi, window, is_causal=is_causal)) < 1e-10, window


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("is_causal", [False, True])
def test_equals_the_dense_form_with_shared_heads_masks_and_another_scale(name: str, is_causal: bool) -> None:
    phi, key_mask = fitted(name, groups=2, window=10), mask(150)
    q, k, v = qkv(150, name=name, groups=2)
    options: dict[str, Any] = {"is_causal": is_causal, "key_mask": key_mask, "scale": 0.3}
    found = windowed_linear_attention(q, k, v, feature_map=phi, window=10, enable_gqa=True, **options)
    assert distance(found, dense(q, k, v, phi, 10, **options)) < 1e-10


@fewer_examples
@given(
    name=st.sampled_from(["positive", "hyperbolic", "oprf", "learned"]),
    length=st.integers(1, 150),
    window=st.integers(1, 160),
    is_causal=st.booleans(),
    masked=st.booleans(),
)
def test_equals_the_dense_form_whatever_the_call(
    name: str, length: int, window: int, is_causal: bool, masked: bool
) -> None:
    phi, (q, k, v) = fitted(name, window=3), qkv(length, name=name)
    options: dict[str, Any] = {"is_causal": is_causal, "key_mask": mask(length) if masked else None}
    with torch.no_grad():
        found = windowed_linear_attention(q, k, v, feature_map=phi, window=window, **options)
        assert distance(found, dense(q, k, v, phi, window, **options)) < 1e-10


@pytest.mark.parametrize("is_causal", [False, True])
def test_a_window_that_holds_everything_is_softmax(is_causal: bool) -> None:
    """The map does not matter then, however bad it is."""
    q, k, v = (20 * x if i < 2 else x for i, x in enumerate(qkv(140)))
    for name in ("trig", "positive", "landmark"):
        for key_mask in (None, mask(140)):
            options: dict[str, Any] = {"is_causal": is_causal, "key_mask": key_mask}
            found = windowed_linear_attention(q, k, v, feature_map=fitted(name), window=140, **options)
            assert distance(found, softmax_attention_reference(q, k, v, **options)) < 1e-12


@pytest.mark.parametrize("block", [1, 7, 1000])
@pytest.mark.parametrize("is_causal", [False, True])
def test_blocks_change_nothing(block: int, is_causal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    set_sizes(monkeypatch, queries=block)
    monkeypatch.setattr(shoal.attention.blocks, "BLOCK", block)
    phi, (q, k, v) = fitted("positive"), qkv(50)
    found = windowed_linear_attention(q, k, v, feature_map=phi, window=9, is_causal=is_causal)
    assert distance(found, dense(q, k, v, phi, 9, is_causal=is_causal)) < 1e-12


def test_half_precisions_are_near_float64() -> None:
    phi = fitted("positive")
    for dtype, bound in ((torch.float32, 2e-5), (torch.bfloat16, 2**-7), (torch.float16, 2**-10)):
        q, k, v = (x.to(dtype) for x in qkv(130))
        found = windowed_linear_attention(q, k, v, feature_map=phi, window=20)
        assert found.dtype == dtype
        assert distance(found, dense(q.double(), k.double(), v.double(), phi, 20)) < bound


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("top", [1e6, pytest.param(1e4, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore::shoal.attention.DenominatorWarning")
def test_outputs_and_gradients_are_finite_at_any_norm(name: str, top: float) -> None:
    phi = fitted(name, window=5)
    q, k, v = (x.float() for x in qkv(70, name=name))
    root = (top / float((0.5 * q @ k.mT).abs().max())) ** 0.5
    for is_causal in (False, True):
        leaves = [(root * q).requires_grad_(), (root * k).requires_grad_(), v.clone().requires_grad_()]
        with torch.enable_grad():
            out = windowed_linear_attention(*leaves, feature_map=phi, window=5, is_causal=is_causal)
            assert out.isfinite().all()
            assert all(g.isfinite().all() for g in torch.autograd.grad(out.square().sum(), leaves))


def test_rows_that_see_nothing_are_0() -> None:
    q, k, v = qkv(30)
    key_mask = torch.ones(BATCH, 30, dtype=torch.bool)
    key_mask[0, :10] = False
    key_mask[1] = False
    out = windowed_linear_attention(
        q, k, v, feature_map=fitted("positive"), window=3, is_causal=True, key_mask=key_mask
    )
    assert not out[0, :, :10].any()
    assert not out[1].any()
    assert out[0, :, 10:].abs().amin() > 0


def test_a_bad_far_field_is_left_out_and_reported() -> None:
    """trig with two features and large keys: denominators of any sign beyond the window."""
    phi = create_feature_map("trig", DIM, 2)
    q, k, v = (6 * x if i < 2 else x for i, x in enumerate(qkv(60)))
    far = phi.queries(q).linear() @ phi.keys(k).linear().mT
    i, j = torch.arange(60)[:, None], torch.arange(60)
    far = far.masked_fill(i - j < 5, 0.0)
    bad = (far.sum(-1) <= 0) & (torch.arange(60) >= 5)
    assert 0 < int(bad.sum()) < bad.numel()
    with pytest.warns(DenominatorWarning, match="they got the window alone"):
        out = windowed_linear_attention(q, k, v, feature_map=phi, window=5, is_causal=True)
    inside = (0.5 * q @ k.mT).masked_fill((j > i) | (i - j >= 5), -torch.inf).softmax(-1) @ v
    assert distance(out[bad], inside[bad]) < 1e-10
    assert out.isfinite().all()


@pytest.mark.parametrize("name", ["elu", "relu", "learned"])
def test_maps_that_do_not_estimate_the_kernel_are_refused(name: str) -> None:
    q, k, v = qkv(9)
    fix = r"fit it for this use: .fit\(q, k, v, window=4\)" if name == "learned" else "far field"
    with pytest.raises(InputError, match=rf"feature_map: expected a map that estimates.*got '{name}'; .*{fix}"):
        windowed_linear_attention(q, k, v, feature_map=fitted(name), window=4)


@pytest.mark.parametrize("window", [0, -1, True])
def test_windows_below_1_are_refused(window: int) -> None:
    with pytest.raises(InputError, match="window: expected a whole number >= 1"):
        windowed_linear_attention(*qkv(9), feature_map=fitted("positive"), window=window)


@pytest.mark.parametrize("is_causal", [False, True])
def test_nothing_gives_nothing(is_causal: bool) -> None:
    out = windowed_linear_attention(*qkv(0), feature_map=fitted("positive"), window=3, is_causal=is_causal)
    assert out.shape[2] == 0
