"""The hand-written backward pass against finite differences and against autograd through the reference."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck

import shoal.attention.blocks
import shoal.attention.full
import shoal.attention.slices
from shoal.attention import (
    AttentionState,
    FeatureMap,
    linear_attention,
    linear_attention_reference,
    softmax_attention_reference,
    windowed_linear_attention,
)
from shoal.errors import InputError
from tests.attention.inputs import (
    BATCH,
    EVERY,
    HEADS,
    KERNEL,
    PATHS,
    REST,
    M,
    distance,
    fitted,
    mask,
    normal,
    qkv,
    ready,
    set_sizes,
)


def leaves(*tensors: Tensor) -> list[Tensor]:
    return [x.detach().clone().requires_grad_() for x in tensors]


def gradients(out: Tensor, inputs: list[Tensor]) -> tuple[Tensor, ...]:
    """By a sum with weights that differ from entry to entry."""
    return torch.autograd.grad(out, inputs, normal(*out.shape, seed=42).to(out.dtype))


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("name", EVERY)
def test_gradcheck(name: str, is_causal: bool) -> None:
    """Shared heads and a mask."""
    assert gradcheck(*called(name, is_causal, None), fast_mode=True)


@pytest.mark.slow
@pytest.mark.parametrize("window", [None, 2])
@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("name", [*KERNEL, "learned"])
def test_gradcheck_of_every_entry(name: str, is_causal: bool, window: int | None) -> None:
    assert gradcheck(*called(name, is_causal, window))


def called(name: str, is_causal: bool, window: int | None) -> tuple[Callable[..., Tensor], list[Tensor]]:
    """A call on six rows, and its inputs; fast_mode of gradcheck takes the Jacobian's product with random vectors."""
    phi = ready(name, groups=2, window=window)
    key_mask = torch.tensor([[True, True, False, True, True, True]])
    options: dict[str, Any] = {"feature_map": phi, "is_causal": is_causal, "key_mask": key_mask, "enable_gqa": True}
    inputs = leaves(*qkv(6, name=name, groups=2, batch=1))
    if window is None:
        return lambda q, k, v: linear_attention(q, k, v, **options), inputs
    return lambda q, k, v: windowed_linear_attention(q, k, v, window=window, **options), inputs


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("name", [*PATHS, *REST])
def test_gradcheck_with_a_state(name: str, is_causal: bool) -> None:
    """What came before is a constant, for all gradients."""
    phi = ready(name)
    _, state = linear_attention(*qkv(6, name=name, batch=1, seed=1), feature_map=phi, return_state=True)
    inputs = leaves(*qkv(3, name=name, batch=1))
    attend = lambda q, k, v: linear_attention(q, k, v, feature_map=phi, is_causal=is_causal, state=state)  # noqa: E731
    assert gradcheck(attend, inputs, fast_mode=True)


def with_state_by_reference(
    q: Tensor, k: Tensor, v: Tensor, before: tuple[Tensor, ...], phi: FeatureMap | None, is_causal: bool
) -> Tensor:
    """The keys before are seen by all queries: rows of a longer sequence, masks written out by position."""
    everything = [torch.cat([old, new], 2) for old, new in zip(before, (q, k, v), strict=True)]
    if is_causal:
        return linear_attention_reference(*everything, feature_map=phi, is_causal=True)[:, :, before[0].shape[2] :]
    return linear_attention_reference(q, *everything[1:], feature_map=phi)


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("name", [*PATHS, *REST])
def test_gradients_with_a_state_are_those_of_the_whole_sequence(name: str, is_causal: bool) -> None:
    phi, before = ready(name), qkv(70, name=name, seed=1)
    _, state = linear_attention(*before, feature_map=phi, return_state=True)
    inputs = leaves(*qkv(66, name=name))
    found = linear_attention(*inputs, feature_map=phi, is_causal=is_causal, state=state)
    expected = with_state_by_reference(inputs[0], inputs[1], inputs[2], before, phi, is_causal)
    assert distance(found, expected) < 1e-10
    for one, other in zip(gradients(found, inputs), gradients(expected, inputs), strict=True):
        assert distance(one, other) < 1e-9


