"""Harmonic embeddings: triplets of the union, gradients, the recipe; the ridge baseline; the report."""

import random
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from shoal.data.faces.drawing import draw_some
from shoal.engine import Interrupted, RunFolder
from shoal.errors import InputError, ShoalError
from shoal.faces.compatibility import compatibility
from shoal.faces.embedding import embed
from shoal.faces.harmonic import HarmonicTripletLoss, mine_harmonic
from shoal.faces.harmonic_training import fit_harmonic, start_layer
from shoal.faces.mining_distances import squared_distances
from shoal.faces.networks import create_network
from shoal.faces.training_config import HarmonicConfig
from shoal.faces.translation import Translation, fit_translation
from shoal.faces.verification import verification
from tests.faces import oracle
from tests.faces.people import StopAt, face_set, timeless


def unit(*shape: int, seed: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype))


def by_definition(new: Tensor, old: Tensor, labels: list[int], mining: str) -> list[oracle.Triplet]:
    """Of the union's triplets those that hold a new anchor or a new positive."""
    far = squared_distances(torch.cat((new, old))).tolist()
    triplets = oracle.RULES[mining](far, labels * 2)
    return [(a, p, n) for a, p, n in triplets if a < len(labels) or p < len(labels)]


@pytest.mark.parametrize("mining", ["semi-hard", "hardest"])
def test_triplets_are_those_of_the_definition_on_the_union(mining: str) -> None:
    chance = random.Random(0)
    kinds = set()
    for _ in range(200):
        labels = oracle.draw_labels(chance)
        new = oracle.draw_embeddings(chance, len(labels))
        # the old ones have the new ones' dimension; sometimes they are the new ones, with ties everywhere
        old = F.normalize(new.roll(1, 1) + chance.choice([0.0, 0.3]))
        old = new.clone() if chance.random() < 0.2 or not bool((old != 0).any(1).all()) else old
        found = mine_harmonic(new, old, torch.tensor(labels), mining=mining, backend="torch")
        wanted = by_definition(new, old, labels, mining)
        assert oracle.as_list(found) == wanted
        kinds |= {(a < len(labels), p < len(labels), n < len(labels)) for a, p, n in wanted}
    assert kinds == {(a, p, n) for a in (True, False) for p in (True, False) for n in (True, False) if a or p}


@pytest.mark.parametrize("mining", ["semi-hard", "hardest"])
@pytest.mark.parametrize("margin", [0.2, 1.5])
def test_loss_and_gradient_are_those_of_gathered_rows(mining: str, margin: float) -> None:
    chance = random.Random(1)
    for _ in range(60):
        labels = oracle.draw_labels(chance)
        if len(set(labels)) < 2:
            continue
        new = unit(len(labels), 5, seed=chance.randrange(10**6), dtype=torch.float64).requires_grad_()
        old = unit(len(labels), 5, seed=chance.randrange(10**6), dtype=torch.float64)
        loss = HarmonicTripletLoss(margin, mining)
        value = loss(new, old, torch.tensor(labels))
        value.backward()
        assert new.grad is not None
        copy = new.detach().clone().requires_grad_()
        triplets = by_definition(copy.detach(), old, labels, mining)
        reference = oracle.loss_by_gathers(torch.cat((copy, old)), triplets, margin)
        reference.backward()
        assert copy.grad is not None
        assert value.item() == pytest.approx(reference.item(), rel=1e-9)
        assert torch.allclose(new.grad, copy.grad, rtol=1e-9, atol=1e-12)
        monitor = loss.monitor
        assert monitor is not None
        assert monitor.triplets == len(triplets)
        assert monitor.satisfied + monitor.semi_hard + monitor.hard == pytest.approx(1)


def test_old_embeddings_carry_no_gradient() -> None:
    new, old = unit(6, 4, seed=0).requires_grad_(), unit(6, 4, seed=1).requires_grad_()
    HarmonicTripletLoss()(new, old, torch.tensor([0, 0, 1, 1, 2, 3])).backward()
    assert old.grad is None
    assert new.grad is not None
    assert float(new.grad.abs().sum()) > 0


def test_a_negative_that_is_new_is_pushed_off_an_old_pair_of_one_person_and_two_generations() -> None:
    """Anchor old, positive new, negative new: an old query meets new faces."""
    old = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    new = torch.tensor([[0.6, 0.8], [0.8, 0.6]]).requires_grad_()  # each nearer to the other person's old one
    HarmonicTripletLoss(margin=0.2)(new, old, torch.tensor([0, 1])).backward()
    assert new.grad is not None
    moved = F.normalize(new.detach() - 0.5 * new.grad)
    before, after = ((x - old).square().sum(1) for x in (new.detach(), moved))
    assert bool((after < before).all())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_raised(dtype: torch.dtype) -> None:
    new, old, labels = unit(12, 8, seed=0), unit(12, 8, seed=1), torch.arange(12) // 3
    half = new.to(dtype).requires_grad_()
    value = HarmonicTripletLoss()(half, old.to(dtype), labels)
    value.backward()
    assert (value.dtype, half.grad is not None and half.grad.dtype) == (torch.float32, dtype)
    assert value.item() == pytest.approx(float(HarmonicTripletLoss()(new, old, labels)), rel=0.05)


