"""How to train, and what a training measured: the settings and the history of a fit."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from shoal.engine.optimizers import OPTIMIZERS
from shoal.engine.precision import precision_named
from shoal.engine.schedule import rate_at
from shoal.errors import unknown_name, wrong


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """How to train.

    Args:
        epochs: passes over the data; ignored where `minutes` is set.
        minutes: time budget that the schedule is fitted to, evaluation included; 0 for none. It begins after
            the seconds that are spent on measuring precision and pace.
        max_epochs: with `minutes`, the most passes over the data, for data that are done before the time is up.
        optimizer: "sgd" (Nesterov), "adamw" or "muon".
        learning_rate: at the peak of the schedule.
        momentum: of SGD.
        weight_decay: of matrices and convolutions.
        schedule: "one-cycle", "cosine", "cosine-tail" (down by three quarters, then small) or "constant".
        warmup: share of the run that the rate rises for.
        label_smoothing: of the default objective.
        clip_norm: largest norm of the gradient; 0 for no clipping.
        average_decay: of the running average of weights that becomes the result; 0 for the last weights.
        patience: evaluations without a lower validation loss after which to stop and return to the best weights;
            0 trains to the end and returns the last ones.
        precision: "auto" (measured), "fp32", "bf16", "fp32+channels_last" or "bf16+channels_last".
        device: "auto", "cpu", "cuda".
        seed: of the steps' random state (dropout); batches have their own.
        checkpoint_seconds: time between checkpoints, where there is a run folder.
    """

    epochs: float = 10.0
    minutes: float = 0.0
    max_epochs: float = 1000.0
    optimizer: str = "sgd"
    learning_rate: float = 0.3
    momentum: float = 0.9
    weight_decay: float = 1e-3
    schedule: str = "one-cycle"
    warmup: float = 0.2
    label_smoothing: float = 0.1
    clip_norm: float = 0.0
    average_decay: float = 0.0
    patience: int = 0
    precision: str = "auto"
    device: str = "auto"
    seed: int = 0
    checkpoint_seconds: float = 30.0

    def __post_init__(self) -> None:
        time_is_given = 0 < self.minutes < math.inf or (self.minutes == 0 and 0 < self.epochs < math.inf)
        if not time_is_given:
            raise wrong("training time", expected="epochs > 0 or minutes > 0", got=f"{self.epochs}, {self.minutes}")
        if not 0 < self.learning_rate < math.inf:
            raise wrong("learning_rate", expected="a number > 0", got=self.learning_rate)
        for name in ("momentum", "warmup", "label_smoothing", "average_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise wrong(name, expected="a number in [0, 1)", got=getattr(self, name))
        for name in ("weight_decay", "clip_norm", "patience", "checkpoint_seconds", "max_epochs"):
            if not getattr(self, name) >= 0:
                raise wrong(name, expected="a number >= 0", got=getattr(self, name))
        # refuse unknown names now rather than at the first step
        rate_at(self.schedule, 0.0, 0.1)
        if self.optimizer not in OPTIMIZERS:
            raise unknown_name("optimizer", self.optimizer, OPTIMIZERS)
        if self.precision != "auto":
            precision_named(self.precision)

    def lasting(self) -> dict[str, Any]:
        """The settings that a resumed training must share; how often it saves is its own business."""
        return {key: value for key, value in asdict(self).items() if key != "checkpoint_seconds"}


@dataclass
class History:
    """What a fit measured.

    Attributes:
        rows: one per epoch, at least 12 a run, and one at the end: step, epoch, progress, learning_rate,
            train_loss, train_accuracy, validation_loss, validation_accuracy (where there is validation), seconds.
        precision: the precision that was used.
        seconds: time spent, over all resumptions.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    precision: str = "fp32"
    seconds: float = 0.0