def compare(
    name: str,
    length: int,
    is_causal: bool,
    bound: float,
    *,
    key_mask: Tensor | None = None,
    groups: int = 1,
    seed: int = 0,
) -> None:
    phi = ready(name, groups=groups)
    inputs = leaves(*qkv(length, name=name, groups=groups, seed=seed))
    parameters = [] if phi is None else [p for p in phi.parameters() if p.requires_grad]
    options: dict[str, Any] = {"feature_map": phi, "is_causal": is_causal, "key_mask": key_mask}
    expected = gradients(linear_attention_reference(*inputs, **options), [*inputs, *parameters])
    found = gradients(linear_attention(*inputs, enable_gqa=True, **options), [*inputs, *parameters])
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        if one.dtype == torch.float64:
            assert distance(one, other, least=1e-3) < bound  # one key alone: its weight is 1, whatever it is
        else:  # parameters are float32, whatever the inputs are
            assert distance(one, other) < 1e-4 or float(other.abs().max()) < 1e-6


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("name", EVERY)
def test_gradients_are_autograds_through_the_reference(name: str, is_causal: bool) -> None:
    compare(name, 130, is_causal, 1e-9)
    compare(name, 65, is_causal, 1e-9, key_mask=mask(65, blind=False), groups=3)


@pytest.mark.parametrize("name", EVERY)
def test_gradients_across_two_sequences(name: str) -> None:
    phi, key_mask = ready(name), mask(140)
    inputs = leaves(*qkv(9, keys=140, name=name))
    expected = gradients(linear_attention_reference(*inputs, feature_map=phi, key_mask=key_mask), inputs)
    found = gradients(linear_attention(*inputs, feature_map=phi, key_mask=key_mask), inputs)
    for one, other in zip(found, expected, strict=True):
        assert distance(one, other) < 1e-9


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("name", PATHS)
def test_blocks_segments_and_slices_change_no_gradient(
    name: str, is_causal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shoal.attention.blocks, "BLOCK", 4)
    set_sizes(monkeypatch, blocks=3, rows=5)
    for rows in (1, 60):  # heads alone, rows of the batch alone
        monkeypatch.setattr(shoal.attention.slices, "_ROWS", rows)
        compare(name, 26, is_causal, 1e-9, key_mask=mask(26, blind=False), groups=2)


@pytest.mark.parametrize("name", ["positive", "oprf", "learned", "trig", "landmark"])
def test_gradients_where_the_reference_moves(name: str) -> None:
    """Ever larger keys: one segment becomes many, and the sums between them are rescaled."""
    phi = ready(name)
    q, k, v = (x[:1, :1] for x in qkv(100, name=name))
    phi = phi.of_heads(slice(0, 1)) if phi is not None and phi.fitted else phi
    k = k.abs() * torch.logspace(0, 2.3, 100, dtype=torch.float64)[:, None]
    q = 0.1 * q.abs()
    if name == "trig":  # keys of one direction, each row's own the largest so far: denominators stay positive
        k = k[:, :, :1] * torch.logspace(0, 1.4, 100, dtype=torch.float64)[:, None]
        q = k.clone()
    inputs = leaves(q, k, v)
    expected = gradients(linear_attention_reference(*inputs, feature_map=phi, is_causal=True), inputs)
    found = gradients(linear_attention(*inputs, feature_map=phi, is_causal=True), inputs)
    for one, other in zip(found, expected, strict=True):
        assert distance(one, other) < 1e-8


@pytest.mark.slow
@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("length", [1, 2, 63, 64, 65, 128, 200, 1025])
def test_gradients_at_every_length(name: str, length: int, is_causal: bool) -> None:
    for seed in range(2):
        compare(
            name,
            length,
            is_causal,
            1e-8,
            key_mask=mask(length, blind=False) if seed else None,
            groups=1 + seed,
            seed=seed,
        )


