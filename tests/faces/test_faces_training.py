"""Training faces: augmentation, classification, batches of people, what is watched, resuming, collapse."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from shoal.data.faces.drawing import draw_some
from shoal.data.faces.sets import FaceSet
from shoal.engine import Interrupted, RunFolder
from shoal.engine.device import World
from shoal.errors import InputError, ShoalError
from shoal.faces.augmentation import FaceAugment, moved
from shoal.faces.embedding import embed
from shoal.faces.learning import Learning, TripletObjective
from shoal.faces.losses import TripletLoss
from shoal.faces.networks import create_network
from shoal.faces.pretraining import NOBODY, CosineSoftmax, classes_of
from shoal.faces.sampling import IdentityBatchSampler
from shoal.faces.training import fit_faces
from shoal.faces.training_batches import IdentityBatches, hold_back, one_of_two, some_of_each
from shoal.faces.training_config import FacesConfig
from shoal.faces.verification import verification
from tests.faces.people import StopAt, draw_people, face_set, timeless

ALONE = World()
NO_CHANGE = FaceAugment(flip=0, shift=0, zoom=0, turn=0, light=0, contrast=0, grey=0, blur=0, erase=0, erase_side=0)
QUICK: dict[str, Any] = {
    "minutes": 0.0,
    "batch_size": 16,
    "identities": 8,
    "per_identity": 4,
    "precision": "fp32",
    "device": "cpu",
    "watched": 20,
}
NOBODY_KNOWN = FaceSet(
    name="x",
    images=torch.zeros(2, 3, 24, 24, dtype=torch.uint8),
    labels=torch.tensor([-1, -1]),
    people=(),
    names=("a", "b"),
    source="",
)


def quick(**settings: Any) -> FacesConfig:
    return FacesConfig(**QUICK | settings)


# Augmentation


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def change(augment: FaceAugment, images: Tensor, seed: int = 0) -> Tensor:
    return augment(images, index=torch.arange(len(images)), epoch=0, generator=generator(seed))


def test_augmentation_is_a_function_of_its_generator_and_leaves_its_input() -> None:
    images = torch.randn(5, 3, 20, 28, generator=generator(1))
    before = images.clone()
    assert torch.equal(change(FaceAugment(), images, 3), change(FaceAugment(), images, 3))
    assert not torch.equal(change(FaceAugment(), images, 3), change(FaceAugment(), images, 4))
    assert torch.equal(images, before)
    assert torch.equal(change(NO_CHANGE, images), images)


def test_a_move_by_nothing_is_nothing_and_by_a_pixel_is_a_pixel() -> None:
    images = torch.rand(40, 1, 16, 16, generator=generator(1))
    still = moved(images, shift=0, zoom=0, turn=0, generator=generator())
    assert torch.allclose(still, images, atol=1e-5)
    shifts = moved(images, shift=1 / 16, zoom=0, turn=0, generator=generator())  # up to a pixel each way
    inner, bounds = shifts[..., 2:-2, 2:-2], F.max_pool2d(images, 3, 1, 1)[..., 2:-2, 2:-2]
    assert bool((inner <= bounds + 1e-5).all())
    assert bool((inner >= -F.max_pool2d(-images, 3, 1, 1)[..., 2:-2, 2:-2] - 1e-5).all())


def test_a_turn_keeps_shapes_on_images_that_are_not_square() -> None:
    """A smooth hill is turned into itself."""
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(60.0), indexing="ij")
    away = (y - 19.5) ** 2 + (x - 29.5) ** 2
    hill = torch.exp(-away / 100)[None, None].repeat(8, 1, 1, 1)
    turned = moved(hill, shift=0, zoom=0, turn=90, generator=generator())
    assert float((turned - hill)[..., away < 18**2].abs().max()) < 0.01  # farther out edges are mirrored


def test_each_change_does_what_it_says() -> None:
    images = torch.randn(200, 3, 16, 16, generator=generator(1))
    off = dict.fromkeys(("flip", "shift", "zoom", "turn", "light", "contrast", "grey", "blur", "erase"), 0.0)
    flipped = change(FaceAugment(**off | {"flip": 1.0}), images)
    assert torch.equal(flipped, images.flip(3))
    erased = change(FaceAugment(**off | {"erase": 0.5}), images)
    share = float(((erased == 0).flatten(1).sum(1) > 0).double().mean())
    assert 0.4 < share < 0.6
    grey = change(FaceAugment(**off | {"grey": 1.0}), images)
    assert float(grey.std(1).mean()) < 0.7 * float(images.std(1).mean())
    blurred = change(FaceAugment(**off | {"blur": 1.0}), images)
    assert float(blurred.std()) < 0.8 * float(images.std())
    bright = change(FaceAugment(**off | {"light": 0.5}), images)
    shifts = (bright - images).flatten(1)
    assert float(shifts.std(1).max()) < 1e-5
    assert float(shifts[:, 0].abs().max()) <= 0.5
    assert float(shifts[:, 0].std()) > 0.2


@pytest.mark.parametrize("setting", [{"flip": 1.5}, {"zoom": 1.0}, {"turn": -1.0}, {"erase": float("nan")}])
def test_augmentation_out_of_range_is_refused(setting: dict[str, float]) -> None:
    with pytest.raises(InputError, match="augmentation"):
        FaceAugment(**setting)


# Classification


def test_the_classifier_is_cosface_by_hand() -> None:
    head = CosineSoftmax(5, 4, scale=20.0, margin=0.3, seed=1)
    rows = F.normalize(torch.randn(6, 4, generator=generator()))
    labels = torch.tensor([0, 1, 2, 3, 4, 0])
    loss, counts = head.loss(rows, labels)
    expected = torch.tensor(0.0)
    for row, label in zip(rows, labels.tolist(), strict=True):
        cosines = torch.stack([row @ (w / w.norm()) for w in head.weight])
        cosines = cosines - 0.3 * (torch.arange(5) == label)
        expected = expected - (20 * cosines).log_softmax(0)[label] / 6
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    assert int(counts["of"]) == 6


def test_people_without_a_class_do_not_count() -> None:
    head = CosineSoftmax(3, 4, margin=0.1)
    rows = F.normalize(torch.randn(4, 4, generator=generator())).requires_grad_()
    labels = torch.tensor([0, NOBODY, 2, NOBODY])
    loss, counts = head.loss(rows, labels, smoothing=0.1)
    alone, _ = head.loss(rows.detach()[[0, 2]], labels[[0, 2]], smoothing=0.1)
    assert loss.item() == pytest.approx(alone.item(), rel=1e-5)
    assert int(counts["of"]) == 2
    loss.backward()
    assert rows.grad is not None
    assert not bool(rows.grad[[1, 3]].any())
    nothing, _ = head.loss(rows.detach(), torch.full((4,), NOBODY))
    assert nothing.item() == 0


@given(st.lists(st.integers(-3, 6), min_size=1, max_size=30), st.integers(1, 4))
def test_classes_are_people_with_enough_images(labels: list[int], fewest: int) -> None:
    found = classes_of(torch.tensor(labels), fewest=fewest).tolist()
    kept = sorted(label for label in set(labels) if labels.count(label) >= fewest)
    assert found == [kept.index(label) if label in kept else NOBODY for label in labels]


@pytest.mark.parametrize("setting", [{"classes": 1}, {"scale": 0.0}, {"margin": 1.0}])
def test_a_classifier_out_of_range_is_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        CosineSoftmax(**{"classes": 3, "dim": 4} | setting)


# Batches


@given(st.lists(st.integers(0, 8), min_size=1, max_size=60), st.floats(0, 0.9), st.integers(0, 3))
def test_what_is_held_back_leaves_everyone_to_learn_from(labels: list[int], share: float, seed: int) -> None:
    people = torch.tensor(labels)
    kept, held = hold_back(people, share, seed)
    assert sorted([*kept.tolist(), *held.tolist()]) == list(range(len(labels)))
    assert len(held) <= share * len(labels)
    counts = torch.bincount(people[held], minlength=9)
    assert set(counts.tolist()) <= {0, 2}
    assert bool((torch.bincount(people[kept], minlength=9)[counts > 0] >= 2).all())
    assert torch.equal(hold_back(people, share, seed)[1], held)


def test_two_images_each_side_by_side() -> None:
    people = torch.tensor([4, 1, 4, 1, 2, 4, 3, 3])
    rows = some_of_each(people, 10)
    assert sorted(people[rows].view(-1, 2)[:, 0].tolist()) == [1, 3, 4]
    assert bool((people[rows].view(-1, 2)[:, 0] == people[rows].view(-1, 2)[:, 1]).all())
    assert len(set(rows.tolist())) == 6
    assert len(some_of_each(people, 2)) == 4
    assert people[some_of_each(people, 10, fewest=3)].tolist() == [4, 4]


def test_batches_are_functions_of_the_step_and_hold_the_samplers_rows() -> None:
    images, labels = draw_people([4] * 10 + [1] * 10)
    sampler = IdentityBatchSampler(labels, 5, 3, seed=2)

    def batches() -> IdentityBatches:
        options: dict[str, Any] = {"prepare": lambda x: x.float(), "augment": FaceAugment()}
        return IdentityBatches(images, torch.arange(50), sampler, seed=1, **options)

    one, other = batches(), batches()
    found = {step: one.batch(step, "full", ALONE) for step in (7, 2, 0, 3)}
    for step, (inputs, rows) in sorted(found.items()):
        again, same = other.batch(step, "full", ALONE)
        assert torch.equal(inputs, again)
        assert rows.tolist() == same.tolist() == sampler.batch(step)
        assert inputs.shape == (15, 3, 24, 24)
    assert one.batch(0, "small", ALONE)[0].shape == (15, 3, 18, 18)
    parts = [one.batch(4, "full", World(rank, 2))[1].tolist() for rank in range(2)]
    assert parts[0] + parts[1] == sampler.batch(4)


def test_one_of_two_takes_both_in_turn() -> None:
    pairs = torch.stack((torch.zeros(100, 3), torch.ones(100, 3)), 1)
    found = one_of_two(pairs, index=torch.arange(100), epoch=0, generator=generator())
    assert found.shape == (100, 3)
    assert 30 < int(found[:, 0].sum()) < 70
    assert bool((found == found[:, :1]).all())


# Training


def train(data: FaceSet, **settings: Any) -> tuple[nn.Module, list[dict[str, Any]]]:
    network = create_network("compact", 16, seed=0)
    config = quick(**{"epochs": 4.0} | settings)
    return network, fit_faces(network, data, config).rows


def test_training_tells_people_apart_who_were_not_trained_on() -> None:
    data, others = face_set([4] * 24 + [1] * 8, seed=0), face_set([4] * 20, seed=50)
    pairs = draw_some(others.labels, pairs=100)
    network = create_network("compact", 16, seed=0)

    def accuracy() -> float:
        a, b = pairs.gather(embed(network, others.images, flip=True, device="cpu"))
        return verification(a, b, pairs.same, fold=pairs.fold).accuracy

    assert accuracy() < 0.7
    config = quick(epochs=8.0, pretraining=0.5, learning_rate=0.1)
    history = fit_faces(network, data, config, validation_pairs=(others, pairs))
    assert accuracy() > 0.8  # rounding alone makes it 0.84 or 0.92: see the lab log
    first, last = history.rows[0], history.rows[-1]
    assert last["auc"] > 0.9 > first["auc"]
    assert last["watched"] == "validation"
    assert (first["phase"], last["phase"]) == ("classification", "triplets")
    steps = [row["step"] for row in history.rows]
    assert steps == sorted(steps)
    assert history.rows[-1]["progress"] == pytest.approx(1.0)
    for row in history.rows:
        monitored = row["phase"] == "triplets"
        assert {"seen_loss", "auc"} <= row.keys()
        assert ("mean_different" in row) == monitored
        if monitored:
            assert row["satisfied"] + row["semi_hard"] + row["hard"] == pytest.approx(1)
            assert row["train_accuracy"] == pytest.approx(row["satisfied"], abs=0.05)
    assert not network.training
    assert next(network.parameters()).is_contiguous()


@pytest.mark.parametrize(
    ("settings", "phases"),
    [
        ({"pretraining": 0.0}, {"triplets"}),
        ({"pretraining": 0.0, "classification": 0.0}, {"triplets"}),
        ({"pretraining": 1.0}, {"classification"}),
        ({"pretraining": 0.5, "class_images": 2, "classification": 0.0}, {"classification", "triplets"}),
    ],
)
def test_phases(settings: dict[str, Any], phases: set[str]) -> None:
    network, rows = train(face_set([3] * 10 + [1] * 10), **settings)
    assert {row["phase"] for row in rows} == phases
    assert {row["watched"] for row in rows} == {"seen"}
    assert all(bool(torch.isfinite(p).all()) for p in network.parameters())


def test_held_back_images_are_watched() -> None:
    _, rows = train(face_set([4] * 24), held_back=0.25, epochs=1.0, batch_size=48)
    assert {row["watched"] for row in rows} == {"held_back"}
    assert all(row["validation_loss"] == row["held_back_loss"] for row in rows)


@pytest.mark.parametrize("stop_at", [2, 9])
def test_an_interrupted_training_ends_with_the_same_bits(tmp_path: Path, stop_at: int) -> None:
    data = face_set([4] * 12 + [1] * 6)
    config = quick(epochs=4.0, pretraining=0.5)
    whole, again = (create_network("compact", 8, seed=0) for _ in range(2))
    history = fit_faces(whole, data, config)
    with RunFolder(tmp_path / "run", {}) as run, pytest.raises(Interrupted):
        fit_faces(again, data, config, run=run, progress=StopAt(stop_at))
    again = create_network("compact", 8, seed=0)
    with RunFolder(tmp_path / "run", {}) as run:
        resumed = fit_faces(again, data, config, run=run)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name
    assert timeless(resumed.rows) == timeless(history.rows)


def test_a_collapse_stops_training_and_says_so() -> None:
    """A network that answers the same to everything, and cannot help it."""

    class Same(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.point = nn.Parameter(torch.ones(4))

        def forward(self, x: Tensor) -> Tensor:
            return F.normalize(self.point.expand(len(x), 4))

    model = Learning(Same())
    objective = TripletObjective(model, TripletLoss())
    images, people = torch.zeros(6, 1), torch.tensor([0, 0, 1, 1, 2, 2])
    for _ in range(49):
        objective(model, images, people)
    with pytest.raises(ShoalError, match="training has collapsed"):
        objective(model, images, people)


def test_copies_that_are_timed_do_not_count() -> None:
    network = create_network("compact", 8, seed=0)
    model, copy = Learning(network), Learning(network)
    objective = TripletObjective(model, TripletLoss())
    images, people = torch.randn(8, 3, 24, 24), torch.arange(8) // 2
    objective(copy, images, people)
    assert model.take_means() == {}
    objective(model, images, people)
    assert model.take_means()["triplets"] == 8
    assert model.take_means() == {}


@pytest.mark.parametrize(
    ("data", "settings", "message"),
    [
        (face_set([1] * 5), {}, "somebody with two images or more, got 5 images of 5 people"),
        (face_set([5]), {}, "got 5 images of 1 people"),
        (NOBODY_KNOWN, {}, "unknown people"),
        (face_set([2] * 9), {"class_images": 3, "pretraining": 0.5}, "people to classify: expected at least 2, got 0"),
    ],
)
def test_faces_that_cannot_be_learned_from(data: FaceSet, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        train(data, **settings)


def test_pairs_of_missing_images_are_refused() -> None:
    data, others = face_set([3] * 6), face_set([3] * 6, seed=5)
    pairs = draw_some(others.labels, pairs=10)
    few = others.take(torch.arange(6))
    with pytest.raises(InputError, match="pairs name missing images"):
        fit_faces(create_network("compact", 8, seed=0), data, quick(), validation_pairs=(few, pairs))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"mining": "semihard"}, "did you mean 'semi-hard'"),
        ({"margin": 0.0}, "margin"),
        ({"pretraining": 1.5}, "pretraining: expected a share from 0 to 1, got 1.5"),
        ({"classification": -1.0}, "classification"),
        ({"identities": 1}, "identities: expected a whole number >= 2, got 1"),
        ({"per_identity": 1}, "per_identity"),
        ({"held_back": 1.0}, "held_back"),
        ({"scale": 0.0}, "scale"),
        ({"cosine_margin": 1.0}, "cosine_margin"),
        ({"minutes": -1.0}, "minutes: expected a number >= 0, got -1.0"),
        ({"minutes": 0.0, "epochs": 0.0}, "training time"),
        ({"optimizer": "sdg"}, "did you mean 'sgd'"),
        ({"precision": "fp16"}, "unknown precision"),
        ({"learning_rate": 0.0}, "learning_rate"),
    ],
)
def test_settings_out_of_range_are_refused(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        FacesConfig(**setting)


def test_a_network_of_the_settings() -> None:
    network = FacesConfig(network="nn4", embedding_dim=64, image_size=80, seed=3).create_network()
    assert (network.name, network.embedding_dim, network.image_size) == ("nn4", 64, (80, 80))
    assert FacesConfig().create_network().image_size == (48, 48)
