"""The steps of a GPU, taken on the CPU: as right, as strictly causal, and cut where keys jump."""

import pytest
import torch

from shoal.attention import causal, linear_attention, linear_attention_reference, sizes, windowed_linear_attention
from shoal.attention.sizes import GPU, sizes_for
from tests.attention.inputs import PATHS, distance, fitted, qkv, ready

LENGTH = 700


@pytest.fixture(autouse=True)
def _as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "CPU", GPU)


def test_a_device_gets_its_own() -> None:
    assert sizes_for(torch.device("cuda", 1)) is sizes_for(torch.device("meta")) is GPU


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("is_causal", [False, True])
def test_outputs_and_gradients_are_the_reference(name: str, is_causal: bool) -> None:
    phi, found = ready(name), []
    for attend in (linear_attention, linear_attention_reference):
        inputs = [x.requires_grad_() for x in qkv(LENGTH, name=name)]
        out = attend(*inputs, feature_map=phi, is_causal=is_causal)
        found.append([out, *torch.autograd.grad(out.square().sum(), inputs)])
    assert all(distance(fast, slow) < 1e-9 for fast, slow in zip(*found, strict=True))


@pytest.mark.parametrize("name", ["positive", "oprf", "learned"])
@pytest.mark.parametrize("jumps", [(130,), (1, 65, 300), (64, 128, 129, 640)])
def test_keys_that_jump(name: str, jumps: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows before a jump stand to the bit; those after it, and all gradients, are the reference's."""
    calls = []
    whole = causal.whole_and_rest
    monkeypatch.setattr(causal, "whole_and_rest", lambda *rows: calls.append(rows) or whole(*rows))
    phi, found = ready(name), []
    q, k, v = qkv(LENGTH, name=name)
    q, k = 0.1 * q.abs(), k.abs()
    before = linear_attention(q, k, v, feature_map=phi, is_causal=True)
    calls.clear()
    for t in jumps:
        k[:, :, t:] *= 200 ** (1 / len(jumps))
    for attend in (linear_attention, linear_attention_reference):
        inputs = [x.clone().requires_grad_() for x in (q, k, v)]
        out = attend(*inputs, feature_map=phi, is_causal=True)
        found.append([out, *torch.autograd.grad(out.square().sum(), inputs)])
    assert len(calls) > 2  # two without jumps: whole blocks, and the rest
    assert torch.equal(found[0][0][:, :, : jumps[0]], before[:, :, : jumps[0]])
    assert all(distance(fast, slow) < 1e-8 for fast, slow in zip(*found, strict=True))


def test_a_window_and_a_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v = qkv(LENGTH)
    found = []
    for taken in (GPU, sizes.Sizes(blocks=1, sums=1, rows=7, queries=5)):
        monkeypatch.setattr(sizes, "CPU", taken)
        options = {"feature_map": fitted("positive"), "is_causal": True}
        guarded = linear_attention(q, k, v, guard=True, **options)
        found.append((guarded, windowed_linear_attention(q, k, v, window=20, **options)))
    assert all(distance(one, other) < 1e-9 for one, other in zip(*found, strict=True))
