"""What `shoal difficulty` does with images of one's own: a network is trained on them, or given, and asked of each.

    asked = ImageScoring("photos", ScoringConfig(k=10))      # reads and checks; nothing is trained yet
    measured = asked.run()
    measured.parts[0].depth, measured.parts[0].issues

One network and one pass: every training image is left out of its own neighbours, so that no folds are needed. Images of
a test part, where there is one, are compared with the training images; their labels are not judged.
"""

import re
import time
from pathlib import Path
from typing import Any

from torch import nn

from shoal.data import ImageSet, ImageSplits, load, locate
from shoal.data.download import Report
from shoal.data.specs import match_spec
from shoal.difficulty import (
    Features,
    PredictionHistory,
    depth_of_features,
    difficulty_scores,
    find_label_errors,
    probe_features,
)
from shoal.difficulty.features import find_layers
from shoal.engine import Progress, Silent, as_batches, choose_device, describe_environment, fit
from shoal.errors import InputError, wrong
from shoal.measure.paths import Walk
from shoal.nets import load_model
from shoal.studies.difficulty_asked_config import ScoringConfig, resolve
from shoal.studies.difficulty_asked_measured import Measured, Part, counted
from shoal.studies.exits_config import ExitsConfig
from shoal.studies.exits_training import batch_options, create_backbone, fit_config
from shoal.studies.found_images import FOLDER_SIZE

WIDTH = 16  # channels of its first layer
RECORDED_A_MINUTE = 2_500  # training images that can be watched without taking much of the training's time


