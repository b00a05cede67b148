"""`linear_attention` against the reference: every map, odd lengths, masks, shared heads, precisions, range, memory."""

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import shoal.attention.blocks
import shoal.attention.full
import shoal.attention.slices
from shoal.attention import (
    DenominatorWarning,
    FeatureMap,
    create_feature_map,
    linear_attention,
    linear_attention_reference,
    windowed_linear_attention,
)
from tests.attention.inputs import (
    BATCH,
    DIM,
    EVERY,
    HEADS,
    KERNEL,
    PATHS,
    REST,
    M,
    distance,
    fewer_examples,
    fitted,
    mask,
    normal,
    qkv,
    ready,
    set_sizes,
)

TOPS = [1e6, *(pytest.param(top, marks=pytest.mark.slow) for top in (1e4, 1e8))]  # largest logits
LENGTHS = [1, 2, 63, 64, 65, 130]


@pytest.fixture(autouse=True)
def _without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture
def tiny_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks, segments and slices so short that a hundred rows cross many borders."""
    monkeypatch.setattr(shoal.attention.blocks, "BLOCK", 4)
    set_sizes(monkeypatch, blocks=3, rows=5)
    monkeypatch.setattr(shoal.attention.slices, "_ROWS", 64)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("is_causal", [False, True])
def test_equals_the_reference_at_every_length(name: str, is_causal: bool) -> None:
    phi = ready(name)
    for length in LENGTHS:
        q, k, v = qkv(length, name=name, seed=length)
        found = linear_attention(q, k, v, feature_map=phi, is_causal=is_causal)
        assert distance(found, linear_attention_reference(q, k, v, feature_map=phi, is_causal=is_causal)) < 1e-10, (
            length
        )


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("name", ["positive", "trig", "landmark", "ready"])
def test_equals_the_reference_over_several_segments(name: str, is_causal: bool) -> None:
    phi = ready(name)
    q, k, v = qkv(1025, name=name)
    found = linear_attention(q, k, v, feature_map=phi, is_causal=is_causal)
    assert distance(found, linear_attention_reference(q, k, v, feature_map=phi, is_causal=is_causal)) < 1e-10


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("is_causal", [False, True])
def test_equals_the_reference_with_shared_heads_masks_and_another_scale(name: str, is_causal: bool) -> None:
    phi, key_mask = ready(name, groups=3), mask(70)
    q, k, v = qkv(70, name=name, groups=3)
    options: dict[str, Any] = {"feature_map": phi, "is_causal": is_causal, "key_mask": key_mask, "scale": 0.3}
    expected = linear_attention_reference(q, k, v, **options)
    found = linear_attention(q, k, v, enable_gqa=True, **options)
    assert distance(found, expected) < 1e-10


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize(("queries", "keys"), [(1, 130), (65, 3), (130, 64), (7, 1)])
def test_equals_the_reference_across_two_sequences(name: str, queries: int, keys: int) -> None:
    phi = ready(name)
    q, k, v = qkv(queries, keys=keys, name=name)
    for key_mask in (None, mask(keys)):
        found = linear_attention(q, k, v, feature_map=phi, key_mask=key_mask)
        assert distance(found, linear_attention_reference(q, k, v, feature_map=phi, key_mask=key_mask)) < 1e-10


@fewer_examples
@given(
    name=st.sampled_from(EVERY),
    length=st.integers(1, 140),
    groups=st.integers(1, 2),
    is_causal=st.booleans(),
    masked=st.booleans(),
    seed=st.integers(0, 5),
)
def test_equals_the_reference_whatever_the_call(
    name: str, length: int, groups: int, is_causal: bool, masked: bool, seed: int
) -> None:
    phi = ready(name, groups=groups)
    q, k, v = qkv(length, name=name, groups=groups, seed=seed)
    options: dict[str, Any] = {
        "feature_map": phi,
        "is_causal": is_causal,
        "key_mask": mask(length, seed=seed) if masked else None,
    }
    with torch.no_grad():
        found = linear_attention(q, k, v, enable_gqa=True, **options)
        assert distance(found, linear_attention_reference(q, k, v, **options)) < 1e-10


@pytest.mark.usefixtures("tiny_blocks")
@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize("is_causal", [False, True])
def test_blocks_segments_and_slices_change_nothing(name: str, is_causal: bool) -> None:
    phi = ready(name, groups=2)
    q, k, v = qkv(50, name=name, groups=2)
    options: dict[str, Any] = {"feature_map": phi, "is_causal": is_causal, "key_mask": mask(50)}
    expected = linear_attention_reference(q, k, v, **options)
    assert distance(linear_attention(q, k, v, enable_gqa=True, **options), expected) < 1e-10


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        ("blocks", "BLOCK", 1),
        ("blocks", "BLOCK", 7),
        ("blocks", "BLOCK", 1000),
        ("sizes", "blocks", 2),
        ("sizes", "sums", 1),
        ("sizes", "sums", 10**9),
        ("slices", "_ROWS", 1),  # heads alone
        ("slices", "_ROWS", 400),  # rows of the batch
        ("sizes", "rows", 1),
        ("sizes", "rows", 10**6),
    ],
)
def test_any_block_size_gives_the_same(module: str, name: str, value: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if module == "sizes":
        set_sizes(monkeypatch, **{name: value})
    else:
        monkeypatch.setattr(f"shoal.attention.{module}.{name}", value)
    for kind in ("positive", "landmark", "learned"):
        phi = ready(kind)
        q, k, v = qkv(140, name=kind)
        for is_causal in (False, True):
            expected = linear_attention_reference(q, k, v, feature_map=phi, is_causal=is_causal)
            assert distance(linear_attention(q, k, v, feature_map=phi, is_causal=is_causal), expected) < 1e-10


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("is_causal", [False, True])
def test_float32_and_half_precisions_are_near_float64(name: str, is_causal: bool) -> None:
    """Half inputs are computed with in float32: what is left is the rounding of the output."""
    phi = ready(name)
    for dtype, bound in ((torch.float32, 2e-5), (torch.bfloat16, 2**-8), (torch.float16, 2**-11)):
        q, k, v = (x.to(dtype) for x in qkv(130, name=name))
        expected = linear_attention_reference(q.double(), k.double(), v.double(), feature_map=phi, is_causal=is_causal)
        found = linear_attention(q, k, v, feature_map=phi, is_causal=is_causal)
        assert found.dtype == dtype
        assert distance(found, expected) < bound + 2e-5


# ---------------------------------------------------------------------- padding


@pytest.mark.parametrize("name", [*PATHS, *REST])
@pytest.mark.parametrize("garbage", [float("nan"), 1e30])
def test_padding_is_never_looked_at(name: str, garbage: float) -> None:
    """On either side, as if it were not there; with a causal mask, for the queries that are no padding."""
    phi = ready(name)
    q, k, v = qkv(70, name=name)
    for low, high in ((0, 50), (64, 70)):
        key_mask = torch.zeros(BATCH, 70, dtype=torch.bool)
        key_mask[:, low:high] = True
        dirty = [x.masked_fill(~key_mask[:, None, :, None], garbage) for x in (k, v)]
        found = linear_attention(q, *dirty, feature_map=phi, key_mask=key_mask)
        bare = linear_attention(q, k[:, :, low:high], v[:, :, low:high], feature_map=phi)
        assert distance(found, bare) < 1e-6
        found = linear_attention(q, *dirty, feature_map=phi, key_mask=key_mask, is_causal=True)
        bare = linear_attention(*(x[:, :, low:high] for x in (q, k, v)), feature_map=phi, is_causal=True)
        assert distance(found[:, :, low:high], bare) < 1e-6
        assert not found[:, :, :low].any()  # rows that see no key
        if phi is not None and phi.estimates_softmax:
            for is_causal in (False, True):
                options: dict[str, Any] = {"feature_map": phi, "window": 7, "is_causal": is_causal}
                bare = windowed_linear_attention(*(x[:, :, low:high] for x in (q, k, v)), **options)
                found = windowed_linear_attention(q, *dirty, key_mask=key_mask, **options)
                assert distance(found[:, :, low:high], bare) < 1e-6


def test_sequences_of_a_batch_are_padded_by_themselves() -> None:
    q, k, v = qkv(40)
    lengths = [13, 40]
    key_mask = torch.arange(40) < torch.tensor(lengths)[:, None]
    phi = ready("positive")
    found = linear_attention(q, k, v, feature_map=phi, key_mask=key_mask, is_causal=True)
    for b, n in enumerate(lengths):
        bare = linear_attention(*(x[b : b + 1, :, :n] for x in (q, k, v)), feature_map=phi, is_causal=True)
        assert distance(found[b : b + 1, :, :n], bare) < 1e-10


# ---------------------------------------------------------------------- invariances


@pytest.mark.filterwarnings("ignore::shoal.attention.DenominatorWarning")  # one row of landmark
@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("is_causal", [False, True])
def test_batch_rows_and_heads_do_not_mix(name: str, is_causal: bool) -> None:
    phi = ready(name)
    q, k, v = qkv(66, name=name, batch=3)
    whole = linear_attention(q, k, v, feature_map=phi, is_causal=is_causal)
    order = torch.tensor([2, 0, 1])
    found = linear_attention(q[order], k[order], v[order], feature_map=phi, is_causal=is_causal)
    assert distance(found, whole[order]) < 1e-12
    if phi is None or not phi.fitted:  # a fitted map knows its heads by their place
        found = linear_attention(*(x.flip(1) for x in (q, k, v)), feature_map=phi, is_causal=is_causal)
        assert distance(found, whole.flip(1)) < 1e-12


@pytest.mark.parametrize("name", ["positive", "trig", "hyperbolic", "oprf", "sderf", "landmark", "learned"])
def test_moved_keys_give_the_same_attention_after_a_fit_to_them(name: str) -> None:
    """Softmax does not see a shift of all keys; with centring, neither do fit and map together."""
    shift = 3 * normal(HEADS, 1, DIM, seed=8)
    found = []
    for moved in (0.0, shift):
        q, k, v = qkv(100, seed=4)
        options: dict[str, Any] = {"steps": 2} if name == "learned" else {}
        phi = create_feature_map(name, DIM, 64 if name == "trig" else 16).fit(q, k + moved, v, **options)
        q, k, v = qkv(60, seed=5)
        found.append(linear_attention(q, k + moved, v, feature_map=phi))
    assert distance(found[1], found[0]) < (0.05 if name == "learned" else 1e-3)  # constants are kept in float32


@pytest.mark.parametrize("name", ["positive", "trig", "hyperbolic", "oprf"])
def test_a_change_of_basis_gives_the_same_coordinates_after_a_fit_to_it(name: str) -> None:
    """(qΨ, kΨ⁻ᵀ) leaves softmax as it is. Balancing finds the same coordinates up to a rotation, which random features
    do not mind on average: norms and products of the coordinates are compared.
    """
    psi = normal(DIM, DIM, seed=5) + 2 * torch.eye(DIM, dtype=torch.float64)
    coordinates = []
    for left, right in (
        (torch.eye(DIM, dtype=torch.float64), torch.eye(DIM, dtype=torch.float64)),
        (psi, psi.inverse().mT),
    ):
        q, k, _ = qkv(400, seed=4)
        phi = create_feature_map(name, DIM, 16).fit(q @ left, k @ right)
        (x, _), (y, _) = phi._coordinates(q @ left, "query", 0.5), phi._coordinates(k @ right, "key", 0.5)
        coordinates.append((x.square().sum(-1), y.square().sum(-1), x @ y.mT))
    for one, other in zip(*coordinates, strict=True):
        assert distance(other, one) < 0.02  # the ridge of the covariances sees the basis


# ---------------------------------------------------------------------- range and memory


@pytest.mark.parametrize("name", [*PATHS, "hyperbolic", "oprf", "sderf", "elu", "relu"])
@pytest.mark.parametrize("top", TOPS)
@pytest.mark.filterwarnings("ignore::shoal.attention.DenominatorWarning")
def test_outputs_and_gradients_are_finite_at_any_norm(name: str, top: float) -> None:
    phi = ready(name)
    for seed in range(3):
        q, k, v = (x.float() for x in qkv(66, name=name, seed=seed))
        if seed == 1 and name != "ready":
            q, k = -q.abs(), -k.abs()  # where elu and relu vanish
        if seed == 2:
            k = k * torch.logspace(-4, 0, 66)[:, None]  # ever larger keys: the reference has to move
        root = (top / float((0.5 * q @ k.mT).abs().max())) ** 0.5
        for is_causal in (False, True):
            leaves = [(root * q).requires_grad_(), (root * k).requires_grad_(), v.clone().requires_grad_()]
            with torch.enable_grad():
                out = linear_attention(*leaves, feature_map=phi, is_causal=is_causal)
                assert torch.isfinite(out).all()
                gradients = torch.autograd.grad(out.square().sum(), leaves)
            for letter, gradient in zip("qkv", gradients, strict=True):
                assert torch.isfinite(gradient).all(), (letter, seed, is_causal)
            # an average of values: positive weights cannot leave their range
            if phi is not None and not phi.signed:
                assert float(out.max()) <= float(v.max()) + 1e-3
                assert float(out.min()) >= float(v.min()) - 1e-3


@pytest.mark.parametrize("name", ["positive", "hyperbolic", "oprf", "sderf"])
@pytest.mark.parametrize("is_causal", [False, True])
def test_positive_maps_pick_the_largest_key_at_large_logits(name: str, is_causal: bool) -> None:
    """Finite is not enough: with logits of 1e4 float32 still gives what float64 gives."""
    phi = ready(name)
    q, k, v = (40 * x if i < 2 else x for i, x in enumerate(qkv(90)))
    expected = linear_attention(q, k, v, feature_map=phi, is_causal=is_causal)
    assert float((0.5 * q @ k.mT).abs().max()) > 1e3
    found = linear_attention(q.float(), k.float(), v.float(), feature_map=phi, is_causal=is_causal)
    assert distance(found, expected) < 1e-2


@pytest.fixture
def _poisoned(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """New memory is NaN, and so is whatever a workspace hands out again."""
    handed_out = shoal.attention.blocks.Workspace.__call__

    def poison(self: shoal.attention.blocks.Workspace, name: str, *shape: int) -> Tensor:
        return handed_out(self, name, *shape).fill_(torch.nan)

    monkeypatch.setattr(shoal.attention.blocks.Workspace, "__call__", poison)
    torch.use_deterministic_algorithms(True)
    assert torch.empty(3).isnan().all()
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("_poisoned", "tiny_blocks")
@pytest.mark.parametrize("name", PATHS)
def test_no_uninitialised_memory_is_read(name: str) -> None:
    phi = ready(name, groups=2, window=5)
    for length in (1, 25):
        q, k, v = qkv(length, name=name, groups=2)
        for key_mask in (None, mask(length))[-1 if length > 1 else 0 :]:
            for is_causal in (False, True):
                options: dict[str, Any] = {"feature_map": phi, "is_causal": is_causal, "key_mask": key_mask}
                expected = linear_attention_reference(q, k, v, **options)
                assert distance(linear_attention(q, k, v, enable_gqa=True, **options), expected) < 1e-10
                leaves = [x.clone().requires_grad_() for x in (q, k, v)]
                with torch.enable_grad():
                    out = linear_attention(*leaves, enable_gqa=True, **options)
                    assert all(g.isfinite().all() for g in torch.autograd.grad(out.sum(), leaves))
                    if phi is not None and phi.estimates_softmax:
                        out = windowed_linear_attention(*leaves, window=5, enable_gqa=True, **options)
                        assert out.isfinite().all()
                        assert all(g.isfinite().all() for g in torch.autograd.grad(out.sum(), leaves))


def test_inputs_are_left_as_they_are() -> None:
    for name in EVERY:
        phi = ready(name)
        for dtype in (torch.float32, torch.float64):
            q, k, v = (x.to(dtype) for x in qkv(70, name=name))
            before = [x.clone() for x in (q, k, v)]
            for is_causal in (False, True):
                linear_attention(q, k, v, feature_map=phi, is_causal=is_causal)
            assert all(map(torch.equal, (q, k, v), before))


def test_any_strides_are_read_right() -> None:
    phi = ready("positive")
    q, k, v = qkv(70)
    expected = linear_attention(q, k, v, feature_map=phi, is_causal=True)
    turned = [x.transpose(1, 2).contiguous().transpose(1, 2) for x in (q, k, v)]  # as a projection leaves them
    assert distance(linear_attention(*turned, feature_map=phi, is_causal=True), expected) < 1e-12
    spread = [x.repeat_interleave(2, -1)[..., ::2] for x in (q, k, v)]
    assert distance(linear_attention(*spread, feature_map=phi, is_causal=True), expected) < 1e-12
    shared = [x[:1].expand(2, -1, -1, -1) for x in (q, k, v)]
    assert distance(linear_attention(*shared, feature_map=phi, is_causal=True)[1:], expected[:1]) < 1e-12


# ---------------------------------------------------------------------- denominators


def signed_case() -> tuple[Tensor, Tensor, Tensor]:
    """Ready features of one dimension: the denominators of the rows are 1, −1, 0 and 2 without a causal mask."""
    q = torch.tensor([1.0, -1.0, 0.0, 2.0]).reshape(1, 1, 4, 1)
    k = torch.tensor([2.0, -2.0, 0.5, 0.5]).reshape(1, 1, 4, 1)
    return q, k, torch.tensor([1.0, 2.0, 3.0, 6.0]).reshape(1, 1, 4, 1)


def test_bad_denominators_give_the_mean_and_are_counted() -> None:
    q, k, v = signed_case()
    with pytest.warns(DenominatorWarning, match="of 2 of 4 rows"):
        out, state = linear_attention(q, k, v, feature_map=None, return_state=True)
    weighted = (2 * 1 - 2 * 2 + 0.5 * 3 + 0.5 * 6) / 1.0
    assert out.flatten().tolist() == pytest.approx([weighted, 3.0, 3.0, weighted])
    assert state.replaced.tolist() == [[2]]


def test_bad_denominators_give_the_mean_of_what_is_visible() -> None:
    """Causal rows see k = 2; 2, −2; …: denominators 2, 0, 0, 2."""
    q, k, v = signed_case()
    with pytest.warns(DenominatorWarning, match="of 2 of 4 rows"):
        out, state = linear_attention(q, k, v, feature_map=None, is_causal=True, return_state=True)
    assert out.flatten().tolist() == pytest.approx([1.0, 1.5, 2.0, 2.5])
    assert state.replaced.tolist() == [[2]]
    key_mask = torch.tensor([[True, True, False, True]])
    k = torch.tensor([2.0, -2.0, 0.5, -0.5]).reshape(1, 1, 4, 1)
    with pytest.warns(DenominatorWarning, match="of 3 of 4 rows"):  # 2, 0, 0 and −0.5
        out = linear_attention(torch.ones(1, 1, 4, 1), k, v, feature_map=None, is_causal=True, key_mask=key_mask)
    assert out.flatten().tolist() == pytest.approx([1.0, 1.5, 1.5, 3.0])


def test_replaced_rows_go_on_counting_in_a_state() -> None:
    q, k, v = signed_case()
    state = None
    for t in range(4):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            token = (x[:, :, t : t + 1] for x in (q, k, v))
            out, state = linear_attention(*token, feature_map=None, is_causal=True, state=state, return_state=True)
        assert len(caught) == (t in (1, 2))
        assert float(out) == pytest.approx([1.0, 1.5, 2.0, 2.5][t])
    assert state is not None
    assert state.replaced.tolist() == [[2]]


def test_replaced_rows_have_no_gradient_by_weights() -> None:
    q, k, v = (x.double().requires_grad_() for x in signed_case())
    with torch.enable_grad():
        with pytest.warns(DenominatorWarning):
            out = linear_attention(q, k, v, feature_map=None)
        by_q, by_k, by_v = torch.autograd.grad(out[0, 0, 1, 0], (q, k, v))
    assert not by_q.any()
    assert not by_k.any()
    assert by_v.flatten().tolist() == [0.25] * 4


def test_rows_that_see_nothing_are_0_and_not_counted(recwarn: pytest.WarningsRecorder) -> None:
    q, k, v = qkv(6)
    key_mask = torch.tensor([[False] * 6, [False, False, True, True, True, True]])
    for name in EVERY:
        phi = ready(name)
        q, k, v = qkv(6, name=name)
        out, state = linear_attention(
            q, k, v, feature_map=phi, key_mask=key_mask, is_causal=True, return_state=True
        )  # fmt: skip
        assert not out[0].any()
        assert not out[1, :, :2].any()
        assert out[1, :, 2:].abs().amin() > 0
        assert not state.replaced.any()
    assert not recwarn.list


def test_relu_without_a_positive_entry_is_reported() -> None:
    q, k, v = qkv(5, name="relu")
    q[:, :, 2] = -1.0
    with pytest.warns(DenominatorWarning, match=f"of {BATCH * HEADS} of {BATCH * HEADS * 5} rows"):
        out = linear_attention(q, k, v, feature_map=fitted("relu"))
    assert distance(out[:, :, 2], v.mean(2)) < 1e-12


# ---------------------------------------------------------------------- nothing to attend to


def test_no_queries_give_no_rows() -> None:
    for name in EVERY:
        q, k, v = qkv(0, keys=5, name=name)
        out = linear_attention(q, k, v, feature_map=ready(name))
        assert out.shape == (BATCH, HEADS, 0, M)


def test_no_keys_give_zeros() -> None:
    for name in EVERY:
        q, k, v = qkv(5, keys=0, name=name)
        out, state = linear_attention(q, k, v, feature_map=ready(name), return_state=True)
        assert torch.equal(out, torch.zeros(BATCH, HEADS, 5, M).double())
        assert state.count.tolist() == [0, 0]


def test_no_tokens_are_no_tokens() -> None:
    for name in EVERY:
        q, k, v = (x.requires_grad_() for x in qkv(0, name=name))
        with torch.enable_grad():
            out = linear_attention(q, k, v, feature_map=ready(name), is_causal=True)
            assert out.shape == (BATCH, HEADS, 0, M)
            assert torch.autograd.grad(out.sum(), q)[0].shape == q.shape


def test_an_empty_batch_stays_empty() -> None:
    q, k, v = qkv(5, batch=0)
    for is_causal in (False, True):
        out = linear_attention(q, k, v, feature_map=ready("positive"), is_causal=is_causal)
        assert out.shape == (0, HEADS, 5, M)


@pytest.mark.parametrize("name", KERNEL)
def test_more_features_come_nearer_to_the_kernel(name: str) -> None:
    """Not a proof of unbiasedness, see `test_attention_unbiased`: the maps stand for exp(scale · q·k), absolutely."""
    phi: FeatureMap = create_feature_map(name, DIM, 2000 if name != "landmark" else 64)
    q, k, v = qkv(300, seed=3)
    if phi.needs_fit:
        phi.fit(q, k, v)
    exact = (0.5 * q @ k.mT).exp()
    found = phi.queries(q).linear() @ phi.keys(k).linear().mT
    assert float((found - exact).norm() / exact.norm()) < 0.1
