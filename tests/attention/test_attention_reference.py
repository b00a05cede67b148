"""The references against torch's own attention and against plain loops."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from shoal.attention import kernel_matrix, linear_attention_reference, softmax_attention_reference
from tests.attention.inputs import BATCH, DIM, EVERY, HEADS, M, distance, mask, normal, qkv, ready


@pytest.mark.parametrize("size", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("dim", [1, 3, 16, 64])
def test_softmax_is_a_gaussian_kernel_with_two_factors(dim: int, size: float) -> None:
    """exp(q·k/√D) = exp(|q|²/2σ²) exp(|k|²/2σ²) exp(−|q−k|²/2σ²), σ² = √D: what `trig` starts from."""
    q, k = size * normal(40, dim, seed=1), size * normal(30, dim, seed=2)
    variance = dim**0.5
    gaussian = (-torch.cdist(q, k, compute_mode="donot_use_mm_for_euclid_dist").square() / (2 * variance)).exp()
    factors = [(x.square().sum(-1) / (2 * variance)).exp() for x in (q, k)]
    found = factors[0][:, None] * factors[1] * gaussian
    exact = (q @ k.T / dim**0.5).exp()
    # rounding grows with the exponents that cancel, by eps each
    exponents = q.square().sum(-1)[:, None] / variance + k.square().sum(-1) / variance
    assert bool(((found / exact - 1).abs() <= 4 * torch.finfo(torch.float64).eps * (2 + exponents)).all())


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("scale", [None, 0.3])
def test_exact_attention_is_torchs(is_causal: bool, masked: bool, scale: float | None) -> None:
    q, k, v = qkv(33, groups=3)
    key_mask = mask(33) if masked else None
    if key_mask is not None:
        key_mask[:, 0] = True  # torch makes rows without keys NaN
    seen = torch.ones(33, 33, dtype=torch.bool)
    seen = seen.tril() if is_causal else seen
    seen = seen if key_mask is None else seen & key_mask[:, None, None, :]
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=seen, scale=scale, enable_gqa=True)
    found = softmax_attention_reference(q, k, v, is_causal=is_causal, key_mask=key_mask, scale=scale)
    assert distance(found, expected) < 1e-14


@torch.no_grad()
def loop(q: Tensor, k: Tensor, v: Tensor, name: str, is_causal: bool, key_mask: Tensor | None) -> Tensor:
    """Row by row, key by key, from the features themselves."""
    phi, groups = ready(name), q.shape[1] // k.shape[1]
    out = torch.zeros(*q.shape[:3], v.shape[3], dtype=torch.float64)
    if phi is None:
        phi_q, phi_k = q, k
    else:
        phi_q = torch.cat([phi.queries(q[:, g::groups]).linear()[:, :, None] for g in range(groups)], 2).flatten(1, 2)
        phi_k = phi.keys(k).linear()
    for b in range(q.shape[0]):
        for h in range(q.shape[1]):
            for i in range(q.shape[2]):
                total, weight = torch.zeros(v.shape[3], dtype=torch.float64), 0.0
                for j in range(i + 1 if is_causal else k.shape[2]):
                    if key_mask is None or bool(key_mask[b, j]):
                        w = float(phi_q[b, h, i] @ phi_k[b, h // groups, j])
                        total, weight = total + w * v[b, h // groups, j], weight + w
                out[b, h, i] = total / weight if weight else total
    return out


@pytest.mark.parametrize("name", EVERY)
def test_linear_attention_is_a_loop_over_keys(name: str) -> None:
    q, k, v = qkv(7, name=name, groups=2)
    for is_causal, key_mask in [(False, None), (True, mask(7))]:
        found = linear_attention_reference(q, k, v, feature_map=ready(name), is_causal=is_causal, key_mask=key_mask)
        assert distance(found, loop(q, k, v, name, is_causal, key_mask)) < 1e-12


@pytest.mark.parametrize("name", ["positive", "oprf", "trig", "landmark"])
def test_rows_of_the_kernel_are_features_products_up_to_a_factor(name: str) -> None:
    """For trig and landmark too, whose queries have one factor per row."""
    q, k, _ = qkv(9)
    phi = ready(name)
    assert phi is not None
    found, expected = kernel_matrix(q, k, phi), phi.queries(q).linear() @ phi.keys(k).linear().mT
    assert distance(found / found[..., :1], expected / expected[..., :1]) < 1e-10


def test_rows_that_see_nothing_are_0() -> None:
    q, k, v = qkv(5)
    nothing = torch.zeros(BATCH, 5, dtype=torch.bool)
    assert torch.equal(softmax_attention_reference(q, k, v, key_mask=nothing), torch.zeros(BATCH, HEADS, 5, M).double())
    phi = ready("positive")
    assert not linear_attention_reference(q, k, v, feature_map=phi, key_mask=nothing).any()


def test_exact_attention_does_not_see_a_shift_of_all_keys() -> None:
    q, k, v = qkv(20)
    shift = normal(HEADS, 1, DIM, seed=9)
    for is_causal in (False, True):
        found = softmax_attention_reference(q, k + shift, v, is_causal=is_causal)
        assert distance(found, softmax_attention_reference(q, k, v, is_causal=is_causal)) < 1e-13


def test_exact_attention_does_not_see_a_change_of_basis() -> None:
    q, k, v = qkv(20)
    psi = normal(DIM, DIM, seed=5) + 2 * torch.eye(DIM, dtype=torch.float64)
    found = softmax_attention_reference(q @ psi, k @ torch.linalg.inv(psi).mT, v)
    assert distance(found, softmax_attention_reference(q, k, v)) < 1e-12
