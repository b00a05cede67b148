"""Feature maps as modules: seeds, fits, state_dicts, dtypes, and what they refuse."""

import copy
import io
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from shoal.attention import (
    FeatureMap,
    Features,
    create_feature_map,
    linear_attention,
    linear_attention_reference,
    list_feature_maps,
    register_feature_map,
    softmax_attention_reference,
)
from shoal.attention import registry as registry_module
from shoal.errors import InputError
from tests.attention.inputs import DIM, HEADS, distance, fitted, frobenius, qkv, trained_like

RANDOM = ["trig", "positive", "hyperbolic", "oprf", "sderf"]
FITTED = ["oprf", "sderf", "landmark", "learned"]
SEEDED = [*RANDOM, "landmark", "learned"]


def make(name: str, *, seed: int = 0, orthogonal: bool = True) -> FeatureMap:
    phi = create_feature_map(name, DIM, 16, seed=seed, orthogonal=orthogonal)
    if phi.needs_fit:
        q, k, v = (x.float() for x in qkv(100, seed=6))
        phi.fit(q, k, v, **({"steps": 3} if name == "learned" else {}))
    return phi


def features(phi: FeatureMap) -> Tensor:
    q, k, _ = qkv(9, name=phi.name)
    return torch.cat([phi.queries(q).linear(), phi.keys(k).linear()]).detach()


@pytest.mark.parametrize("name", SEEDED)
def test_a_seed_is_a_map(name: str) -> None:
    torch.manual_seed(1)
    first = features(make(name))
    torch.manual_seed(2)  # the global state does not enter
    assert torch.equal(first, features(make(name)))
    assert not torch.equal(first, features(make(name, seed=1)))


@pytest.mark.parametrize("name", list_feature_maps())
def test_making_and_fitting_leave_the_global_random_state_alone(name: str) -> None:
    before = torch.get_rng_state()
    make(name)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", RANDOM)
def test_redrawn_directions_are_those_of_the_new_seed_and_the_fit_stays(name: str) -> None:
    phi, first = make(name), features(make(name))
    assert phi.redraw(3) is phi
    assert not torch.equal(features(phi), first)
    assert torch.equal(phi.get_buffer("directions"), create_feature_map(name, DIM, 16, seed=3).get_buffer("directions"))
    assert torch.equal(features(phi.redraw(0)), first)
    independent = make(name, orthogonal=False)
    before = features(independent)
    assert torch.equal(features(independent.redraw(1).redraw(0)), before)


@pytest.mark.parametrize("name", list_feature_maps())
def test_a_fitted_map_survives_a_state_dict(name: str) -> None:
    phi = make(name)
    phi = phi if phi.fitted or not phi.exponential else phi.fit(*qkv(50))
    file = io.BytesIO()
    torch.save(phi.state_dict(), file)
    file.seek(0)
    loaded = create_feature_map(name, DIM, 16, seed=9)
    loaded.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(features(loaded), features(phi))
    assert (loaded.fitted, loaded.heads, loaded.estimates_softmax) == (phi.fitted, phi.heads, phi.estimates_softmax)
    part = create_feature_map(name, DIM, 16, seed=9)  # of a model
    nn.Sequential(part).load_state_dict(nn.Sequential(phi).state_dict())
    assert torch.equal(features(part), features(phi))


@pytest.mark.parametrize("name", ["positive", "landmark", "learned"])
@pytest.mark.parametrize("other", [(DIM, 32), (DIM + 1, 16)])
def test_a_state_dict_of_another_size_is_refused(name: str, other: tuple[int, int]) -> None:
    with pytest.raises(RuntimeError, match="size mismatch"):
        create_feature_map(name, *other).load_state_dict(make(name).state_dict())


