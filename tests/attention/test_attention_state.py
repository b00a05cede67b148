"""The state: token by token equals all at once, and it can be kept, branched, merged and saved."""

import io
import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from shoal.attention import AttentionState, create_feature_map, linear_attention, linear_attention_reference
from shoal.errors import InputError
from tests.attention.inputs import (
    BATCH,
    DIM,
    EVERY,
    HEADS,
    PATHS,
    REST,
    M,
    distance,
    fewer_examples,
    fitted,
    mask,
    qkv,
    ready,
)

pytestmark = pytest.mark.filterwarnings("ignore::shoal.attention.DenominatorWarning")


@pytest.fixture(autouse=True)
def _without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def stream(
    inputs: list[Tensor], cuts: list[int], *, key_mask: Tensor | None = None, state: Any = None, **options: Any
) -> tuple[Tensor, AttentionState]:
    """Block by block; `cuts` are the blocks' first positions but 0's."""
    outs, edges = [], [0, *cuts, inputs[0].shape[2]]
    for low, high in itertools.pairwise(edges):
        own = None if key_mask is None else key_mask[:, low:high]
        rows = (x[:, :, low:high] for x in inputs)
        out, state = linear_attention(*rows, is_causal=True, key_mask=own, state=state, return_state=True, **options)
        outs.append(out)
    return torch.cat(outs, 2), state


def tensors(state: AttentionState) -> dict[str, Tensor]:
    return {name: x for name, x in vars(state).items() if isinstance(x, Tensor)}


def same(one: AttentionState, other: AttentionState, bound: float = 0.0) -> None:
    """The same sums, on one scale."""
    assert one.label == other.label
    if one.log_scale.shape[2]:
        # sums are compared where their scales meet: each holds Σ phi(k)[v, 1] · exp(−log_scale)
        top = torch.maximum(one.log_scale, other.log_scale)
        sums = [s.sums * (s.log_scale - top).exp()[..., None] for s in (one, other)]
    else:
        sums = [one.sums, other.sums]
    assert distance(sums[0], sums[1]) <= bound
    assert distance(one.value_sum, other.value_sum) <= bound
    assert torch.equal(one.count, other.count)
    assert torch.equal(one.replaced, other.replaced)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_token_by_token_and_block_by_block_equal_all_at_once(name: str, dtype: torch.dtype, bound: float) -> None:
    phi = ready(name, groups=2)
    inputs = [x.to(dtype) for x in qkv(24, name=name, groups=2)]
    options: dict[str, Any] = {"feature_map": phi, "enable_gqa": True}
    whole, after = linear_attention(*inputs, is_causal=True, return_state=True, **options)
    for cuts in (list(range(1, 24)), [7, 8, 20], []):
        found, state = stream(inputs, cuts, **options)
        assert distance(found, whole) < bound
        same(state, after, 10 * bound)


@pytest.mark.parametrize("name", [*PATHS, *REST])
def test_masked_tokens_leave_no_trace_in_the_state(name: str) -> None:
    phi, key_mask = ready(name), mask(24)
    inputs = list(qkv(24, name=name))
    dirty = [inputs[0], *(x.masked_fill(~key_mask[:, None, :, None], torch.nan) for x in inputs[1:])]
    whole = linear_attention_reference(*inputs, feature_map=phi, is_causal=True, key_mask=key_mask)
    for cuts in (list(range(1, 24)), [13, 14]):
        found, state = stream(dirty, cuts, key_mask=key_mask, feature_map=phi)
        assert distance(found, whole) < 1e-10
        assert torch.equal(state.count, key_mask.sum(1))
        assert state.sums.isfinite().all()


@pytest.mark.parametrize("name", ["positive", "trig", "oprf", "landmark", "learned", "taylor"])
def test_a_stream_of_ever_larger_keys_stays_with_the_parallel_form(name: str) -> None:
    """The log scale has to follow, also back from a giant."""
    phi = ready(name)
    q, k, v = qkv(60, name=name)
    k *= torch.logspace(-1, 1.5, 60, dtype=torch.float64)[
        torch.randperm(60, generator=torch.Generator().manual_seed(1))
    ][:, None]
    whole = linear_attention(q, k, v, feature_map=phi, is_causal=True)
    found, _ = stream([q, k, v], list(range(1, 60)), feature_map=phi)
    assert distance(found, whole) < 1e-9


