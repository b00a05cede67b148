"""What `shoal exits fit` does: exits on a network, trained on images of one's own, and measured on others.

    asked = ExitsFitting("photos", FittingConfig(epochs=5))      # reads and checks; nothing is trained yet
    fitted = asked.run()
    save_exits(fitted.net, "runs/exits-photos", inputs=asked.inputs, made_by=asked.made_by)

What is held out is found again by content, not by a list: `shoal.studies.exits_asked_images`.
"""

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from shoal.data import ImageSet, ImageSplits, find_best
from shoal.data.load import Choice
from shoal.engine import History, Progress, Silent, choose_device, seed_everything
from shoal.errors import InputError, wrong
from shoal.exits import EarlyExit, ExitOutputs, exit_outputs, fit_exits
from shoal.exits.saving import ImageInputs
from shoal.measure import count_macs
from shoal.measure.logits import logits_of
from shoal.measure.modes import in_mode
from shoal.nets import load_model
from shoal.studies.exits_asked_config import USUAL_HELD_OUT, FittingConfig, exit_places, resolve
from shoal.studies.exits_asked_images import known
from shoal.studies.exits_asked_lines import END, FittedAnswer
from shoal.studies.exits_config import ExitsConfig
from shoal.studies.exits_training import batch_options, create_backbone, fit_config
from shoal.studies.found_images import FOLDER_SIZE

