"""The difficulty study as a run: digits, trained for a moment, stopped and gone on with; settings; what is altered."""

import json
import os
import shlex
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from shoal.cli import app
from shoal.data import ImageSet
from shoal.difficulty import prediction_depth
from shoal.engine import Interrupted, Precision, Silent
from shoal.errors import InputError, ShoalError
from shoal.report import render
from shoal.studies.difficulty import DifficultyStudy
from shoal.studies.difficulty_config import BUDGETS, DifficultyConfig, resolve
from shoal.studies.difficulty_data import read_images
from shoal.studies.difficulty_interventions import (
    INTERVENTIONS,
    add_noise,
    cut_out,
    lower_contrast,
    occlude,
)
from shoal.studies.difficulty_kept import load_kept_difficulty
from shoal.studies.difficulty_measurements import Probes
from shoal.studies.difficulty_properties import boundary_distance, clutter, contrast
from shoal.studies.difficulty_training import create_network, fit_config
from shoal.studies.exits_config import ExitsConfig
from shoal.studies.result import Result

TINY = DifficultyConfig(
    data="digits",
    budget="quick",
    epochs=2,
    width=4,
    k=10,
    layers=("layer1", "layer2", "layer4"),
    train_rows=300,
    references=200,
    test_rows=80,
    altered_rows=30,
    precision="fp32",
)


FP32 = Precision()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    folder = tmp_path_factory.mktemp("difficulty")
    return folder, DifficultyStudy(TINY, {"who": "a student"}).run(folder)


def same(one: Result, other: Result) -> None:
    """All but times and the minutes of the trainings."""
    assert (one.claims, one.pictures, one.summary) == (other.claims, other.pictures, other.summary)
    for a, b in zip(one.tables, other.tables, strict=True):
        assert a == b or a.id == "convergence"  # which tells minutes


def test_a_run_has_all_of_a_result(run: tuple[Path, Result]) -> None:
    folder, result = run
    assert {path.name for path in folder.iterdir()} >= {"config.toml", "environment.json", "metrics.jsonl"}
    assert Result.load(folder / "result.json").claims == result.claims
    assert result.story is not None
    assert set(result.evidence) == {claim.id for claim in result.claims}
    assert (result.study, len(result.claims), len(result.pictures), len(result.tables)) == ("difficulty", 14, 10, 7)
    assert result.notes == {"who": "a student"}
    assert result.data["training images that probes see"] == 200
    layers = next(table for table in result.tables if table.id == "layers")
    assert [row[0] for row in layers.rows] == ["input", "layer1", "layer2", "layer4", "softmax", "never"]
    parts = {"read the data", "train the network", "train the second network", "measure depths", "describe images"}
    assert set(result.seconds) == parts | {"alter images", "work out the claims"}
    page = render([result])
    assert "a student" in page
    assert "likely mislabelled" in page


def test_the_same_run_again_measures_nothing(run: tuple[Path, Result]) -> None:
    folder, result = run
    before = (folder / "metrics.jsonl").read_text()
    same(DifficultyStudy(TINY).run(folder), result)
    assert sorted((folder / "metrics.jsonl").read_text().splitlines()) == sorted(before.splitlines())


class Stop(Silent):
    """Stops the run when a part is so far: asks for it, or is killed there."""

    def __init__(self, part: str, share: float, *, kill: bool):
        self.part, self.share, self.kill = part, share, kill
        self.now, self.asked = "", False

    def start(self, title: str) -> None:
        self.now = title

    def update(self, share: float, text: str = "") -> None:
        if self.now == self.part and share >= self.share and not self.asked:
            if self.kill:
                raise MemoryError("killed")
            self.asked = True  # once: a second time stops at once
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize(
    ("part", "share", "kill"),
    [
        ("network", 0.5, True),
        ("network", 0.7, False),
        pytest.param("second_network", 0.5, True, marks=pytest.mark.slow),
        pytest.param("measure depths", 0.6, True, marks=pytest.mark.slow),
        ("alter images", 0.5, True),
    ],
)
def test_a_stopped_run_goes_on(run: tuple[Path, Result], tmp_path: Path, part: str, share: float, kill: bool) -> None:
    """Killed before the first checkpoint, what was recorded is recorded anew; asked to stop, it goes on."""
    with pytest.raises(MemoryError if kill else Interrupted):
        DifficultyStudy(TINY).run(tmp_path, Stop(part, share, kill=kill))
    assert list((tmp_path / "recorded" / "network" / "training").iterdir())
    same(DifficultyStudy(TINY).run(tmp_path), run[1])
    for kind in ("training", "validation"):
        names = [sorted(p.name for p in (f / "recorded" / "network" / kind).iterdir()) for f in (tmp_path, run[0])]
        assert names[0] == names[1]


