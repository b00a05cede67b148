"""On a GPU: what the CPU says. Skipped by name where there is none."""

import copy

import pytest
import torch
from torch import Tensor, nn

from shoal.attention import (
    AttentionState,
    LinearAttention,
    choose_feature_map,
    estimate_error,
    linear_attention,
    list_feature_maps,
    replace_attention,
    windowed_linear_attention,
)
from tests.attention.inputs import KERNEL, distance, fitted, qkv, ready

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
DEVICES = ("cpu", "cuda")


def inputs(name: str, device: str, length: int = 200) -> list[Tensor]:
    return [x.float().to(device).requires_grad_() for x in qkv(length, name=name)]


@pytest.mark.parametrize("name", list_feature_maps())
@pytest.mark.parametrize("is_causal", [False, True])
def test_outputs_and_gradients(name: str, is_causal: bool) -> None:
    found = []
    for device in DEVICES:
        q, k, v = inputs(name, device)
        phi = copy.deepcopy(ready(name)).to(device)  # type: ignore[union-attr]
        out = linear_attention(q, k, v, feature_map=phi, is_causal=is_causal)
        found.append([x.cpu() for x in (out, *torch.autograd.grad(out.square().sum(), (q, k, v)))])
    assert all(distance(gpu, cpu) < 1e-3 for cpu, gpu in zip(*found, strict=True))


@pytest.mark.parametrize("name", KERNEL)
def test_windows_estimates_and_guards(name: str) -> None:
    outs, errors = [], []
    for device in DEVICES:
        q, k, v = (x.detach() for x in inputs(name, device))
        phi = copy.deepcopy(fitted(name)).to(device)
        options = {"feature_map": phi, "is_causal": True}
        outs.append(windowed_linear_attention(q, k, v, window=20, **options).cpu())
        outs.append(linear_attention(q, k, v, guard=True, **options).cpu())
        errors.append(estimate_error(q, k, v, phi, is_causal=True).value)
    assert distance(outs[2], outs[0]) < 1e-3
    assert distance(outs[3], outs[1]) < 1e-3
    assert abs(errors[1] - errors[0]) < 1e-3


@torch.no_grad()
@pytest.mark.parametrize("name", ["positive", "trig", "elu"])
def test_decoding_and_moving_a_state(name: str) -> None:
    q, k, v = (x.detach() for x in inputs(name, "cuda"))
    phi = copy.deepcopy(ready(name)).cuda()  # type: ignore[union-attr]
    whole = linear_attention(q, k, v, feature_map=phi, is_causal=True)
    state: AttentionState | None = None
    for t in range(40):
        token = (x[:, :, t : t + 1] for x in (q, k, v))
        out, state = linear_attention(*token, feature_map=phi, is_causal=True, state=state, return_state=True)
        assert distance(out, whole[:, :, t : t + 1]) < 1e-4
    assert state is not None
    assert torch.equal(state.to("cpu").to("cuda").sums, state.sums)


@pytest.mark.parametrize("name", ["positive", "trig", "landmark", "elu"])
@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_autocast_changes_nothing(name: str, half: torch.dtype) -> None:
    phi = copy.deepcopy(ready(name)).cuda()  # type: ignore[union-attr]
    found = []
    for autocast in (False, True):
        q, k, v = inputs(name, "cuda")
        with torch.autocast("cuda", half, enabled=autocast):
            out = linear_attention(q, k, v, feature_map=phi, is_causal=True)
        found.append([out, *torch.autograd.grad(out.square().sum(), (q, k, v))])
    assert all(torch.equal(plain, cast) for plain, cast in zip(*found, strict=True))


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_once(half: torch.dtype) -> None:
    q, k, v = (x.to("cuda", half) for x in qkv(200))
    phi = copy.deepcopy(fitted("positive")).cuda()
    out = linear_attention(q, k, v, feature_map=phi, is_causal=True)
    expected = linear_attention(q.float(), k.float(), v.float(), feature_map=phi, is_causal=True)
    assert out.dtype == half
    assert distance(out.float(), expected) < torch.finfo(half).eps


def test_a_later_token_moves_no_earlier_output_by_a_bit() -> None:
    q, k, v = (x.detach() for x in inputs("positive", "cuda", 400))
    phi = copy.deepcopy(fitted("positive")).cuda()
    changed = [x.clone() for x in (q, k, v)]
    for x in changed:
        x[:, :, 250:] *= -30
    before, after = (linear_attention(*x, feature_map=phi, is_causal=True) for x in ((q, k, v), changed))
    assert torch.equal(before[:, :, :250], after[:, :, :250])
    assert not torch.equal(before, after)


def test_an_input_elsewhere_is_named() -> None:
    q, k, v = (x.detach() for x in inputs("positive", "cuda"))
    with pytest.raises(ValueError, match="device"):
        linear_attention(q, k.cpu(), v, feature_map=copy.deepcopy(fitted("positive")).cuda())


def test_a_layer_learns_as_on_the_cpu() -> None:
    exact = nn.MultiheadAttention(16, 2, batch_first=True)
    x, found = torch.randn(2, 50, 16), []
    for device in DEVICES:
        layer = LinearAttention.from_multihead(copy.deepcopy(exact), feature_map="positive", num_features=32).to(device)
        out, _ = layer(*3 * [x.to(device)])
        out.square().sum().backward()
        found.append([out, *(p.grad for p in layer.parameters() if p.grad is not None)])
    assert all(distance(gpu.cpu(), cpu) < 1e-3 for cpu, gpu in zip(*found, strict=True))


def test_a_map_is_chosen_where_the_inputs_are() -> None:
    q, k, v = (x.detach() for x in inputs("positive", "cuda", 600))
    found = choose_feature_map(q, k, v, target_error=0.9, counts=(16,))
    assert not found.exact_needed
    assert all(candidate.error is not None or candidate.note for candidate in found.tried)
    assert linear_attention(q, k, v, feature_map=found.feature_map).device == q.device


def test_attention_of_a_model_is_replaced() -> None:
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).cuda().eval()
    x = torch.randn(4, 60, 16, device="cuda")
    with torch.no_grad():
        expected = model(x)
        replace_attention(model, x, feature_map="landmark", num_features=16, window=60)
        assert distance(model(x), expected) < 1e-3