WIDTH = 16  # channels of its first layer


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A network with exits, and what it is worth.

    Attributes:
        net: on the CPU.
        network: what it is, as half a sentence.
        history: of the training.
        outputs: of the held-out images.
        seconds: that the training took.
    """

    net: EarlyExit
    network: str
    history: History
    outputs: ExitOutputs
    seconds: float


class ExitsFitting:
    """Images and a network with exits, ready to be trained.

    Args:
        data: a folder of class folders of images, or a data set's name.
        config: the settings.

    Attributes:
        splits: the data; held_out: validation images that are not among the training images.
        run_name: for the folder that the network is saved in.
        says: what was taken for data.
        inputs, made_by: what is saved with the network.

    Raises:
        InputError: if a setting is wrong, the data cannot be used, or the model or a layer does not fit.
        ShoalError: if an image or a saved model is damaged.
    """

    def __init__(self, data: str, config: FittingConfig):
        self.config = resolve(config)
        places = exit_places(self.config.at)
        self.splits = _read(data, self.config).splits
        self.held_out = _unlike(self.splits.validation, self.splits.train)
        self.says = _words(self.splits, self.held_out)
        self.run_name = "exits-" + re.sub(r"[^A-Za-z0-9_.-]+", "-", self.splits.name)
        self.training = ExitsConfig(
            width=WIDTH,
            minutes=self.config.minutes,
            epochs=self.config.epochs,
            seed=self.config.seed,
            precision="fp32" if self.config.epochs else "auto",  # a measured choice may differ from run to run
        )
        self.inputs = ImageInputs(
            shape=self.splits.shape, classes=self.splits.classes, mean=self.splits.mean, std=self.splits.std
        )
        self.device, _ = choose_device()
        example = self.splits.normalise(self.splits.train.images[:2])
        backbone = self._backbone(example.to(self.device))
        # a saved network tells how it is built; what was imported is imported again
        self.made_by = "" if Path(self.config.model).is_dir() else self.config.model
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed)  # of the heads' initial weights
            try:
                self.net = EarlyExit(backbone, places, len(self.splits.classes), example=example)
            except InputError as error:
                raise InputError(f"{self._given}{error}") from None

    def run(self, progress: Progress | None = None) -> Fitted:
        """Train, and measure every exit on the held-out images.

        Args:
            progress: told how it goes.

        Raises:
            Interrupted: on Ctrl-C while training.
            ShoalError: if training diverges.
        """
        told, config = progress or Silent(), self.config
        network = config.model or f"{self.training.model}, {WIDTH} channels wide"
        span = f"{config.minutes:g} minutes" if config.minutes else f"{config.epochs:g} epochs"
        what = "the exits" if config.mode == "frozen" else "everything"
        told.say(f"training {what} of {network}, {len(self.net.at)} exits, for at most {span}")
        began = time.monotonic()
        history = fit_exits(
            self.net,
            self.splits.train.pair,
            mode=str(config.mode),
            weights=_weights(len(self.net.at), frozen=config.mode == "frozen"),
            config=fit_config(self.training, self.training.precision),
            part="network",
            progress=told,
            **self._batches(),
        )
        trained = time.monotonic()
        # whatever was fastest in training: other programs, and what is loaded, expect plain rows
        self.net.to(memory_format=torch.contiguous_format)  # pyright: ignore[reportCallIssue] - missing from the stub
        options: dict[str, Any] = {"prepare": self.splits.normalise, "device": self.device}
        outputs = exit_outputs(self.net, self.held_out.pair, **options)
        return Fitted(
            net=self.net.cpu(),
            network=network,
            history=history,
            outputs=outputs,
            seconds=trained - began,
        )

    def answer(self, fitted: Fitted, folder: Path) -> FittedAnswer:
        """What was found, in plain values.

        Args:
            fitted: from `run`.
            folder: that the network is saved in.
        """
        whole = count_macs(fitted.net.backbone, torch.zeros(1, *self.splits.shape)).total
        right = fitted.outputs.right.double().mean(1).tolist()
        names, macs = (*fitted.net.at, END), fitted.outputs.costs.tolist()
        return FittedAnswer(
            folder=str(folder),
            data=self.says,
            network=fitted.network,
            mode=str(self.config.mode),
            epochs=fitted.history.rows[-1]["epoch"],
            seconds=fitted.seconds,
            trained_on=len(self.splits.train),
            held_out=len(self.held_out),
            whole_macs=whole,
            exits=[
                {"exit": name, "accuracy": accuracy, "macs": cost, "share": cost / whole}
                for name, accuracy, cost in zip(names, right, macs, strict=True)
            ],
        )

    @property
    def _given(self) -> str:
        return f"--model {self.config.model}: " if self.config.model else ""

    def _backbone(self, example: torch.Tensor) -> nn.Module:
        """The network that was given, checked, or a fresh one."""
        if not self.config.model:
            return create_backbone(self.training, self.splits).to(self.device)
        seed_everything(self.config.seed)  # of weights that an imported function draws
        model = load_model(self.config.model).to(self.device)
        try:
            with in_mode(model, training=False), torch.no_grad():
                outputs = logits_of(model(example), "model").shape[-1]
        except (RuntimeError, IndexError, TypeError, ValueError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            what, got = f"--model {self.config.model}", f"one that refuses {list(example.shape)}: {reason}"
            fix = "--size sets the side of the images"
            raise wrong(what, expected="a network for these images", got=got, fix=fix) from None
        classes = self.splits.classes
        if outputs != len(classes):
            few = ", ".join(classes[:5]) + (", ..." if len(classes) > 5 else "")
            expected, fix = f"{len(classes)} outputs, one for each class ({few})", "give one for these classes"
            raise wrong(f"--model {self.config.model}", expected=expected, got=outputs, fix=fix)
        return model

    def _batches(self) -> dict[str, Any]:
        """How batches are made; a given network may take images of one size only."""
        options = batch_options(self.training, self.splits)
        return options | ({"small_until": 0.0} if self.config.model else {})


def _read(data: str, config: FittingConfig) -> Choice:
    return find_best(
        data,
        size=config.size or None,
        folder_size=FOLDER_SIZE,
        validation=config.held_out or None,
        default_validation=USUAL_HELD_OUT,
        test=0,  # test images are held out only where they are published
        seed=config.seed,
    )


def _unlike(held_out: ImageSet, train: ImageSet) -> ImageSet:
    """Held-out images without those that occur among the training images, too."""
    new = held_out.take((~known(held_out.images, train.images)).nonzero().flatten())
    if not len(new):
        got = f"{len(held_out):,} that all occur among the training images, too" if len(held_out) else "none"
        raise wrong("data", expected="images to hold out", got=got, fix="give more images")
    return new


def _words(splits: ImageSplits, held_out: ImageSet) -> str:
    channels, height, width = splits.shape
    twice = len(splits.validation) - len(held_out)
    left_out = f" ({twice:,} more occur in both, and are left out)" if twice else ""
    size = f"{height}×{width}×{channels} in {len(splits.classes)} classes"
    return (
        f"{splits.name}: {len(splits.train):,} images {size} to train on, {len(held_out):,} held out{left_out} "
        f"({splits.source})"
    )


def _weights(exits: int, *, frozen: bool) -> list[float] | None:
    """Loss weights with a sum of 2: the end keeps most of its pull, and the learning rate of a plain network fits."""
    if frozen:
        return None
    scale = 2 / (1 + ExitsConfig().exit_weight * exits)
    return [ExitsConfig().exit_weight * scale] * exits + [scale]