def test_rows_of_a_killed_training_that_its_checkpoint_lacks_come_again(
    run: tuple[Path, Result], tmp_path: Path
) -> None:
    """As left by a kill between a row and the next checkpoint: a row too many, and only its half on disk."""
    with pytest.raises(Interrupted):
        DifficultyStudy(TINY).run(tmp_path, Stop("network", 0.5, kill=False))
    folder = tmp_path / "recorded" / "network" / "training"
    last = max(folder.iterdir())
    (folder / f"{int(last.stem) + 1:04d}.safetensors").write_bytes(last.read_bytes()[:100])
    same(DifficultyStudy(TINY).run(tmp_path), run[1])


def test_a_torn_line_of_metrics(run: tuple[Path, Result], tmp_path: Path) -> None:
    folder, result = run
    shutil.copytree(folder, tmp_path / "run")
    file = tmp_path / "run" / "metrics.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:-2]) + lines[-2][:40])
    same(DifficultyStudy(TINY).run(tmp_path / "run"), result)


def test_other_settings_are_another_run(run: tuple[Path, Result]) -> None:
    with pytest.raises(InputError, match=r"expected a run with settings.k = 9, got settings.k = 10"):
        DifficultyStudy(replace(TINY, k=9)).run(run[0])
    names = {DifficultyStudy(config).run_name for config in (TINY, replace(TINY, seed=1), replace(TINY, offline=True))}
    assert len(names) == 2
    assert all(name.startswith("difficulty-quick-digits-") for name in names)