@pytest.mark.parametrize("is_causal", [False, True])
def test_gradients_of_float32_and_half_inputs(is_causal: bool) -> None:
    phi = ready("positive")
    exact = leaves(*qkv(130))
    expected = gradients(linear_attention(*exact, feature_map=phi, is_causal=is_causal), exact)
    for dtype, bound in ((torch.float32, 1e-4), (torch.bfloat16, 0.02), (torch.float16, 0.004)):
        inputs = leaves(*(x.detach().to(dtype) for x in exact))
        found = gradients(linear_attention(*inputs, feature_map=phi, is_causal=is_causal), inputs)
        for one, other in zip(found, expected, strict=True):
            assert one.dtype == dtype
            assert distance(one, other) < bound


@pytest.mark.parametrize("name", EVERY)
def test_rows_that_see_nothing_have_no_gradient(name: str) -> None:
    """And leave those of the other rows alone."""
    phi, key_mask = ready(name), torch.ones(BATCH, 70, dtype=torch.bool)
    key_mask[0, :66], key_mask[1] = False, False
    inputs = leaves(*qkv(70, name=name))
    by_q, by_k, by_v = gradients(linear_attention(*inputs, feature_map=phi, is_causal=True, key_mask=key_mask), inputs)
    bare = leaves(*(x[:1, :, 66:] for x in inputs))
    weights = normal(*inputs[0].shape[:3], M, seed=42)[:1, :, 66:]
    expected = torch.autograd.grad(linear_attention(*bare, feature_map=phi, is_causal=True), bare, weights)
    for one, other in zip((by_q, by_k, by_v), expected, strict=True):
        assert not one[0, :, :66].any()
        assert not one[1].any()
        assert distance(one[:1, :, 66:], other) < 1e-10


@pytest.mark.parametrize("windowed", [False, True])
@pytest.mark.parametrize("is_causal", [False, True])
def test_padded_keys_have_no_gradient(windowed: bool, is_causal: bool) -> None:
    key_mask = mask(70)
    hidden = ~key_mask[:, None, :, None]
    for name in PATHS:
        phi = ready(name, window=5)
        if windowed and (phi is None or not phi.estimates_softmax):
            continue
        q, k, v = qkv(70, name=name)
        inputs = leaves(q, k.masked_fill(hidden, torch.nan), v.masked_fill(hidden, torch.inf))
        options: dict[str, Any] = {"feature_map": phi, "is_causal": is_causal, "key_mask": key_mask}
        out = (
            windowed_linear_attention(*inputs, window=5, **options)
            if windowed
            else linear_attention(*inputs, **options)
        )
        by_q, by_k, by_v = gradients(out, inputs)
        assert by_q.isfinite().all()
        assert not by_k[hidden.expand_as(k)].any()
        assert not by_v[hidden.expand_as(v)].any()
        assert by_k[~hidden.expand_as(k)].isfinite().all()


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("window", [None, 3])
def test_parameters_of_a_learned_map_get_their_gradient(window: int | None, is_causal: bool) -> None:
    """Finite differences of the loss by the parameters, in float64."""
    phi = fitted("learned", window=window)
    for name, parameter in phi.named_parameters():
        setattr(phi, name, nn.Parameter(parameter.double()))
    q, k, v = qkv(12)
    weights = normal(BATCH, HEADS, 12, M, seed=42)

    def loss() -> Tensor:
        options: dict[str, Any] = {"feature_map": phi, "is_causal": is_causal}
        if window is None:
            return (linear_attention(q, k, v, **options) * weights).sum()
        return (windowed_linear_attention(q, k, v, window=window, **options) * weights).sum()

    parameters = dict(phi.named_parameters())
    found = torch.autograd.grad(loss(), list(parameters.values()))
    for (name, parameter), gradient in zip(parameters.items(), found, strict=True):
        direction = normal(*parameter.shape, seed=len(name))
        with torch.no_grad():
            ends = []
            for step in (1e-5, -2e-5):
                parameter += step * direction
                ends.append(float(loss()))
            parameter += 1e-5 * direction
        slope = (ends[0] - ends[1]) / 2e-5
        assert float((gradient * direction).sum()) == pytest.approx(slope, rel=1e-5, abs=1e-7), name


