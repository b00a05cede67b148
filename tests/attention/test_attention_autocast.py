"""Under autocast, which brings models to half precision: sums and features stay in full precision."""

import pytest
import torch
from torch import Tensor

from shoal.attention import (
    LinearAttention,
    create_feature_map,
    estimate_error,
    linear_attention,
    windowed_linear_attention,
)
from tests.attention.inputs import DIM, EVERY, KERNEL, fitted, normal, qkv, ready


def rows(name: str) -> list[Tensor]:
    return [x.float().requires_grad_() for x in qkv(70, name=name)]


def with_gradients(attend, inputs: list[Tensor], autocast: bool) -> list[Tensor]:
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        out = attend(*inputs)
        return [out.detach(), *torch.autograd.grad(out.square().sum(), inputs)]


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("is_causal", [False, True])
def test_the_operator_is_the_same(name: str, is_causal: bool) -> None:
    def attend(*inputs: Tensor) -> Tensor:
        return linear_attention(*inputs, feature_map=ready(name), is_causal=is_causal)

    inputs = rows(name)
    for plain, cast in zip(*(with_gradients(attend, inputs, autocast) for autocast in (False, True)), strict=True):
        assert torch.equal(plain, cast)


@pytest.mark.parametrize("name", KERNEL)
def test_the_windowed_form_is_the_same(name: str) -> None:
    def attend(*inputs: Tensor) -> Tensor:
        return windowed_linear_attention(*inputs, feature_map=fitted(name), window=10, is_causal=True)

    inputs = rows(name)
    for plain, cast in zip(*(with_gradients(attend, inputs, autocast) for autocast in (False, True)), strict=True):
        assert torch.equal(plain, cast)


@torch.no_grad()
@pytest.mark.parametrize("name", ["positive", "trig", "elu", "ready"])
def test_decoding_and_estimates_are_the_same(name: str) -> None:
    q, k, v = rows(name)
    phi = ready(name)
    found = []
    for autocast in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            _, state = linear_attention(q, k, v, feature_map=phi, is_causal=True, return_state=True)
            token = (x[:, :, :1] for x in (q, k, v))
            out, state = linear_attention(*token, feature_map=phi, is_causal=True, state=state, return_state=True)
        assert state.sums.dtype == torch.float32
        found.append((out, state.sums))
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            found[-1] += (torch.tensor(estimate_error(q, k, v, phi).value),)
    assert all(map(torch.equal, *found))


@pytest.mark.parametrize("window", [None, 8])
def test_a_layer_trains_in_bfloat16(window: int | None) -> None:
    layer = LinearAttention(2 * DIM, 2, window=window, num_features=32, batch_first=True)
    x = normal(2, 40, 2 * DIM, seed=0).float()
    wanted, _ = layer(x, x, x, is_causal=True)
    with torch.autocast("cpu", torch.bfloat16):
        out, _ = layer(x, x, x, is_causal=True)
        loss = out.float().square().mean()
    loss.backward()
    assert out.dtype == torch.bfloat16
    assert torch.allclose(out.float(), wanted, atol=0.02)
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in layer.parameters())


def test_a_fit_is_the_same() -> None:
    q, k, v = (x.detach() for x in rows("positive"))
    with torch.autocast("cpu", torch.bfloat16):
        one = create_feature_map("sderf", DIM, 8).fit(q, k, v)
    other = create_feature_map("sderf", DIM, 8).fit(q, k, v)
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))
