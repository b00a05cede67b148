"""The guard: never much worse than the mean of the values, no change where the map works, no look into the future."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from shoal.attention import (
    create_feature_map,
    linear_attention,
    softmax_attention_reference,
    windowed_linear_attention,
)
from shoal.errors import InputError
from tests.attention.inputs import frobenius, normal, trained_like

pytestmark = pytest.mark.filterwarnings("ignore::shoal.attention.DenominatorWarning")
DIM = 8


@pytest.fixture(autouse=True)
def _without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def inputs(n: int, size: float, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    q, k, v = (normal(1, 2, n, DIM, seed=3 * seed + i) for i in range(3))
    return size * q, size * k, v + 0.3


def compare(name: str, count: int, is_causal: bool, seeds: int = 2) -> None:
    for seed in range(seeds):
        for size in (1.0, 1.5, 3.0, 10.0):
            q, k, v = inputs(400, size, seed)
            phi = create_feature_map(name, DIM, count, seed=seed)
            exact = softmax_attention_reference(q, k, v, is_causal=is_causal)
            mean = softmax_attention_reference(0 * q, k, v, is_causal=is_causal)
            found = linear_attention(q, k, v, feature_map=phi, is_causal=is_causal, guard=True)
            assert frobenius(found, exact) <= 1.05 * frobenius(mean, exact), (seed, size)


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize(("name", "count"), [("positive", 8), ("hyperbolic", 16), ("taylor", 1)])
def test_bad_maps_are_not_worse_than_the_mean(name: str, count: int, is_causal: bool) -> None:
    compare(name, count, is_causal)


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("count", [8, 64])
def test_signed_maps_are_not_worse_than_the_mean(count: int, is_causal: bool) -> None:
    """Few rows with a denominator close to zero carry all of their error: a sample of rows may hold none of them."""
    compare("trig", count, is_causal, seeds=3)


@pytest.mark.parametrize(("name", "count"), [("trig", 64), ("positive", 8), ("hyperbolic", 16)])
def test_the_guard_is_needed(name: str, count: int) -> None:
    """Else the tests above say nothing: without it the same maps are worse than the mean."""
    q, k, v = inputs(400, 3.0, 1)
    exact, mean = softmax_attention_reference(q, k, v), softmax_attention_reference(0 * q, k, v)
    found = linear_attention(q, k, v, feature_map=create_feature_map(name, DIM, count, seed=1))
    assert frobenius(found, exact) > 1.15 * frobenius(mean, exact)


@pytest.mark.parametrize("is_causal", [False, True])
def test_a_map_that_works_is_left_alone_to_the_bit(is_causal: bool) -> None:
    q, k, v = inputs(400, 0.2, 0)  # the series is exact up to the cube of small logits
    phi = create_feature_map("taylor", DIM)
    options: dict[str, Any] = {"feature_map": phi, "is_causal": is_causal}
    assert torch.equal(linear_attention(q, k, v, guard=True, **options), linear_attention(q, k, v, **options))
    options["window"] = 400  # exact attention, whatever the map
    one = windowed_linear_attention(q, k, v, guard=True, **options)
    assert torch.equal(one, windowed_linear_attention(q, k, v, **options))


def test_a_map_on_inputs_of_another_kind_than_its_fit_is_not_worse_than_the_mean() -> None:
    phi = create_feature_map("landmark", 16, 32).fit(*trained_like(600, seed=1))
    q, k, v = (3 * normal(1, 1, 400, 16, seed=i).float() for i in range(3))
    exact, mean = softmax_attention_reference(q, k, v), softmax_attention_reference(0 * q, k, v)
    found = linear_attention(q, k, v, feature_map=phi, guard=True)
    assert frobenius(found, exact) <= 1.05 * frobenius(mean, exact)


@pytest.mark.parametrize(("count", "size"), [(64, 1.2), (8, 2.0)])
def test_the_output_is_shrunk_by_the_best_share(count: int, size: float) -> None:
    """(1 − β) out + β mean(V), with the β of least error where all rows are looked at; more than half becomes all."""
    q, k, v = inputs(60, size, 0)
    phi = create_feature_map("positive", DIM, count)
    out, found = (linear_attention(q, k, v, feature_map=phi, guard=g) for g in (False, True))
    exact, mean = softmax_attention_reference(q, k, v), v.mean(2, keepdim=True).expand_as(v)
    towards = mean - out
    best = ((towards * (exact - out)).sum((2, 3)) / towards.square().sum((2, 3))).clamp(0, 1)
    assert bool((best > 0.5).all() if size == 2.0 else ((best > 0.05) & (best < 0.5)).all())
    best = best.masked_fill(best > 0.5, 1.0)[..., None, None]
    far = towards.norm(dim=-1, keepdim=True) > 3 * (exact - mean).norm(dim=-1).amax(-1)[..., None, None]
    assert torch.allclose(found, torch.where(far, mean, out + best * towards), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("window", [None, 10])
@pytest.mark.parametrize("size", [0.5, 1.5, 4.0])
def test_the_past_does_not_move(size: float, window: int | None) -> None:
    phi = create_feature_map("positive", DIM, 16)
    q, k, v = (x.float() for x in inputs(300, size, 0))

    def attend(*rows: Tensor) -> Tensor:
        if window is None:
            return linear_attention(*rows, feature_map=phi, is_causal=True, guard=True)
        return windowed_linear_attention(*rows, feature_map=phi, is_causal=True, guard=True, window=window)

    before = attend(q, k, v)
    for t in (1, 20, 64, 100, 250):
        for factor in (1.0, 1000.0):
            later = [x.clone() for x in (q, k, v)]
            for i, x in enumerate(later):
                x[:, :, t:] = factor * normal(*x.shape, seed=50 + i).float()[:, :, t:]
            assert torch.equal(before[:, :, :t], attend(*later)[:, :, :t]), (t, factor)


@pytest.mark.parametrize("size", [0.5, 1.5, 4.0])
def test_tokens_that_follow_do_not_move_it_either(size: float) -> None:
    """The exact rows of a causal sequence are those of every longer one."""
    phi = create_feature_map("positive", DIM, 16)
    q, k, v = (x.float() for x in inputs(300, size, 0))
    whole = linear_attention(q, k, v, feature_map=phi, is_causal=True, guard=True)
    assert not torch.equal(whole, linear_attention(q, k, v, feature_map=phi, is_causal=True))
    for t in (1, 20, 64, 100, 250):
        part = linear_attention(*(x[:, :, :t] for x in (q, k, v)), feature_map=phi, is_causal=True, guard=True)
        assert torch.allclose(part, whole[:, :, :t], rtol=1e-5, atol=1e-6), t


def test_a_good_past_does_not_learn_of_a_bad_future() -> None:
    """Shares of the mean that are too small to count must stay so, whatever later rows need."""
    phi = create_feature_map("taylor", DIM)
    q, k, v = (x.float() for x in inputs(400, 0.3, 0))
    later = [x.clone() for x in (q, k, v)]
    for x in later[:2]:
        x[:, :, 200:] *= 20
    before, after = (
        linear_attention(*rows, feature_map=phi, is_causal=True, guard=True) for rows in ((q, k, v), later)
    )
    assert not torch.equal(after[:, :, 200:], linear_attention(*later, feature_map=phi, is_causal=True)[:, :, 200:])
    assert torch.equal(before[:, :, :200], after[:, :, :200])


def test_gradients_pass_through() -> None:
    phi = create_feature_map("positive", DIM, 64)
    for is_causal in (False, True):
        leaves = [x.requires_grad_() for x in inputs(80, 1.2, 0)]
        with torch.enable_grad():
            out = linear_attention(*leaves, feature_map=phi, is_causal=is_causal, guard=True)
            found = torch.autograd.grad(out.square().sum(), leaves)
        assert all(g.isfinite().all() and g.any() for g in found)


def test_a_stream_cannot_be_guarded() -> None:
    q, k, v = inputs(9, 1.0, 0)
    phi = create_feature_map("positive", DIM, 8)
    _, state = linear_attention(q, k, v, feature_map=phi, is_causal=True, return_state=True)
    message = "guard: expected a whole sequence, got a state; leave guard=False while streaming"
    with pytest.raises(InputError, match=message):
        linear_attention(q, k, v, feature_map=phi, is_causal=True, guard=True, state=state)
    with pytest.raises(InputError, match=message):
        linear_attention(q, k, v, feature_map=phi, is_causal=True, guard=True, return_state=True)