@pytest.mark.parametrize("name", ["positive", "sderf", "landmark"])
def test_invariances_are_loaded_whatever_the_new_map_would_have_learned(name: str) -> None:
    q, k, v = qkv(50)
    for learned in (True, False):
        phi = create_feature_map(name, DIM, 16, invariances=learned).fit(q + 1, k, v)
        loaded = create_feature_map(name, DIM, 16, invariances=not learned)
        loaded.load_state_dict(phi.state_dict())
        assert torch.equal(features(loaded), features(phi))


@pytest.mark.parametrize("name", list_feature_maps())
def test_a_copy_is_a_map_of_its_own(name: str) -> None:
    phi = make(name)
    first, copied = features(phi), copy.deepcopy(phi)
    copied.redraw(5)
    for tensor in copied.state_dict().values():
        tensor.fill_(2)
    assert torch.equal(features(phi), first)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", list_feature_maps())
def test_constants_stay_float32_in_a_model_of_half_precision(name: str, dtype: torch.dtype) -> None:
    phi = make(name)
    first = features(phi)
    model = nn.Sequential(phi, nn.Linear(2, 2)).to(dtype)
    assert next(model[1].parameters()).dtype == dtype
    assert not any(x.dtype == dtype for x in phi.state_dict().values())
    assert torch.equal(features(phi), first)
    assert phi.queries(qkv(3, name=name)[0].to(dtype)).linear().dtype == torch.float32


@pytest.mark.parametrize("name", list_feature_maps())
def test_features_follow_the_precision_of_the_rows(name: str) -> None:
    phi = make(name)
    q = qkv(5, name=name)[0]
    assert phi.queries(q).linear().dtype == torch.float64
    assert distance(phi.queries(q.float()).linear(), phi.queries(q).linear()) < 1e-4