def test_a_block_of_no_tokens_changes_nothing() -> None:
    for name in EVERY:
        phi, inputs = ready(name), list(qkv(9, name=name))
        whole, after = linear_attention(*inputs, feature_map=phi, is_causal=True, return_state=True)
        found, state = stream(inputs, [0, 4, 4, 9], feature_map=phi)
        assert distance(found, whole) < 1e-12
        same(state, after, 1e-12)


@fewer_examples
@given(name=st.sampled_from(EVERY), cuts=st.sets(st.integers(1, 89), max_size=8), seed=st.integers(0, 3))
def test_any_blocks_equal_all_at_once(name: str, cuts: set[int], seed: int) -> None:
    phi, inputs = ready(name), list(qkv(90, name=name, seed=seed))
    with torch.no_grad():
        found, _ = stream(inputs, sorted(cuts), feature_map=phi)
        assert distance(found, linear_attention(*inputs, feature_map=phi, is_causal=True)) < 1e-10


@pytest.mark.parametrize("name", EVERY)
def test_a_state_holds_all_keys_of_the_full_form(name: str) -> None:
    """Non-causal queries of a second call see both calls' keys."""
    phi = ready(name)
    q, k, v = qkv(5, keys=90, name=name)
    _, state = linear_attention(q[:, :, :0], k[:, :, :40], v[:, :, :40], feature_map=phi, return_state=True)
    found = linear_attention(q, k[:, :, 40:], v[:, :, 40:], feature_map=phi, state=state)
    assert distance(found, linear_attention_reference(q, k, v, feature_map=phi)) < 1e-10


def test_a_state_does_not_grow() -> None:
    for name in EVERY:
        sizes = set()
        for length in (1, 2, 100):
            _, state = linear_attention(*qkv(length, name=name), feature_map=ready(name), return_state=True)
            sizes.add(state.nbytes)
        assert len(sizes) == 1
    phi = fitted("positive")
    _, state = linear_attention(*(x.float() for x in qkv(3)), feature_map=phi, return_state=True)
    floats = BATCH * HEADS * (16 * (M + 1) + 16 + M + 1)
    assert state.nbytes == 4 * floats + 8 * (BATCH + BATCH * HEADS)
    assert state.num_features == 16


def test_a_state_is_never_changed() -> None:
    """One that was kept can be continued in several ways."""
    for name in ("positive", "trig", "landmark", "ready"):
        phi, (q, k, v) = ready(name), qkv(30, name=name)
        _, state = linear_attention(q, k, v, feature_map=phi, is_causal=True, return_state=True)
        before = {key: x.clone() for key, x in tensors(state).items()}
        outs = []
        for _ in range(2):
            for rows in (slice(0, 1), slice(0, 30)):
                out, _ = linear_attention(*(x[:, :, rows] for x in (q, 20 * k, v)), feature_map=phi, is_causal=True,
                                          state=state, return_state=True)  # fmt: skip
                outs.append(out)
        assert all(torch.equal(x, before[key]) for key, x in tensors(state).items())
        assert torch.equal(outs[0], outs[2])
        assert torch.equal(outs[1], outs[3])


def test_a_clone_shares_no_memory() -> None:
    _, state = linear_attention(*qkv(5), feature_map=fitted("positive"), return_state=True)
    copied = state.clone()
    same(copied, state)
    for x in tensors(copied).values():
        x.zero_()
    assert state.sums.abs().sum() > 0
    assert state.count.tolist() == [5, 5]


@pytest.mark.parametrize("name", EVERY)
def test_beams_go_on_from_the_selected_rows(name: str) -> None:
    phi = ready(name)
    prompt, after = list(qkv(20, name=name, batch=3)), list(qkv(4, name=name, batch=4, seed=5))
    _, state = linear_attention(*prompt, feature_map=phi, is_causal=True, return_state=True)
    for rows in ([2, 0, 0, -2], torch.tensor([2, 0, 0, 1])):
        found = linear_attention(*after, feature_map=phi, is_causal=True, state=state.select(rows))
        whole = [torch.cat([x[[2, 0, 0, 1]], y], 2) for x, y in zip(prompt, after, strict=True)]
        expected = linear_attention(*whole, feature_map=phi, is_causal=True)[:, :, 20:]
        assert distance(found, expected) < 1e-10


