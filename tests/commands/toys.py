"""A demo of toy studies in a process of its own: `python -m tests.commands.toys FOLDER first=trains second=fails ...`

Each study is a real one that trains a real, small network in a run folder; `TOYS_SLOW=1` makes it slow enough to be
interrupted. All that is made up is the commit, which a checkout with changes would not have.
"""

import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch

from shoal import cli
from shoal.commands.demo import Task, run_all, tell
from shoal.commands.overview import showing_overview
from shoal.engine import FitConfig, Progress, RunFolder, as_batches, fit
from shoal.engine.environment import describe_environment
from shoal.errors import InputError, ShoalError
from shoal.studies import study
from shoal.studies.result import Claim, Result
from shoal.studies.study import Study
from tests.engine.toy import toy_data, toy_model

SLOW = bool(os.environ.get("TOYS_SLOW"))
STEPS = 60


class Toy(Study):
    """Trains a small network, slowly if its kind is "trains"; "waits" before, "fails" or has a "bug"."""

    def __init__(self, name: str, kind: str):
        self.name, self.kind = name, kind  # pyright: ignore[reportAttributeAccessIssue]
        self.identity: dict[str, Any] = {"study": name}
        self.run_name, self.notes = f"{name}-toy", {}
        self.says = ("made-up images",)

    def _run(self, run: RunFolder, progress: Progress) -> Result:
        environment = describe_environment(seed=0, device="cpu", why="it is small")
        run.record_environment(environment)
        if self.kind == "fails":
            raise ShoalError("the loss is not finite:\n  try a lower learning rate")
        if self.kind == "bug":
            raise ZeroDivisionError("division by <zero>")
        if self.kind == "waits" and SLOW:
            progress.say("waiting for a signal")
            time.sleep(60)
        model = toy_model()
        config = FitConfig(precision="fp32", epochs=STEPS / 6, learning_rate=0.05, seed=3)
        batches = as_batches(toy_data(), batch_size=16, seed=3, augment=_slowly if self.kind == "trains" else None)
        history = fit(model, batches, config=config, run=run, part="net", progress=progress)
        weights = sum(float(parameter.detach().sum()) for parameter in model.parameters())
        claim = Claim(
            id="ran",
            sentence="It ran.",
            measured=f"{history.rows[-1]['step']} steps, weights {weights!r}",
            effect=1,
            low=1,
            high=1,
            bound=0,
            direction="above",
        )
        words = {"title": f"Toy {self.name}", "summary": ("It ran.",), "command": "none"}
        return Result(study=self.name, environment=environment, claims=(claim,), **words)


def _slowly(images: torch.Tensor, *, index: torch.Tensor, epoch: int, generator: torch.Generator) -> torch.Tensor:
    time.sleep(0.1 * SLOW)
    return images


def prepare(name: str, kind: str, progress: Progress) -> Study:
    if kind == "has-no-data":
        raise InputError("data /nowhere: expected a folder, got none there")
    toy = Toy(name, kind)
    for sentence in toy.says:
        progress.say(f"data: {sentence}")
    return toy


def toys(folder: Path, *kinds: str, json: bool = False) -> None:
    """Run toy studies as `shoal demo` runs its own."""
    names = dict(word.split("=") for word in kinds)
    tasks = [Task(name, f"toys {name}", partial(prepare, name, kind), 1.0) for name, kind in names.items()]
    with showing_overview(list(names)) as overview:
        run_all(tasks, folder, overview)
    tell(tasks, folder, json=json)


if __name__ == "__main__":
    clean = {**describe_environment(seed=0, device="", why=""), "commit": "abc1234"}
    study.describe_environment = describe_environment = lambda **_: dict(clean)
    cli.app.command(toys)
    cli.main(["toys", *sys.argv[1:]])