def test_a_batch_of_one_person_warns_once_and_is_nothing() -> None:
    new, loss = unit(3, 4, seed=0).requires_grad_(), HarmonicTripletLoss()
    with pytest.warns(UserWarning, match="without a triplet"):
        value = loss(new, unit(3, 4, seed=1), torch.zeros(3, dtype=torch.long))
    value.backward()
    assert value.item() == 0
    assert new.grad is not None
    assert not bool(new.grad.any())
    loss(new, unit(3, 4, seed=1), torch.zeros(3, dtype=torch.long))  # silent from now on


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"old": unit(5, 4, seed=1)}, "old embeddings: expected"),
        ({"old": unit(6, 3, seed=1)}, "old embeddings: expected"),
        ({"labels": torch.arange(5)}, "labels: expected 6"),
        ({"new": torch.full((6, 4), torch.nan)}, "NaN"),
        ({"old": torch.zeros(6, 4)}, "zeros"),
    ],
)
def test_bad_batches_are_refused(change: dict[str, Tensor], message: str) -> None:
    batch = {"new": unit(6, 4, seed=0), "old": unit(6, 4, seed=1), "labels": torch.arange(6) // 2} | change
    with pytest.raises(InputError, match=message):
        HarmonicTripletLoss()(**batch)


@pytest.mark.parametrize(("setting", "message"), [({"margin": 0.0}, "margin"), ({"mining": "all"}, "harmonic mining")])
def test_bad_settings_are_refused(setting: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        HarmonicTripletLoss(**setting)  # pyright: ignore[reportArgumentType]


# The ridge baseline


@pytest.mark.parametrize("dim", [6, 40])
def test_leaving_out_by_the_formula_is_leaving_out(dim: int) -> None:
    """Against as many fits as there are rows, each without one of them."""
    new, old = unit(30, dim, seed=0), unit(30, 4, seed=1) * 0.3 + unit(30, dim, seed=0)[:, :4]
    old = F.normalize(old)
    for ridge in (1e-4, 1e-2, 1.0):
        found = fit_translation(new, old, ridge=ridge)
        errors = []
        for row in range(30):
            rest = torch.arange(30) != row
            # the penalty is one of the sum over rows: with fewer rows it weighs more in their mean
            without = fit_translation(new[rest], old[rest], ridge=ridge * 30 / 29)
            errors.append(float((without(new[row : row + 1]) - old[row]).square().sum()))
        assert found.error == pytest.approx(sum(errors) / 30, rel=1e-4)


def test_the_ridge_is_the_best_of_those_tried() -> None:
    new = unit(60, 20, seed=0)
    old = F.normalize(new[:, :10] + 0.3 * torch.randn(60, 10, generator=torch.Generator().manual_seed(1)))
    found = fit_translation(new, old)
    for factor in (1e-3, 0.1, 0.5, 2.0, 10.0, 1e3):
        assert fit_translation(new, old, ridge=found.ridge * factor).error >= found.error * 0.999


@pytest.mark.parametrize("dim", [7, 49, 50, 51, 80])
def test_least_squares_by_the_normal_equations(dim: int) -> None:
    new, old = unit(50, dim, seed=0, dtype=torch.float64), unit(50, 5, seed=1, dtype=torch.float64)
    found = fit_translation(new, old, ridge=0.02)
    x = torch.cat((new, torch.ones(50, 1, dtype=torch.float64)), 1)
    penalty = 50 * 0.02 * torch.eye(dim + 1, dtype=torch.float64)
    penalty[-1, -1] = 0  # the bias is free
    solution = torch.linalg.solve(x.T @ x + penalty, x.T @ old)
    assert torch.allclose(found.weight.double(), solution[:-1].T, atol=1e-6)
    assert torch.allclose(found.bias.double(), solution[-1], atol=1e-6)
    assert torch.allclose(found(new.float()), F.normalize(x @ solution).float(), atol=1e-5)


def test_a_turned_space_is_turned_back() -> None:
    turn = torch.linalg.qr(torch.randn(16, 16, generator=torch.Generator().manual_seed(2)))[0]
    old = unit(200, 16, seed=0)
    found = fit_translation(old @ turn, old)
    fresh = unit(50, 16, seed=5)
    assert float((found(fresh @ turn) - fresh).abs().max()) < 1e-3


def test_odd_inputs_have_a_translation() -> None:
    constant = torch.ones(5, 3) / 3**0.5
    found = fit_translation(constant, unit(5, 4, seed=0))
    assert not bool(found.weight.any())  # nothing to tell rows apart by: all are taken to the mean
    few = fit_translation(unit(2, 8, seed=0), unit(2, 8, seed=1))
    assert bool(torch.isfinite(few(unit(3, 8, seed=2))).all())
    exact = fit_translation(unit(4, 8, seed=0), unit(4, 8, seed=1), ridge=0)
    assert torch.allclose(exact(unit(4, 8, seed=0)), unit(4, 8, seed=1), atol=1e-5)
    assert exact.error != exact.error  # no row can be left out


def test_a_translation_is_saved_and_loaded(tmp_path: Path) -> None:
    found = fit_translation(unit(40, 6, seed=0), unit(40, 5, seed=1))
    again = Translation.load(found.save(tmp_path / "to" / "old.safetensors"))
    assert torch.equal(again.weight, found.weight)
    assert torch.equal(again.bias, found.bias)
    assert (again.ridge, again.error, again.rows) == (found.ridge, found.error, 40)
    (tmp_path / "broken.safetensors").write_bytes(b"no tensors")
    with pytest.raises(ShoalError, match="expected a saved translation"):
        Translation.load(tmp_path / "broken.safetensors")
    with pytest.raises(InputError, match="no such file"):
        Translation.load(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize(
    ("new", "old", "options", "message"),
    [
        (unit(4, 3, seed=0), unit(5, 3, seed=1), {}, "4 and 5 rows"),
        (unit(1, 3, seed=0), unit(1, 3, seed=1), {}, "at least 2 rows"),
        (torch.full((4, 3), torch.nan), unit(4, 3, seed=1), {}, "new embeddings: expected finite"),
        (unit(4, 3, seed=1), torch.full((4, 3), torch.inf), {}, "old embeddings: expected finite"),
        (unit(4, 3, seed=0), unit(4, 3, seed=1), {"ridge": -1.0}, "ridge: expected a number >= 0"),
    ],
)
def test_no_translation_of_bad_embeddings(new: Tensor, old: Tensor, options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit_translation(new, old, **options)


def test_a_translation_refuses_another_dimension() -> None:
    with pytest.raises(InputError, match=r"embeddings: expected \[n, 6\]"):
        fit_translation(unit(40, 6, seed=0), unit(40, 5, seed=1))(unit(3, 7, seed=0))


# The report


def test_the_report_is_three_verifications_and_their_differences() -> None:
    same = torch.arange(400) % 2 == 0
    fold = torch.arange(400) // 40
    person, stranger = unit(400, 8, seed=0), unit(400, 8, seed=1)

    def network(noise: float, seed: int) -> tuple[Tensor, Tensor]:
        a, b = (F.normalize(x + noise * unit(400, 8, seed=seed + i)) for i, x in enumerate((person, person)))
        return a, torch.where(same[:, None], b, F.normalize(stranger + noise * unit(400, 8, seed=seed + 2)))

    (new_a, new_b), (old_a, old_b) = network(0.5, 10), network(1.2, 20)
    found = compatibility(new_a, new_b, old_a, old_b, same, fold)
    assert found.old_old.accuracy == verification(old_a, old_b, same, fold=fold).accuracy
    assert found.new_new.accuracy == verification(new_a, new_b, same, fold=fold).accuracy
    one, other = (verification(a, b, same, fold=fold) for a, b in ((new_a, old_b), (old_a, new_b)))
    assert found.new_old.accuracy == pytest.approx((one.accuracy + other.accuracy) / 2, abs=0.02)
    assert found.new_new.accuracy > found.new_old.accuracy > found.old_old.accuracy
    parts = torch.tensor(found.new_old.fold_accuracy) - torch.tensor(found.old_old.fold_accuracy)
    assert found.gain.value == pytest.approx(found.new_old.accuracy - found.old_old.accuracy)
    assert found.gain.standard_error == pytest.approx(float(parts.double().std()) / 10**0.5, rel=1e-5)
    assert found.left.value == pytest.approx(found.new_new.accuracy - found.new_old.accuracy)
    assert "v1/v1" in str(found)
    with pytest.raises(InputError, match="only embeddings of one dimension compare"):
        compatibility(new_a, new_b, old_a[:, :4], old_b[:, :4], same, fold)


# The recipe

FACES = face_set([4] * 12 + [1] * 6, seed=3)
QUICK = HarmonicConfig(layer_epochs=6, epochs=2, identities=8, per_identity=4, precision="fp32", watched=20)


def old_embeddings(dim: int = 16) -> Tensor:
    return embed(create_network("compact", dim, seed=99), FACES.images, device="cpu")


def test_the_recipe_brings_a_network_into_the_old_space() -> None:
    network, old = create_network("compact", 16, seed=0), old_embeddings()
    before = (embed(network, FACES.images, device="cpu") - old).square().sum(1).mean()
    history = fit_harmonic(network, old, FACES, QUICK)
    after = (embed(network, FACES.images, device="cpu") - old).square().sum(1).mean()
    assert float(after) < 0.6 * float(before)
    assert [row["phase"] for row in history.rows] == sorted((row["phase"] for row in history.rows), reverse=True)
    assert {"layer", "everything"} == {row["phase"] for row in history.rows}
    for row in history.rows:
        assert row["watched"] == "seen"
        assert 0 <= row["satisfied"] <= 1
        assert row["validation_accuracy"] >= 0.5
    assert history.rows[-1]["progress"] == pytest.approx(1.0)
    assert not network.training


@pytest.mark.parametrize("start", ["ridge", "random"])
def test_the_layer_alone_leaves_the_trunk_as_it_is(start: str) -> None:
    network, old = create_network("compact", 16, seed=0), old_embeddings()
    trunk = {name: value.clone() for name, value in network.trunk.state_dict().items()}
    layer = network.embedding.weight.clone()
    config = HarmonicConfig(layer_epochs=2, epochs=0, start=start, identities=8, per_identity=4, watched=0)
    history = fit_harmonic(network, old, FACES, config)
    assert {row["phase"] for row in history.rows} == {"layer"}
    for name, value in network.trunk.state_dict().items():
        assert torch.equal(value, trunk[name]), name
    assert not torch.equal(network.embedding.weight, layer)


def test_a_start_by_ridge_is_the_translation_of_features() -> None:
    network, old = create_network("compact", 16, seed=0), old_embeddings()
    network.eval()
    with torch.no_grad():
        features = network.features((FACES.images.float() - 127.5) / 63.75)
        start_layer(network, features, old, QUICK)
        embeddings = network((FACES.images.float() - 127.5) / 63.75)
    assert torch.allclose(embeddings, fit_translation(features, old)(features), atol=1e-5)


def test_watching_pairs_of_other_people() -> None:
    network, old = create_network("compact", 16, seed=0), old_embeddings()
    others = face_set([3] * 8, seed=8)
    pairs = draw_some(others.labels, pairs=20)
    of_others = embed(create_network("compact", 16, seed=99), others.images, device="cpu")
    history = fit_harmonic(network, old, FACES, QUICK, validation_pairs=(others, pairs, of_others))
    assert {row["watched"] for row in history.rows} == {"validation"}
    assert all({"validation_loss", "accuracy_new", "mean_same"} <= row.keys() for row in history.rows)


@pytest.mark.parametrize("stop_at", [3, 13])
def test_an_interrupted_recipe_ends_with_the_same_bits(tmp_path: Path, stop_at: int) -> None:
    old = old_embeddings()
    whole, again = (create_network("compact", 16, seed=0) for _ in range(2))
    history = fit_harmonic(whole, old, FACES, QUICK)
    with RunFolder(tmp_path / "run", {}) as run, pytest.raises(Interrupted):
        fit_harmonic(again, old, FACES, QUICK, run=run, progress=StopAt(stop_at))
    again = create_network("compact", 16, seed=0)
    with RunFolder(tmp_path / "run", {}) as run:
        resumed = fit_harmonic(again, old, FACES, QUICK, run=run)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    assert timeless(resumed.rows) == timeless(history.rows)


@pytest.mark.parametrize(
    ("old", "message"),
    [
        (torch.ones(3, 16) / 4, "old embeddings: expected 54, one for each image, got 3"),
        (torch.ones(54, 8) / 8**0.5, "embedding_dim: expected 8, as the old embeddings have, got 16"),
        (torch.zeros(54, 16), "old embeddings: expected rows of unit length"),
    ],
)
def test_old_embeddings_must_fit(old: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fit_harmonic(create_network("compact", 16, seed=0), old, FACES, QUICK)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"start": "rigde"}, "did you mean 'ridge'"),
        ({"mining": "all"}, "harmonic mining"),
        ({"margin": -1.0}, "margin"),
        ({"identities": 1}, "identities"),
        ({"epochs": -1.0}, "epochs"),
        ({"layer_rate": 0.0}, "learning_rate"),
    ],
)
def test_settings_of_the_recipe(setting: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        HarmonicConfig(**setting)  # pyright: ignore[reportArgumentType]