def test_parameters_that_need_no_gradient_get_none() -> None:
    phi = fitted("learned")
    for name, parameter in phi.named_parameters():
        parameter.requires_grad_(name.startswith("key"))
    q, k, v = qkv(9)
    linear_attention(q, k, v, feature_map=phi).sum().backward()
    for name, parameter in phi.named_parameters():
        assert (parameter.grad is not None) == name.startswith("key"), name


def test_only_what_is_asked_for_gets_a_gradient() -> None:
    phi = ready("positive")
    for wanted in range(3):
        inputs = [x.requires_grad_(i == wanted) for i, x in enumerate(qkv(9))]
        linear_attention(*inputs, feature_map=phi).sum().backward()
        assert [x.grad is not None for x in inputs] == [i == wanted for i in range(3)]


@pytest.mark.parametrize("loss", [lambda out: out.square().sum(), torch.sum], ids=["square", "linear"])
@pytest.mark.parametrize("window", [None, 2])
def test_a_second_derivative_is_refused(loss: Callable[[Tensor], Tensor], window: int | None) -> None:
    """Also where the gradient that comes in is a constant: there torch itself would silently make it 0."""
    q, k, v = qkv(5)
    q.requires_grad_()
    phi = fitted("positive")
    if window is None:
        out = linear_attention(q, k, v, feature_map=phi)
    else:
        out = windowed_linear_attention(q, k, v, feature_map=phi, window=window)
    message = "expected first derivatives, got create_graph=True; for second ones take linear_attention_reference"
    with pytest.raises(InputError, match=message):
        torch.autograd.grad(loss(out), q, create_graph=True)


def test_backward_may_run_twice() -> None:
    """With retain_graph: nothing of the forward pass is used up."""
    for name in ("positive", "trig", "landmark", "ready"):
        for is_causal in (False, True):
            inputs = leaves(*qkv(70, name=name))
            out = linear_attention(*inputs, feature_map=ready(name), is_causal=is_causal)
            first = torch.autograd.grad(out.square().sum(), inputs, retain_graph=True)
            second = torch.autograd.grad(out.square().sum(), inputs)
            assert all(map(torch.equal, first, second))


def test_a_state_carries_no_graph() -> None:
    inputs = leaves(*qkv(9))
    for phi in (ready("positive"), ready("learned")):
        out, state = linear_attention(*inputs, feature_map=phi, is_causal=True, return_state=True)
        assert out.requires_grad
        assert not any(x.requires_grad for x in vars(state).values() if isinstance(x, Tensor))
        again = AttentionState.from_state_dict(state.state_dict())
        linear_attention(*inputs, feature_map=phi, is_causal=True, state=again).sum().backward()


# ---------------------------------------------------------------------- windowed


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("name", ["trig", "positive", "landmark", "learned", "taylor"])
def test_gradcheck_with_a_window(name: str, is_causal: bool) -> None:
    assert gradcheck(*called(name, is_causal, 2), fast_mode=True)


@pytest.mark.parametrize("is_causal", [False, True])
def test_gradients_with_a_window_that_holds_everything_are_those_of_softmax(is_causal: bool) -> None:
    inputs, key_mask = leaves(*qkv(140, groups=2)), mask(140)
    expected = gradients(softmax_attention_reference(*inputs, is_causal=is_causal, key_mask=key_mask), inputs)
    options: dict[str, Any] = {"window": 140, "is_causal": is_causal, "key_mask": key_mask, "enable_gqa": True}
    found = gradients(windowed_linear_attention(*inputs, feature_map=fitted("positive"), **options), inputs)
    for one, other in zip(found, expected, strict=True):
        assert distance(one, other) < 1e-10