@pytest.mark.parametrize("rows", [[2], [-3], [0, 5]])
def test_beams_that_are_not_there_are_refused(rows: Any) -> None:
    _, state = linear_attention(*qkv(5), feature_map=fitted("positive"), return_state=True)
    with pytest.raises(InputError, match="rows: expected a list of rows of a batch of 2"):
        state.select(torch.tensor(rows))


@pytest.mark.parametrize("name", EVERY)
def test_merged_states_hold_both_sets_of_keys(name: str) -> None:
    phi = ready(name)
    q, k, v = qkv(6, keys=70, name=name)
    k = k.clone()
    k[:, :, 30:] *= 4  # other scales
    nothing = q[:, :, :0]
    states = [
        linear_attention(nothing, k[:, :, rows], v[:, :, rows], feature_map=phi, return_state=True)[1]
        for rows in (slice(0, 30), slice(30, 70))
    ]
    _, expected = linear_attention(nothing, k, v, feature_map=phi, return_state=True)
    for merged in (states[0].merge(states[1]), states[1].merge(states[0])):
        same(merged, expected, 1e-12)
        found = linear_attention(q, k[:, :, :1], v[:, :, :1], feature_map=phi, state=merged)
        everything = [torch.cat([x, x[:, :, :1]], 2) for x in (k, v)]
        assert distance(found, linear_attention(q, *everything, feature_map=phi)) < 1e-10


def test_merging_with_no_keys_changes_nothing() -> None:
    for name in EVERY:
        phi, (q, k, v) = ready(name), qkv(7, name=name)
        hidden = torch.zeros(BATCH, 7, dtype=torch.bool)
        _, state = linear_attention(q, k, v, feature_map=phi, return_state=True)
        _, empty = linear_attention(q, k, v, feature_map=phi, key_mask=hidden, return_state=True)
        assert empty.count.tolist() == [0, 0]
        same(state.merge(empty), state, 1e-15)
        same(empty.merge(state), state, 1e-15)


@pytest.mark.parametrize("name", ["positive", "trig", "learned", "ready"])
def test_a_state_survives_a_file(name: str) -> None:
    phi, inputs = ready(name), qkv(9, name=name)
    _, state = linear_attention(*inputs, feature_map=phi, is_causal=True, return_state=True)
    file = io.BytesIO()
    torch.save(state.state_dict(), file)
    file.seek(0)
    loaded = AttentionState.from_state_dict(torch.load(file, weights_only=True))
    same(loaded, state)
    found = [linear_attention(*inputs, feature_map=phi, is_causal=True, state=s) for s in (state, loaded)]
    assert torch.equal(*found)


def test_a_state_dict_must_be_whole() -> None:
    _, state = linear_attention(*qkv(5), feature_map=fitted("positive"), return_state=True)
    kept = state.state_dict()
    with pytest.raises(InputError, match="state_dict: expected count, label, log_scale"):
        AttentionState.from_state_dict({key: x for key, x in kept.items() if key != "sums"})
    with pytest.raises(InputError, match=r"got .*more"):
        AttentionState.from_state_dict(kept | {"more": 1})


def test_a_dtype_is_taken_by_the_sums_alone() -> None:
    inputs = [x.float() for x in qkv(5)]
    phi = fitted("positive")
    _, state = linear_attention(*inputs, feature_map=phi, return_state=True)
    wide = state.to(torch.float64)
    assert wide.sums.dtype == wide.log_scale.dtype == wide.value_sum.dtype == torch.float64
    assert wide.count.dtype == wide.replaced.dtype == torch.long
    assert state.to("cpu").sums.dtype == torch.float32
    linear_attention(*(x.double() for x in inputs), feature_map=phi, state=wide)
    for dtype in (torch.float32, torch.bfloat16):  # half precisions sum in float32
        linear_attention(*(x.to(dtype) for x in inputs), feature_map=phi, state=state)
        with pytest.raises(InputError, match=r"state: expected torch.float32.*got torch.float64"):
            linear_attention(*(x.to(dtype) for x in inputs), feature_map=phi, state=wide)


