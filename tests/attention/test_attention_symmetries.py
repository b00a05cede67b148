"""Changes of the inputs that attention does not see, or sees in a known way, and that its approximations keep.

Softmax does not change when every key moves by one vector, nor for queries times Ψ and keys times Ψ⁻ᵀ (see
`shoal.attention.maps.invariances`). A fit keeps both: means and bases are those of the data, so that a map fitted to
changed inputs has the coordinates of one fitted to the originals. Two things are left:

- The ridge of the covariances, 1e-3 of the mean variance, is that of another basis where Ψ is no multiple of a
  rotation.
- `learned` is trained from random hidden weights, by steps per entry: a turned basis gives another training. A shift
  and a multiple do not, and neither does a rotation before the first step.

`elu` and `relu` have no fit and see all of this. `taylor` sees a shift, but no basis.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from shoal.attention import (
    FeatureMap,
    create_feature_map,
    linear_attention,
    softmax_attention_reference,
    windowed_linear_attention,
)
from tests.attention.inputs import COUNTS, DIM, EVERY, HEADS, M, distance, fitted, frobenius, normal, qkv, ready

Inputs = tuple[Tensor, Tensor, Tensor]

RANDOM = ["trig", "positive", "hyperbolic", "oprf", "sderf"]
FITTED = [*RANDOM, "landmark", "learned"]
EXACT = 1e-6  # relative: constants are kept in float32
LANDMARK = 1e-5  # it solves linear systems
RIDGE = 3e-3  # relative: what it makes of the basis below

EYE = torch.eye(DIM, dtype=torch.float64)
ROTATION = torch.linalg.qr(normal(HEADS, DIM, DIM, seed=9)).Q  # one per head
BASIS = normal(HEADS, DIM, DIM, seed=5) + 2 * EYE  # of condition 2.6 and 2.3
SHIFT = 3 * normal(HEADS, 1, DIM, seed=8)

pytestmark = pytest.mark.filterwarnings("ignore::shoal.attention.DenominatorWarning")


@pytest.fixture(autouse=True)
def _without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


def moved(q: Tensor, k: Tensor, v: Tensor) -> Inputs:
    return q, k + SHIFT, v


def stretched(q: Tensor, k: Tensor, v: Tensor) -> Inputs:
    return 3 * q, k / 3, v


def turned(q: Tensor, k: Tensor, v: Tensor) -> Inputs:
    return q @ ROTATION, k @ ROTATION, v


def rebased(q: Tensor, k: Tensor, v: Tensor) -> Inputs:
    return q @ BASIS, k @ BASIS.inverse().mT, v


def fit(name: str, inputs: Inputs, *, seed: int = 0, steps: int = 2, **options: Any) -> FeatureMap:
    phi = create_feature_map(name, DIM, COUNTS.get(name, 16), seed=seed, **options)
    return phi.fit(*inputs, **({"steps": steps} if name == "learned" else {}))


def ordered(inputs: Inputs, order: Tensor) -> Inputs:
    q, k, v = (x[:, order] for x in inputs)
    return q, k, v


def outputs(phi: FeatureMap | None, inputs: Inputs) -> list[Tensor]:
    """Of the full form, the causal one, and where the map allows it the windowed one."""
    found = [linear_attention(*inputs, feature_map=phi, is_causal=is_causal) for is_causal in (False, True)]
    if phi is not None and phi.estimates_softmax and phi.name != "taylor":
        found.append(windowed_linear_attention(*inputs, feature_map=phi, window=7, is_causal=True))
    return found


def farthest(found: list[Tensor], expected: list[Tensor]) -> float:
    return max(distance(one, other) for one, other in zip(found, expected, strict=True))


CALIBRATION, USE = qkv(100, seed=4), qkv(60, seed=5)


# ---------------------------------------------------------------------- one vector for all keys, and another basis


@pytest.mark.parametrize("name", FITTED)
@pytest.mark.parametrize("change", [moved, stretched])
def test_moved_or_stretched_inputs_give_the_output_of_the_originals(name: str, change: Callable[..., Inputs]) -> None:
    """Ψ is a multiple of 1 where they are stretched: the ridge goes with it, and no axis turns."""
    expected = outputs(fit(name, CALIBRATION), USE)
    found = outputs(fit(name, change(*CALIBRATION)), change(*USE))
    assert farthest(found, expected) < (LANDMARK if name == "landmark" else EXACT)
    assert farthest(outputs(fit(name, CALIBRATION), change(*USE)), expected) > 1e-3  # the fit is what keeps it


@pytest.mark.parametrize("name", RANDOM)
@pytest.mark.parametrize(("change", "bound"), [(moved, EXACT), (stretched, EXACT), (turned, EXACT), (rebased, RIDGE)])
def test_another_basis_gives_the_output_of_the_originals(
    name: str, change: Callable[..., Inputs], bound: float
) -> None:
    """Also the signs of axes are the data's: random directions meet the same coordinates."""
    expected = outputs(fit(name, CALIBRATION), USE)
    assert farthest(outputs(fit(name, change(*CALIBRATION)), change(*USE)), expected) < bound