def test_the_command_repeats_the_run(run: tuple[Path, Result]) -> None:
    words = shlex.split(run[1].command)[1:]
    app.config = []
    _, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    assert resolve(bound.arguments["config"]) == resolve(TINY)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"k": 0}, "k: expected a whole number >= 1, got 0"),
        ({"k": 200}, "k: expected at most the 199 other training images that probes see, got 200"),
        ({"early": 0.0}, "early: expected a share of the training above 0, at most 1, got 0"),
        ({"early": float("nan")}, "early: expected a share"),
        ({"minutes": 1.0}, "training time: expected minutes or epochs, got both"),
        ({"test_rows": -1}, "test_rows: expected a whole number >= 1, or 0 for the budget's, got -1"),
        ({"image_size": 4}, "image_size: expected 0, or 8 to 1024 pixels, got 4"),
        ({"flip": "up"}, "unknown flip 'up'"),
        ({"test_rows": 1}, "test images: expected at least two classes, got only"),
        ({"layers": ("layer7",)}, "unknown layer 'layer7'"),
        ({"schedule": "cosin"}, "unknown schedule 'cosin'; did you mean 'cosine'"),
        ({"model": "resnet"}, "unknown network 'resnet'"),
        ({"data": "cifar"}, "unknown data set 'cifar'"),
    ],
)
def test_wrong_settings(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        DifficultyStudy(replace(TINY, **changes))


def test_every_budget_resolves_and_the_recipe_is_the_exits_studys() -> None:
    for budget in BUDGETS:
        config = resolve(DifficultyConfig(budget=budget))  # type: ignore[arg-type]
        assert config.minutes > 0
        assert min(config.width, config.references, config.test_rows, config.altered_rows) > 0
    usual, ours = ExitsConfig(), DifficultyConfig().recipe
    for name in ("optimizer", "learning_rate", "weight_decay", "label_smoothing", "batch_size", "model"):
        assert getattr(usual, name) == getattr(ours, name)
    assert (fit_config(resolve(TINY), "fp32").epochs, fit_config(resolve(TINY), "fp32").schedule) == (2, "cosine-tail")


def test_images_are_divided_once_and_for_all() -> None:
    images = read_images(resolve(TINY))
    train = {tuple(image.flatten().tolist()) for image in images.splits.train.images}
    assert all(tuple(image.flatten().tolist()) in train for image in images.references.images)
    sizes = [len(part) for part in (images.splits.train, images.references, images.splits.test)]
    assert sizes == [300, 200, 80]
    assert len(images.watched) == 200
    again = read_images(resolve(TINY))
    assert images.identity == again.identity
    assert images.identity != read_images(resolve(replace(TINY, seed=1))).identity
    assert images.people.names == ()


def test_changes_of_no_strength_change_nothing() -> None:
    images = torch.randint(256, (5, 3, 9, 12), dtype=torch.uint8)
    generator = torch.Generator()
    for unchanged in (
        add_noise(images, generator, 0.0),
        lower_contrast(images, left=1.0),
        occlude(images, generator, 0.0),
        cut_out(images, share=1.0),
    ):
        assert torch.equal(unchanged, images)


@pytest.mark.parametrize("name", INTERVENTIONS)
def test_alterations_are_bytes_of_the_same_shape_and_repeat_themselves(name: str) -> None:
    for shape in ((4, 1, 8, 8), (2, 3, 33, 20)):
        images = torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        before = images.clone()
        one, other = (INTERVENTIONS[name].alter(images, torch.Generator().manual_seed(1)) for _ in range(2))
        assert (one.shape, one.dtype) == (images.shape, torch.uint8)
        assert torch.equal(one, other)
        assert torch.equal(images, before)
        assert not torch.equal(one, images)


def test_what_alterations_do() -> None:
    images = torch.randint(256, (200, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(0)
    assert float((contrast(lower_contrast(images)) / contrast(images)).mean()) == pytest.approx(0.5, abs=0.01)
    grey = torch.full_like(images, 128)
    assert float(add_noise(grey, generator).double().std()) == pytest.approx(0.06 * 255, rel=0.02)
    covered = (occlude(images, generator) != images).any(1)
    assert covered.sum((1, 2)).max() <= 64  # a quarter of 256
    assert float(covered.float().mean()) > 0.24
    assert covered.any(0).all()  # the patch may lie anywhere


def test_properties_of_images() -> None:
    flat = torch.full((1, 3, 8, 8), 77, dtype=torch.uint8)
    assert (float(contrast(flat)), float(clutter(flat))) == (0.0, 0.0)
    board = torch.zeros(1, 1, 8, 8, dtype=torch.uint8)
    board[..., ::2, ::2] = board[..., 1::2, 1::2] = 255
    assert (float(contrast(board)), float(clutter(board))) == (0.5, 2.0)


def test_the_distance_to_a_boundary_is_exact_where_logits_are_linear() -> None:
    images = torch.randint(256, (20, 1, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    data = ImageSet(
        name="toy", images=images, labels=torch.zeros(20, dtype=torch.long), classes=("a", "b"), source="made up"
    )
    found = boundary_distance(
        model, data, prepare=lambda x: x.float() / 99, precision=Precision(), device=torch.device("cpu")
    )
    linear = model[1]
    assert isinstance(linear, nn.Linear)
    normal = linear.weight[0] - linear.weight[1]
    lead = (images.flatten(1).float() / 99) @ normal + linear.bias[0] - linear.bias[1]
    torch.testing.assert_close(found.float(), (lead.abs() / normal.norm()).detach())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_batch_normalisation_is_measured_anew() -> None:
    """As torch does it in training with a momentum of none: the means are those of what the layers get now."""
    study = DifficultyStudy(TINY)
    probes = Probes(study.config, study.images, study.layers, create_network(study.config, study.images.splits), FP32)
    first = probes.model.get_submodule("bn1")
    assert isinstance(first, nn.BatchNorm2d)
    weight = first.weight.clone()
    probes.refreshed()
    inputs = study.images.splits.normalise(study.images.references.images)
    seen: list[torch.Tensor] = []
    handle = first.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        probes.model.eval()(inputs)
    handle.remove()
    assert first.running_mean is not None
    torch.testing.assert_close(first.running_mean, seen[0].mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
    assert torch.equal(first.weight, weight)
    assert not probes.model.training


def test_rows_hold_columns_of_plain_numbers(run: tuple[Path, Result]) -> None:
    rows = [json.loads(line) for line in (run[0] / "metrics.jsonl").read_text().splitlines()]
    test = next(row for row in rows if row.get("key") == {"of": "test", "network": "network"})
    columns = test["values"]["examples"]
    assert {len(columns[name]) for name in ("depth", "soft_depth", "confidence", "probes_right")} == {80}
    assert len(columns["probe_accuracy"]) == 5


def test_what_is_kept_gives_the_depths_again(run: tuple[Path, Result]) -> None:
    kept = load_kept_difficulty(run[0])
    pairs = kept.references.pair, kept.shown.pair
    found = prediction_depth(kept.model, *pairs, layers=kept.layers, k=kept.k, prepare=kept.normalise)
    assert torch.equal(found.depth, kept.depth)
    assert kept.depth.tolist() == sorted(kept.depth.tolist())  # from easy to hard
    assert (len(kept.shown), len(kept.references), kept.all_references) == (48, 200, True)
    shutil.rmtree(run[0] / "checkpoints" / "kept")
    with pytest.raises(ShoalError, match="run it again: shoal study difficulty"):
        load_kept_difficulty(run[0])


@pytest.mark.slow
def test_real_digits_are_settled_early(tmp_path: Path) -> None:
    """Long enough to learn: what was measured is as the field has it, and decided if the network has converged."""
    config = DifficultyConfig(data="digits", budget="quick", epochs=30, width=8, precision="fp32")
    result = DifficultyStudy(config).run(tmp_path)
    found = {claim.id: claim for claim in result.claims}
    for name in ("accuracy_falls", "confidence_falls"):  # hardly any answer is wrong or doubtful
        assert found[name].verdict != "contradicted"
    for name in ("settled_early", "margin_falls", "hard_is_near_a_boundary"):
        claim = found[name]
        assert (claim.verdict == "supported") != bool(claim.unsettled)  # unsettled for every claim, or for none
        assert bool(claim.unsettled) == bool(found["settled_early"].unsettled)
        assert claim.low > 0.5 if claim.direction == "above" else claim.high < 0