def test_the_number_of_features() -> None:
    q = qkv(3)[0]
    for name in list_feature_maps():
        phi = make(name)
        expected = {"elu": DIM, "relu": DIM, "taylor": 1 + DIM + DIM * (DIM + 1) // 2}.get(name, 16)
        assert phi.num_features == phi.queries(q).linear().shape[-1] == phi.keys(q).linear().shape[-1] == expected
        assert phi.num_scales == (0 if not phi.exponential else 1 if phi.scale_per_row else expected)
    assert create_feature_map("positive", 3, 1).num_features == 1


@pytest.mark.parametrize("name", list_feature_maps())
def test_signed_says_whether_features_can_be_negative(name: str) -> None:
    if not make(name).signed:
        kernel = features(make(name)).flatten(0, 1)
        if name == "taylor":  # its kernel is positive, its features are not
            q, k, _ = qkv(50)
            assert (make(name).queries(4 * q).linear() @ make(name).keys(4 * k).linear().mT).min() >= 0.5 - 1e-9
        else:
            assert kernel.min() >= 0


def test_simple_kernels_are_their_formulas() -> None:
    q, k, _ = qkv(9)
    inner = 0.5 * q @ k.mT
    kernel = lambda name: make(name).queries(q).linear() @ make(name).keys(k).linear().mT  # noqa: E731
    assert distance(kernel("taylor"), 1 + inner + inner.square() / 2) < 1e-14
    plus_one = lambda x: torch.where(x > 0, x + 1, x.exp())  # noqa: E731
    assert distance(kernel("elu"), plus_one(q) @ plus_one(k).mT) < 1e-14
    assert distance(kernel("relu"), q.clamp_min(0) @ k.clamp_min(0).mT) < 1e-14


def test_trig_and_positive_features_are_their_formulas() -> None:
    q, _, _ = qkv(9)
    x = DIM**-0.25 * q
    for name in ("trig", "positive", "hyperbolic"):
        phi = make(name)
        w = phi.get_buffer("directions").double()
        half = x.square().sum(-1, keepdim=True) / 2
        expected = {
            "trig": half.exp() * torch.cat([(x @ w.T).cos(), (x @ w.T).sin()], -1) / len(w) ** 0.5,
            "positive": (x @ w.T - half).exp() / len(w) ** 0.5,
            "hyperbolic": torch.cat([x @ w.T - half, -(x @ w.T) - half], -1).exp() / (2 * len(w)) ** 0.5,
        }[name]
        assert distance(phi.queries(q).linear(), expected) < 1e-12


@pytest.mark.parametrize("name", ["positive", "trig", "oprf"])
def test_centring_and_balancing_leave_the_kernel_that_is_estimated(name: str) -> None:
    """With many features, a fitted map comes near exp(scale · q·k) itself, factors and all; also with large means."""
    q, k, _ = qkv(200, seed=1)
    q, k = q + 1.5, 0.3 * k - 1
    phi = create_feature_map(name, DIM, 4000).fit(q, k)
    exact = (0.5 * q @ k.mT).exp()
    assert frobenius(phi.queries(q).linear() @ phi.keys(k).linear().mT, exact) < 0.1


def test_a_fit_is_per_head() -> None:
    q, k, v = qkv(100, seed=2)
    k[:, 1] = 5 * k[:, 1] + 3
    for name in FITTED:
        options: dict[str, Any] = {"steps": 2} if name == "learned" else {}
        together = create_feature_map(name, DIM, 8).fit(q, k, v, **options)
        assert together.heads == HEADS
        if name == "learned":  # heads share the draws of rows
            continue
        for h in range(HEADS):
            alone = create_feature_map(name, DIM, 8).fit(q[:, h : h + 1], k[:, h : h + 1], v[:, h : h + 1], **options)
            if name == "landmark":  # heads share a stream of draws: compared where nothing is drawn
                continue
            found = together.keys(k[:, :, :5]).linear()[:, h : h + 1]
            assert distance(found, alone.keys(k[:, h : h + 1, :5]).linear()) < 1e-3


@pytest.mark.parametrize("name", ["positive", "oprf", "landmark", "learned"])
def test_slices_of_heads_are_the_map(name: str) -> None:
    phi = fitted(name)
    if not phi.fitted:
        phi.fit(*qkv(50))
    q, k, _ = qkv(9)
    part = phi.of_heads(slice(1, 2))
    assert part.heads == 1
    assert distance(part.keys(k[:, 1:]).linear(), phi.keys(k).linear()[:, 1:]) < 1e-12
    assert distance(part.queries(q[:, 1:]).linear(), phi.queries(q).linear()[:, 1:]) < 1e-12
    assert phi.heads == HEADS


@pytest.mark.parametrize("name", FITTED)
def test_a_map_must_be_fitted_first(name: str) -> None:
    q, k, v = qkv(5)
    message = rf"feature map '{name}': expected a fitted map, got a new one; call \.fit\(q, k\)"
    with pytest.raises(InputError, match=message):
        linear_attention(q, k, v, feature_map=create_feature_map(name, DIM))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda q, k, v: (q[..., :2], k, v), r"q: expected \[batch, heads, n, 4\]"),
        (lambda q, k, v: (q, k[0], v), r"k: expected \[batch, heads, n, 4\]"),
        (lambda q, k, v: (q[:, :, :0], k, v), "q: expected .* with n >= 1"),
        (lambda q, k, v: (q[:1], k, v), "q and k: expected one batch size"),
        (lambda q, k, v: (q.repeat(1, 2, 1, 1)[:, :3], k, v), "query heads a multiple of key heads"),
        (lambda q, k, v: (q, k, v[:, :, 1:]), r"v: expected \[2, 2, 50, m\]"),
        (lambda q, k, v: (q / 0, k, v), "q: expected finite numbers, got NaN or infinity"),
        (lambda q, k, v: (q, k * torch.nan, v), "k: expected finite numbers"),
        (lambda q, k, v: (q, k, v * torch.inf), "v: expected finite numbers"),
    ],
)
def test_a_fit_refuses_what_it_cannot_use(spoil: Any, message: str) -> None:
    for name in ("positive", "sderf", "landmark", "learned"):
        phi = create_feature_map(name, DIM, 8)
        with pytest.raises(InputError, match=message):
            phi.fit(*spoil(*qkv(50)))
        assert not phi.fitted