@pytest.mark.parametrize(("change", "bound"), [(turned, LANDMARK), (rebased, RIDGE)])
def test_landmarks_do_not_see_another_basis(change: Callable[..., Inputs], bound: float) -> None:
    """Centres turn with the tokens. Another seed makes ten times the difference."""
    expected = outputs(fit("landmark", CALIBRATION), USE)
    found = outputs(fit("landmark", change(*CALIBRATION)), change(*USE))
    assert farthest(found, expected) < bound
    assert farthest(outputs(fit("landmark", CALIBRATION, seed=1), USE), expected) > 3 * RIDGE


def test_learning_starts_without_seeing_a_rotation() -> None:
    expected = outputs(fit("learned", CALIBRATION, steps=0), USE)
    found = outputs(fit("learned", turned(*CALIBRATION), steps=0), turned(*USE))
    assert farthest(found, expected) < EXACT


@pytest.mark.parametrize("change", [stretched, turned, rebased])
def test_taylors_kernel_is_of_products_and_sees_no_basis(change: Callable[..., Inputs]) -> None:
    phi = create_feature_map("taylor", DIM, 1)
    assert farthest(outputs(phi, change(*USE)), outputs(phi, USE)) < 1e-12


# ---------------------------------------------------------------------- what the invariances are good for


@pytest.mark.parametrize("name", RANDOM)
def test_invariances_lower_the_error_on_keys_that_are_off_centre(name: str) -> None:
    """Over ten draws of directions, of which a single one may be lucky.

    Not so for `landmark` and `learned`, whose centres and weights follow the keys wherever they are: with and without,
    their errors are the same within what another seed does.
    """
    changed = moved(*USE)
    exact = softmax_attention_reference(*changed)
    errors = []
    for invariances in (True, False):
        phi = fit(name, moved(*CALIBRATION), invariances=invariances)
        found = [linear_attention(*changed, feature_map=phi.redraw(seed)) for seed in range(10)]
        errors.append(sum(frobenius(out, exact) ** 2 for out in found) ** 0.5)
    assert errors[0] < 0.8 * errors[1]


# ---------------------------------------------------------------------- heads, keys, queries, values


@pytest.mark.parametrize("name", EVERY)
def test_permuted_heads_of_map_and_inputs_permute_the_output(name: str) -> None:
    """The heads of a fit are its `per_head` tensors: whatever the map, they are all that it knows of heads."""
    order = torch.tensor([2, 0, 1])
    inputs = qkv(66, name=name, heads=3)
    phi = ready(name)
    if phi is not None and phi.exponential:
        q, k, v = qkv(60, heads=3, seed=2)
        phi = fit(name, (q, k * torch.tensor([0.5, 1.0, 2.0]).view(3, 1, 1), v))  # heads that are not alike
    other = copy.deepcopy(phi)
    if phi is not None and other is not None and phi.fitted:
        state = phi.state_dict()
        other.load_state_dict({key: x[order] if key in phi.per_head else x for key, x in state.items()})
        assert farthest(outputs(other, inputs), outputs(phi, inputs)) > 1e-4
    found = outputs(other, ordered(inputs, order))
    assert farthest(found, [out[:, order] for out in outputs(phi, inputs)]) < 1e-12


@pytest.mark.parametrize("name", RANDOM)
def test_a_fit_to_permuted_heads_is_the_permuted_fit(name: str) -> None:
    """Not for `landmark` and `learned`: heads share a stream of draws, and what is drawn depends on a head's place."""
    order = torch.tensor([2, 0, 1])
    q, k, v = qkv(60, heads=3, seed=2)
    calibration = (q, k * torch.tensor([0.5, 1.0, 2.0]).view(3, 1, 1), v)
    phi, other = fit(name, calibration), fit(name, ordered(calibration, order))
    inputs = qkv(66, heads=3)
    found = outputs(other, ordered(inputs, order))
    assert farthest(found, [out[:, order] for out in outputs(phi, inputs)]) < EXACT


@pytest.mark.parametrize("name", EVERY)
def test_the_order_of_keys_does_not_matter_and_that_of_queries_is_that_of_rows(name: str) -> None:
    phi, (q, k, v) = ready(name), qkv(40, keys=150, name=name)
    rows, keys = (torch.randperm(n, generator=torch.Generator().manual_seed(n)) for n in (40, 150))
    found = linear_attention(q[:, :, rows], k[:, :, keys], v[:, :, keys], feature_map=phi)
    assert distance(found, linear_attention(q, k, v, feature_map=phi)[:, :, rows]) < 1e-11


@pytest.mark.parametrize("name", EVERY)
def test_outputs_are_means_of_values(name: str) -> None:
    """Weights sum to 1: what is affine passes through, by any map and in every form."""
    phi, (q, k, v) = ready(name), qkv(66, name=name)
    matrix, offset = normal(M, 5, seed=1), normal(5, seed=2)
    found = outputs(phi, (q, k, v @ matrix + offset))
    assert farthest(found, [out @ matrix + offset for out in outputs(phi, (q, k, v))]) < 1e-11


def test_the_fits_of_these_tests_are_fits() -> None:
    """So that nothing above is true of maps without constants."""
    for name in FITTED:
        phi = fitted(name) if name in ("landmark", "learned") else fit(name, CALIBRATION)
        assert phi.fitted
        assert not torch.equal(phi.query_basis[0], torch.eye(DIM))