@pytest.mark.parametrize("length", [1, 4])
def test_a_state_of_another_map_or_shape_is_refused(length: int) -> None:
    """Also where a single token goes another way through the code."""
    q, k, v = qkv(length)
    _, state = linear_attention(q, k, v, feature_map=fitted("positive"), return_state=True)

    def go_on(*inputs: Tensor, name: str = "positive", count: int = 16, seed: int = 0) -> None:
        phi = create_feature_map(name, DIM, count, seed=seed)
        linear_attention(*inputs, feature_map=phi, is_causal=True, state=state)

    go_on(q, k, v)
    for settings in ({"name": "hyperbolic"}, {"count": 32}, {"seed": 1}):
        with pytest.raises(InputError, match="state: expected one made with feature map"):
            go_on(q, k, v, **settings)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="state: expected one made with feature map ready"):
        linear_attention(q, k, v, feature_map=None, state=state)
    for wrong in ((q[:1], k[:1], v[:1]), (q, k, v[..., :2]), (q[:, :1], k[:, :1], v[:, :1])):
        with pytest.raises(InputError, match=r"state: expected sums of shape \[batch, heads, features, m \+ 1\]"):
            go_on(*wrong)
    with pytest.raises(InputError, match="feature map"):
        state.merge(linear_attention(q, k, v, feature_map=fitted("hyperbolic"), return_state=True)[1])


def test_a_redrawn_map_does_not_go_on_with_an_old_state() -> None:
    phi, inputs = fitted("positive"), qkv(4)
    _, state = linear_attention(*inputs, feature_map=phi, return_state=True)
    phi.redraw(5)
    with pytest.raises(InputError, match="state"):
        linear_attention(*inputs, feature_map=phi, state=state)


@pytest.mark.parametrize("name", ["positive", "oprf", "learned", "elu"])
def test_a_map_that_was_loaded_goes_on_with_its_state(name: str) -> None:
    """Whatever seed the new map had: its constants are those of the old."""
    phi, (q, k, v) = fitted(name), qkv(6)
    loaded = create_feature_map(name, DIM, phi.num_features, seed=phi.seed + 5)
    loaded.load_state_dict(phi.state_dict())
    options: Any = {"is_causal": True, "return_state": True}
    _, state = linear_attention(q, k, v, feature_map=phi, **options)
    expected, _ = linear_attention(q, k, v, feature_map=phi, state=state, **options)
    found, _ = linear_attention(q, k, v, feature_map=loaded, state=state, **options)
    assert torch.equal(found, expected)


def test_a_state_does_not_follow_a_map_that_goes_on_learning() -> None:
    q, k, v = qkv(6)
    phi = create_feature_map("learned", DIM, 8).fit(*qkv(50), steps=3)
    _, state = linear_attention(q, k, v, feature_map=phi, return_state=True)
    other = create_feature_map("learned", DIM, 8).fit(*qkv(50), steps=9)
    with torch.no_grad():
        next(phi.parameters()).add_(1.0)  # as an optimizer does
    for changed in (phi, other):
        with pytest.raises(InputError, match="state: expected one made with feature map learned"):
            linear_attention(q, k, v, feature_map=changed, state=state)


@pytest.mark.parametrize("difference", ["orthogonal", "fit", "scale"])
def test_a_state_of_other_constants_is_refused(difference: str) -> None:
    """The same name, size and seed are not the same map: sums of one mean nothing to the other."""
    inputs = qkv(4)
    one, other = create_feature_map("oprf", DIM, 16).fit(*qkv(50)), create_feature_map("oprf", DIM, 16).fit(*qkv(50))
    scale = None
    if difference == "orthogonal":
        other = create_feature_map("oprf", DIM, 16, orthogonal=False).fit(*qkv(50))
    if difference == "fit":
        other.fit(*(3 * x + 1 for x in qkv(50, seed=3)))
    if difference == "scale":
        scale = 0.1
    _, state = linear_attention(*inputs, feature_map=one, return_state=True)
    with pytest.raises(InputError, match="state"):
        linear_attention(*inputs, feature_map=other, state=state, scale=scale)