@pytest.mark.parametrize("name", ["landmark", "learned"])
def test_a_fit_needs_a_token_per_feature(name: str) -> None:
    q, k, v = qkv(10)
    phi = create_feature_map(name, DIM, 64)
    with pytest.raises(InputError, match="calibration batch: expected at least 64 tokens, one per feature, got 20"):
        phi.fit(q, k, v)
    with pytest.raises(InputError, match=f"feature map '{name}': expected a fitted map"):  # a failed fit is none
        phi.queries(q)


def test_settings_of_a_training_are_checked() -> None:
    q, k, v = qkv(50)
    for options, message in (({"steps": -1}, "steps: expected a whole number >= 0"), ({"window": 0}, "window")):
        with pytest.raises(InputError, match=message):
            create_feature_map("learned", DIM, 8).fit(q, k, v, **options)
    with pytest.raises(InputError, match="calibration batch: expected as many queries as keys"):
        create_feature_map("learned", DIM, 8).fit(q[:, :, :20], k, v, is_causal=True)


def test_a_fitted_map_knows_its_dimensions_and_heads() -> None:
    for name in FITTED:
        phi = fitted(name)
        with pytest.raises(InputError, match=rf"'{name}': expected rows of 4 numbers, got 3"):
            phi.queries(qkv(5)[0][..., :3])
        with pytest.raises(InputError, match=rf"'{name}': expected the 2 heads of its fit, got 3"):
            phi.queries(qkv(5, heads=3)[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("positiv", 4), "unknown feature map 'positiv'; did you mean 'positive'"),
        (("positive", 0), "dim: expected a whole number >= 1, got 0"),
        (("positive", 4, 0), "num_features: expected a whole number >= 1, got 0"),
        (("positive", 4, True), "num_features: expected a whole number"),
        (("trig", 4, 15), "num_features: expected a multiple of 2, >= 2, got 15"),
        (("hyperbolic", 4, 1), "num_features: expected a multiple of 2, >= 2, got 1"),
    ],
)
def test_a_map_that_cannot_be_made_is_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        create_feature_map(*arguments)


def test_a_map_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_module, "_maps", dict(registry_module._maps))

    @register_feature_map
    class Square(FeatureMap):
        name, exponential, estimates_softmax = "square", False, False

        def features(self, x: Tensor, role: str, scale: float) -> Features:
            return Features(x.square() + 0.1)

    assert "square" in list_feature_maps()
    q, k, v = qkv(70)
    phi = create_feature_map("square", DIM, DIM)
    found = linear_attention(q, k, v, feature_map=phi, is_causal=True)
    assert distance(found, linear_attention_reference(q, k, v, feature_map=phi, is_causal=True)) < 1e-12
    with pytest.raises(InputError, match="register_feature_map: expected a subclass of FeatureMap with a name"):
        register_feature_map(FeatureMap)


def test_features_need_a_factor() -> None:
    with pytest.raises(InputError, match="Features: expected value or log, got neither"):
        Features(row=torch.zeros(2, 1))


def error_of(name: str, count: int, **options: Any) -> float:
    """On tokens that the map was not fitted on."""
    phi = create_feature_map(name, 16, count)
    if phi.needs_fit:
        phi.fit(*trained_like(1024, seed=1), **options)
    q, k, v = trained_like(512, seed=2)
    with torch.no_grad():
        found = linear_attention(q, k, v, feature_map=phi)
    return frobenius(found, softmax_attention_reference(q.double(), k.double(), v.double()))


def test_fitted_maps_beat_random_ones_on_inputs_like_trained_ones() -> None:
    positive = error_of("positive", 64)
    assert error_of("landmark", 64) < 0.6 * positive
    assert error_of("learned", 64, steps=60) < 0.6 * positive


def test_training_lowers_the_error() -> None:
    assert error_of("learned", 32, steps=80) < 0.9 * error_of("learned", 32, steps=0)
