"""The trainings of the difficulty study: a network that is watched, and one of another seed.

What each says of training and of validation images is kept at every row of its history, and the watched one as it is
early in training. All of it lies in the run folder, so that a run that was stopped anywhere goes on with it.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import nn

from shoal.data import ImageSplits
from shoal.difficulty import PredictionHistory, Recorder
from shoal.engine import (
    FitConfig,
    History,
    Precision,
    Progress,
    RunFolder,
    as_batches,
    choose_device,
    fit,
    precision_named,
)
from shoal.files import atomic_file
from shoal.studies import exits_training
from shoal.studies.difficulty_config import DifficultyConfig
from shoal.studies.difficulty_data import StudyImages

NETWORK, SECOND = "network", "second_network"  # parts of the run


@dataclass(frozen=True, eq=False, kw_only=True)
class Trained:
    """A network after its training.

    Attributes:
        model: in evaluation mode.
        early: the same early in training; None where it was not kept.
        history: of the training.
        held_out: what it said of the validation images, at every row of the history.
        watched: the same of training images; None where they were not watched.
    """

    model: nn.Module
    early: nn.Module | None
    history: History
    held_out: PredictionHistory
    watched: PredictionHistory | None

    @property
    def precision(self) -> Precision:
        """How to run it: float32, in the memory format of the training."""
        return replace(precision_named(self.history.precision), bf16=False)


def fit_config(config: DifficultyConfig, precision: str) -> FitConfig:
    """The training settings: the exits study's recipe, with a schedule of its own."""
    return replace(exits_training.fit_config(config.recipe, precision), schedule=config.schedule)


def create_network(config: DifficultyConfig, splits: ImageSplits) -> nn.Module:
    """A fresh network for these images."""
    return exits_training.create_backbone(config.recipe, splits)


def train(config: DifficultyConfig, images: StudyImages, run: RunFolder, progress: Progress) -> Trained:
    """The network that is measured: with watched training images, and kept as it is early in training."""
    return _train(config, images, run, progress, part=NETWORK, watch=True)


def train_second(
    config: DifficultyConfig, images: StudyImages, precision: str, run: RunFolder, progress: Progress
) -> Trained:
    """The same with the next seed: other weights to begin with, other batches, other flips and crops."""
    other = replace(config, seed=config.seed + 1, precision=precision)
    return _train(other, images, run, progress, part=SECOND, watch=False)


def _train(
    config: DifficultyConfig, images: StudyImages, run: RunFolder, progress: Progress, *, part: str, watch: bool
) -> Trained:
    splits, folder = images.splits, run.path / "recorded" / part
    model = create_network(config, splits)
    held_out = _recorder(images.held_out.pair, splits, folder / "validation", run, part)
    watched, snapshot = None, folder / "early.safetensors"
    validate: Any = held_out
    if watch:
        pair = (images.references.images[images.watched], images.references.labels[images.watched])
        watched = _recorder(pair, splits, folder / "training", run, part)
        watched.then = _Snapshot(snapshot, run, part, config.early, then=held_out)
        validate = watched
    history = fit(
        model,
        as_batches(splits.train.pair, seed=config.seed, **exits_training.batch_options(config.recipe, splits)),
        config=fit_config(config, config.precision),
        validate=validate,
        run=run,
        part=part,
        progress=progress,
    )
    return Trained(
        model=model,
        early=_early(config, splits, snapshot, history) if watch else None,
        history=history,
        held_out=held_out.history(),
        watched=watched.history() if watched else None,
    )


def _recorder(pair: Any, splits: ImageSplits, folder: Path, run: RunFolder, part: str) -> Recorder:
    """A recorder that goes on with the row that the training goes on with.

    A run that was killed may have recorded rows that its last checkpoint does not have: they come again.
    """
    saved = run.load(part)
    known = len(saved["rows"]) if saved else 0
    for late in sorted(folder.glob("*.safetensors"))[known:]:
        late.unlink()
    return Recorder(pair, prepare=splits.normalise, folder=folder)


class _Snapshot:
    """Keeps the weights of the first row of the history that is late enough, then validates."""

    def __init__(self, file: Path, run: RunFolder, part: str, early: float, *, then: Recorder):
        self.file, self.run, self.part, self.early, self.then = file, run, part, early, then

    def __call__(self, model: nn.Module, precision: Precision, device: torch.device) -> dict[str, float]:
        if not self._is_late():
            weights = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
            with atomic_file(self.file) as file:
                file.write(save(weights))
        return self.then(model, precision, device)

    def _is_late(self) -> bool:
        """Whether a row before this one was late enough already."""
        rows = [row for row in self.run.metrics() if row.get("part") == self.part]
        return bool(rows) and rows[-1]["progress"] >= self.early


def _early(config: DifficultyConfig, splits: ImageSplits, file: Path, history: History) -> nn.Module:
    """The network as it was kept."""
    model, device = create_network(config, splits), choose_device(config.device)[0]
    model.load_state_dict(load_file(file))
    return precision_named(history.precision).place_model(model, device).eval()
