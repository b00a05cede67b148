"""Strictly causal: what comes later does not move an earlier output by one bit, whatever it is."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from shoal.attention import linear_attention, windowed_linear_attention
from tests.attention.inputs import (
    BATCH,
    EVERY,
    PATHS,
    REST,
    fewer_examples,
    fitted,
    mask,
    normal,
    qkv,
    ready,
    set_sizes,
)

Changed = tuple[Tensor, Tensor, Tensor]
pytestmark = pytest.mark.filterwarnings("ignore::shoal.attention.DenominatorWarning")


@pytest.fixture(autouse=True)
def _without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture
def short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two blocks: 130 rows are a segment and its rest."""
    set_sizes(monkeypatch, sums=1)


def change(
    inputs: tuple[Tensor, ...], t: int, factor: float, *, b: slice = slice(None), ready_features: bool = False
) -> Changed:
    """Other tokens from position t on, `factor` times as large."""
    found = [x.clone() for x in inputs]
    for i, x in enumerate(found):
        new = factor * normal(*x.shape, seed=90 + i).to(x.dtype)
        new = new.abs() if ready_features and i < 2 else new
        x[b, :, t:] = new[b, :, t:]
    return found[0], found[1], found[2]


def unmoved(attend: Callable[..., Tensor], inputs: tuple[Tensor, ...], t: int, changed: tuple[Tensor, ...]) -> None:
    before, after = attend(*inputs), attend(*changed)
    assert torch.equal(before[:, :, :t], after[:, :, :t])
    assert not torch.equal(before[:, :, t:], after[:, :, t:])


@pytest.mark.usefixtures("short_segments")
@pytest.mark.parametrize("name", [*PATHS, *REST])
def test_the_past_does_not_move(name: str) -> None:
    """Factors of 30 and 1,000 move the reference inside a segment."""
    phi = ready(name)
    inputs = tuple(x.float() for x in qkv(300, name=name))
    for t, factor in ((1, 1000.0), (63, 30.0), (64, 1000.0), (129, 1000.0), (200, 30.0)):
        later = change(inputs, t, factor, ready_features=name == "ready")
        unmoved(lambda *x: linear_attention(*x, feature_map=phi, is_causal=True), inputs, t, later)


@pytest.mark.parametrize("name", ["positive", "trig", "landmark"])
def test_the_past_does_not_move_in_long_sequences(name: str) -> None:
    """Segments of their usual length, several of them, one slice per head."""
    phi = ready(name)
    q, k, v = (x.float() for x in qkv(2500, name=name, batch=1))
    for t in (1000, 2050, 2499):
        unmoved(
            lambda *x: linear_attention(*x, feature_map=phi, is_causal=True), (q, k, v), t, change((q, k, v), t, 1000.0)
        )


@pytest.mark.usefixtures("short_segments")
@pytest.mark.parametrize("name", ["positive", "trig", "landmark", "learned"])
@pytest.mark.parametrize("position", [0, 40, 100])
def test_one_late_giant_does_not_move_what_came_before_it(name: str, position: int) -> None:
    """A single key at which a segment ends early; then another one, before which the rows must still agree."""
    phi = ready(name)
    q, k, v = (x.float() for x in qkv(260, name=name))
    k[:, :, position] *= 300  # the reference moves here, in both cases
    for t in (position + 1, position + 7, 150):
        later = k.clone()
        later[:, :, t] *= 1000
        unmoved(lambda *x: linear_attention(*x, feature_map=phi, is_causal=True), (q, k, v), t, (q, later, v))


@pytest.mark.usefixtures("short_segments")
def test_the_past_does_not_move_with_masks_and_shared_heads() -> None:
    for name in ("positive", "trig", "hyperbolic", "ready"):
        phi = ready(name, groups=2)
        q, k, v = (x.float() for x in qkv(200, name=name, groups=2))
        for key_mask in (mask(200), mask(200).index_fill(1, torch.arange(5), False)):
            options: dict[str, Any] = {"feature_map": phi, "is_causal": True, "key_mask": key_mask, "enable_gqa": True}
            for t, factor in ((3, 1000.0), (70, 30.0), (130, 1000.0)):
                later = change((q, k, v), t, factor, ready_features=name == "ready")
                unmoved(lambda *x, o=options: linear_attention(*x, **o), (q, k, v), t, later)


