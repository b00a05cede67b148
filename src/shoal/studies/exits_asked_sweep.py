"""What `shoal exits sweep` does: what a saved network gives for how many MACs and milliseconds, from bold to safe.

    swept = sweep_saved("runs/exits-photos", "photos", SweepingConfig())
    swept.rows[0].accuracy, swept.rows[0].mean_macs

Thresholds are chosen on other images than those that accuracy and MACs are measured on.
"""

import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from shoal.engine import Progress, Silent, choose_device, describe_environment
from shoal.errors import wrong
from shoal.exits import EarlyExit, FrontierRow, policy_path
from shoal.exits.frontier import frontier_rows, milliseconds_per_row
from shoal.exits.policies import never_leaving
from shoal.exits.policy_json import KINDS
from shoal.exits.saving import load_network
from shoal.studies.exits_asked_calibrate import unseen_outputs, whole_macs
from shoal.studies.exits_asked_config import SweepingConfig, check_limits
from shoal.studies.exits_asked_images import Found, find_images, known, takes

FEWEST = 2  # images to choose on, and to measure on
TIMED_SECONDS = 20.0  # that timing takes, roughly
TIMED_IMAGES = (8, 256)  # at least, and at most
BATCH = 128
ROUNDS = 3  # over all sets of thresholds, so that a busy moment disturbs all alike
_PASSES = 2  # of `milliseconds_per_row` over its images: the first is not timed


@dataclass(frozen=True, kw_only=True)
class Swept:
    """The frontier of a network.

    Attributes:
        layers: that hold exits.
        rows: from bold to safe; the last never leaves.
        measured_on, chosen_on: in words.
        images, chosen: numbers of images.
        timed: images that were timed, in batches of `BATCH`.
        whole_macs: of the network without exits, for an image.
        environment: of the run.
        seconds: by part of the run.
    """

    layers: tuple[str, ...]
    rows: list[FrontierRow]
    measured_on: str
    chosen_on: str
    images: int
    chosen: int
    timed: int
    whole_macs: int
    environment: dict[str, Any]
    seconds: dict[str, float]


def sweep_saved(folder: Path, data: str, config: SweepingConfig, progress: Progress | None = None) -> Swept:
    """Measure policies of one kind, from bold to safe.

    Args:
        folder: of the network.
        data: a folder of class folders of images, or a data set's name.
        config: the settings.
        progress: told what is done.

    Raises:
        InputError: if the folder holds no network, or the data do not fit it, were trained on, or are too few.
        ShoalError: if a file is damaged.
    """
    told = progress or Silent()
    check_limits(config)
    began = time.monotonic()
    device, why = choose_device()
    net = load_network(folder).to(device)
    measured, chosen = _divide(net, data, config)
    told.say(f"choosing thresholds on {chosen.says}, measuring on {measured.says}")
    read = time.monotonic()
    choosing, _ = unseen_outputs(net, chosen)
    path = policy_path(choosing, KINDS[config.policy])
    rows = frontier_rows(unseen_outputs(net, measured)[0], path)
    computed = time.monotonic()
    told.say(f"timing {len(rows)} sets of thresholds")
    inputs = takes(net).normalise(measured.new.images[: TIMED_IMAGES[1]]).to(device)
    inputs = inputs[: _affordable(net, inputs, config, len(rows))]
    rows = _timed(net, inputs, rows)
    return Swept(
        layers=net.at,
        rows=rows,
        measured_on=measured.says,
        chosen_on=chosen.says,
        images=len(measured.new),
        chosen=len(chosen.new),
        timed=len(inputs),
        whole_macs=whole_macs(net),
        environment=describe_environment(seed=config.seed, device=str(device), why=why),
        seconds={
            "read the images": read - began,
            "run every exit": computed - read,
            "time": time.monotonic() - computed,
        },
    )


def _divide(net: EarlyExit, data: str, config: SweepingConfig) -> tuple[Found, Found]:
    """Images to measure on, and others to choose thresholds on."""
    found = find_images(net, data)
    if config.choose_on:
        measured, chosen = found, find_images(net, config.choose_on)
    elif len(found.test):  # what was held out chooses, what the data set keeps for a report is measured
        says = f"{len(found.test):,} test images of {found.test.name}"
        measured, chosen = replace(found, new=found.test, says=says), found
    else:
        order = torch.randperm(len(found.new), generator=torch.Generator().manual_seed(config.seed))
        chosen, measured = (_part(found, rows) for rows in (order[: len(order) // 2], order[len(order) // 2 :]))
    for part, name in ((measured, data), (chosen, config.choose_on or data)):
        if len(part.new) < FEWEST:
            raise wrong(name, expected=f"at least {FEWEST} images to choose on, and as many others", got=len(found.new))
    _check_apart(measured, chosen, config)
    # in a random order: a folder's images are sorted by class, and those of one class would mislead the timing
    order = torch.randperm(len(measured.new), generator=torch.Generator().manual_seed(config.seed))
    return replace(measured, new=measured.new.take(order)), chosen


def _check_apart(measured: Found, chosen: Found, config: SweepingConfig) -> None:
    """Refuse thresholds that are chosen on what they are measured on."""
    if config.choose_on and bool(known(measured.new.images, chosen.new.images).all()):
        fix = "leave --choose-on out to take one half for each"
        raise wrong("--choose-on", expected="other images than are measured on", got="the same", fix=fix)


def _part(found: Found, rows: Tensor) -> Found:
    part = found.new.take(rows)
    return replace(found, new=part, says=f"{len(part):,} of {found.says}")


def _timed(net: EarlyExit, inputs: Tensor, rows: list[FrontierRow]) -> list[FrontierRow]:
    """The rows with their times."""
    times = [
        [milliseconds_per_row(net, inputs, row.policy, BATCH, repeats=_PASSES - 1) for row in rows]
        for _ in range(ROUNDS)
    ]
    return [
        replace(row, milliseconds=statistics.median(own))
        for row, own in zip(rows, zip(*times, strict=True), strict=True)
    ]


def _affordable(net: EarlyExit, inputs: Tensor, config: SweepingConfig, policies: int) -> int:
    """How many images to time, so that all policies together take about `TIMED_SECONDS`."""
    least, most = TIMED_IMAGES
    never = never_leaving(KINDS[config.policy], len(net.at))
    each = milliseconds_per_row(net, inputs[:least], never, repeats=1) / 1e3
    return max(least, min(most, int(TIMED_SECONDS / (each * policies * ROUNDS * _PASSES))))
