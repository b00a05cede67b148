"""What a training decides before its first step, by measuring: the precision to run in, and the pace to keep."""

import math
import time

import torch
from torch import nn

from shoal.engine.batches import Batches
from shoal.engine.device import World
from shoal.engine.fit_config import FitConfig
from shoal.engine.precision import (
    Precision,
    Step,
    choose_precision,
    precision_named,
    seconds_per_step,
    survives_channels_last,
)
from shoal.engine.schedule import Pace
from shoal.errors import wrong


def settle_precision(
    name: str, model: nn.Module, batches: Batches, loss: Step, device: torch.device, world: World
) -> Precision:
    """The precision of this name, or the fastest for this model where the name is "auto".

    Args:
        name: see `FitConfig.precision`.
        model: not changed.
        batches: whose first batch, at the size that training ends with, is timed.
        loss: what a training step minimises.
        device: where to run.
        world: whose share of the batch to take.

    Raises:
        InputError: if the named one could overrun its memory with this model.
    """
    if name != "auto":
        found = precision_named(name)
        if found.channels_last and not survives_channels_last(model, device):
            raise wrong(
                "precision",
                expected="one without channels_last for this model: the CPU's kernel for strided 1x1 convolutions of "
                "few channels overruns its memory there",
                got=name,
                fix=f"take {found.name.removesuffix('+channels_last')}",
            )
        return found
    batch = batches.batch(0, batches.size_at(1.0), world)
    return choose_precision(model, batch, loss, device)[0]


def plan_pace(
    config: FitConfig,
    model: nn.Module,
    batches: Batches,
    loss: Step,
    precision: Precision,
    device: torch.device,
    world: World,
) -> Pace:
    """Steps of equal progress for a run in epochs; measured ones, at each input size, for a run in minutes.

    Args:
        config: of the training.
        model: not changed.
        batches: of the training.
        loss: what a training step minimises.
        precision: how to run.
        device: where to run.
        world: whose share of a batch to take.
    """
    if not config.minutes:
        return Pace.in_epochs(config.epochs, batches.steps_per_epoch)
    seconds = {}
    for size in batches.sizes():
        start = time.monotonic()
        batch = batches.batch(0, size, world)
        making = time.monotonic() - start
        seconds[size] = making + seconds_per_step(model, batch, loss, precision, device, repeats=2)
    most = math.ceil(config.max_epochs * batches.steps_per_epoch)
    return Pace.in_minutes(config.minutes, seconds, most_steps=most)