@pytest.mark.usefixtures("short_segments")
def test_another_sequence_of_the_batch_does_not_move_the_past() -> None:
    """Segments end where any sequence's reference moves: the others' earlier rows must not see that."""
    phi = ready("positive")
    inputs = q, k, v = tuple(x.float() for x in qkv(200))
    attend = lambda *x: linear_attention(*x, feature_map=phi, is_causal=True)  # noqa: E731
    before, after = attend(q, k, v), attend(*change(inputs, 90, 1000.0, b=slice(0, 1)))
    assert torch.equal(before[:, :, :90], after[:, :, :90])
    assert torch.allclose(before[1], after[1], atol=1e-5)


@pytest.mark.parametrize("name", ["positive", "trig", "landmark", "learned"])
@pytest.mark.parametrize("window", [1, 100])
def test_the_past_does_not_move_with_a_window(name: str, window: int) -> None:
    phi = fitted(name, window=window)
    inputs = tuple(x.float() for x in qkv(200, name=name))
    for key_mask in (None, mask(200)):
        options: dict[str, Any] = {"feature_map": phi, "window": window, "is_causal": True, "key_mask": key_mask}
        for t, factor in ((1, 1000.0), (64, 30.0), (128, 1000.0)):
            later = change(inputs, t, factor)
            unmoved(lambda *x, o=options: windowed_linear_attention(*x, **o), inputs, t, later)


@pytest.mark.usefixtures("short_segments")
def test_the_past_does_not_move_after_a_state() -> None:
    phi = ready("positive")
    _, state = linear_attention(
        *(x.float() for x in qkv(50, seed=3)), feature_map=phi, is_causal=True, return_state=True
    )
    inputs = tuple(x.float() for x in qkv(140))
    for t, factor in ((1, 1000.0), (70, 30.0)):
        later = change(inputs, t, factor)
        unmoved(lambda *x: linear_attention(*x, feature_map=phi, is_causal=True, state=state), inputs, t, later)


@pytest.mark.usefixtures("short_segments")
def test_gradients_of_the_past_do_not_reach_the_future() -> None:
    for name in EVERY:
        with torch.enable_grad():
            inputs = [x.requires_grad_() for x in qkv(140, name=name)]
            out = linear_attention(*inputs, feature_map=ready(name), is_causal=True)
            found = torch.autograd.grad(out[:, :, :70].sum(), inputs)
        assert not any(g[:, :, 70:].any() for g in found)


@fewer_examples
@given(
    name=st.sampled_from(EVERY),
    length=st.integers(2, 300),
    share=st.floats(0, 1),
    factor=st.sampled_from([0.0, 1.0, 8.0, 30.0, 1000.0, 1e5]),
    masked=st.booleans(),
    seed=st.integers(0, 3),
)
def test_the_past_never_moves(name: str, length: int, share: float, factor: float, masked: bool, seed: int) -> None:
    phi, t = ready(name), max(1, min(length - 1, int(share * length)))
    inputs = tuple(x.float() for x in qkv(length, name=name, seed=seed))
    options: dict[str, Any] = {
        "feature_map": phi,
        "is_causal": True,
        "key_mask": mask(length, seed=seed) if masked else None,
    }
    with torch.no_grad():
        before = linear_attention(*inputs, **options)
        after = linear_attention(*change(inputs, t, factor, ready_features=name == "ready"), **options)
    assert torch.equal(before[:, :, :t], after[:, :, :t])


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("length", [130, 1025, 4200])
def test_the_past_does_not_move_anywhere(name: str, length: int) -> None:
    phi = ready(name)
    inputs = qkv(length, name=name)
    positions = torch.randint(1, length, (40,), generator=torch.Generator().manual_seed(0)).tolist()
    before = linear_attention(*inputs, feature_map=phi, is_causal=True)
    for i, t in enumerate(positions):
        later = change(inputs, t, [1.0, 30.0, 1000.0][i % 3], ready_features=name == "ready")
        after = linear_attention(*later, feature_map=phi, is_causal=True)
        assert torch.equal(before[:, :, :t], after[:, :, :t]), t


def test_a_batch_of_prefixes_is_near_the_whole() -> None:
    """Other lengths are other shapes, so that rounding may differ: the numbers do not."""
    phi = ready("positive")
    q, k, v = qkv(150)
    whole = linear_attention(q, k, v, feature_map=phi, is_causal=True)
    for t in (1, 64, 65, 100):
        found = linear_attention(*(x[:, :, :t] for x in (q, k, v)), feature_map=phi, is_causal=True)
        assert found.shape[0] == BATCH
        assert torch.allclose(found, whole[:, :, :t], rtol=1e-12, atol=1e-12)