class ImageScoring:
    """Images and a network, ready to be measured.

    Args:
        data: a folder of class folders of images, or a data set's name.
        config: the settings.
        fetching: told how a fetch of data goes, see `shoal.data.fetch`.

    Attributes:
        run_name: for the folder of what is written.
        says: what was taken for data.

    Raises:
        InputError: if a setting is wrong, the data cannot be used, or the model does not fit them.
        ShoalError: if an image or a saved model is damaged.
    """

    def __init__(self, data: str, config: ScoringConfig, *, fetching: Report | None = None):
        self.config = resolve(config)
        began = time.monotonic()
        self.folder, size = _place(data, self.config.size)
        offline = self.config.offline
        self.splits = load(data, size=size, offline=offline, validation=0, test=0, progress=fetching)
        self.reading = time.monotonic() - began
        self.says = f"{counted(self.splits)} ({self.splits.source})"
        self.run_name = "difficulty-" + re.sub(r"[^A-Za-z0-9_.-]+", "-", self.splits.name)
        _check(self.splits, self.config.k)
        self.training = ExitsConfig(
            width=WIDTH,
            minutes=self.config.minutes,
            epochs=self.config.epochs,
            seed=self.config.seed,
            average_decay=0.0,  # what is recorded in training is then the network itself
            precision="fp32" if self.config.epochs else "auto",  # a measured choice may differ from run to run
        )
        self.device, self.why = choose_device()
        self.model = self._model()
        layers = self.config.layers or None
        self.layers = find_layers(self.model, self.splits.train.pair, layers, prepare=self.splits.normalise)

    def run(self, progress: Progress | None = None) -> Measured:
        """Train, where no model was given, and measure every image.

        Args:
            progress: told how it goes.

        Raises:
            Interrupted: on Ctrl-C while training.
            ShoalError: if training diverges, or activations are not finite.
        """
        told = progress or Silent()
        began = time.monotonic()
        history, network, left_out = self._train(told)
        trained = time.monotonic()
        if left_out:
            told.say(left_out)
        probes = len(self.layers) + 2
        told.say(f"measuring {counted(self.splits)}: {probes} probes, {self.config.k} neighbours each")
        parts = self._parts(history)
        return Measured(
            splits=self.splits,
            folder=self.folder,
            parts=parts,
            network=network,
            left_out=left_out,
            environment=describe_environment(seed=self.config.seed, device=str(self.device), why=self.why),
            seconds={
                "read the images": self.reading,
                "train": trained - began,
                "measure": time.monotonic() - trained,
            },
        )

    def _model(self) -> nn.Module:
        """The network that was given, checked, or a fresh one."""
        if not self.config.model:
            return create_backbone(self.training, self.splits).to(self.device)
        model = load_model(self.config.model).to(self.device)
        example = self.splits.normalise(self.splits.train.images[:2]).to(self.device)
        try:
            outputs = Walk(model, example).classes
        except InputError as error:
            fix = "" if str(error).startswith("model") else "; --size sets the side of the images"
            raise InputError(f"--model {self.config.model}: {error}{fix}") from None
        if outputs != len(self.splits.classes):
            expected = f"{len(self.splits.classes)} outputs, one for each class ({_few(self.splits.classes)})"
            fix = "give one that was trained on these classes"
            raise wrong(f"--model {self.config.model}", expected=expected, got=outputs, fix=fix)
        return model

    def _train(self, told: Progress) -> tuple[PredictionHistory | None, str, str]:
        """What was recorded in training, what the network is in words, and which scores there are none of."""
        if self.config.model:
            return None, self.config.model, "Scores of a training are left out: the network was given."
        train, splits, minutes = self.splits.train, self.splits, self.config.minutes
        name = f"{self.training.model}, {WIDTH} channels wide"
        recorder = None
        if not minutes or len(train) <= RECORDED_A_MINUTE * minutes:
            recorder = PredictionHistory.recorder(train.pair, prepare=splits.normalise)
        span = _many(minutes, "minute") if minutes else _many(self.config.epochs, "epoch")
        words = "; validation: the same images, unchanged" if recorder else ""
        told.say(f"training {name}, on {len(train):,} images for at most {span}{words}")
        batches = as_batches(train.pair, seed=self.config.seed, **batch_options(self.training, splits))
        config = fit_config(self.training, self.training.precision)
        history = fit(self.model, batches, config=config, validate=recorder, part="network", progress=told)
        network = f"{name}, trained on these images for {_many(history.rows[-1]['epoch'], 'epoch')}"
        if recorder:
            return recorder.history(), network, ""
        most = f"{RECORDED_A_MINUTE * minutes:,.0f} training images"
        return None, network, f"Scores of a training are left out: more than {most}; --minutes raises that."

    def _parts(self, history: PredictionHistory | None) -> tuple[Part, ...]:
        options: dict[str, Any] = {"prepare": self.splits.normalise, "device": self.device}
        reference = probe_features(self.model, self.splits.train.pair, self.layers, **options)
        parts = [self._part("train", self.splits.train, reference, None, history)]
        if len(self.splits.test):
            queries = probe_features(self.model, self.splits.test.pair, self.layers, **options)
            parts.append(self._part("test", self.splits.test, reference, queries, None))
        return tuple(parts)

    def _part(
        self,
        name: str,
        images: ImageSet,
        reference: Features,
        queries: Features | None,
        history: PredictionHistory | None,
    ) -> Part:
        depth = depth_of_features(reference, queries, k=self.config.k)
        last = (queries or reference).values[depth.layers[-2]]
        return Part(
            name=name,
            images=images,
            depth=depth,
            issues=find_label_errors(depth) if queries is None else None,
            scores=difficulty_scores(depth, history=history, features=last),
        )


def _place(data: str, size: int) -> tuple[Path | None, int | None]:
    """The folder of images, where it is one, and the side that images are brought to; None keeps them."""
    if match_spec(data):
        return None, size or None
    place = locate(data)
    return (place.path, size or FOLDER_SIZE) if place.kind == "images" else (None, size or None)


def _check(splits: ImageSplits, k: int) -> None:
    """Refuse now what measuring would refuse after the training."""
    others = len(splits.train) - 1
    if k > others:
        small = max(1, others // (2 * len(splits.classes)))
        fix = f"give --k {small}, or more images"
        raise wrong("--k", expected=f"at most the {others:,} other training images", got=k, fix=fix)


def _many(count: float, noun: str) -> str:
    return f"{count:.3g} {noun}{'s' * (count != 1)}"


def _few(names: tuple[str, ...]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
