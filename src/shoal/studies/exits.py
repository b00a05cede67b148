"""The early-exit study: a plain network and one with exits, trained apart for the same time, compared once.

    result = ExitsStudy(ExitsConfig(data="cifar10", budget="full")).run("runs/exits")

Both networks have the same layers. Thresholds are chosen on validation images, and the test images are looked at
once, at the end. With the full budget the plain network trains on every training image, while the network with
exits gives up the validation images: what it is compared with is at its best.
"""

import hashlib
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from shoal.data import ImageSplits, find_best
from shoal.data.download import Report
from shoal.engine import (
    History,
    Precision,
    Progress,
    RunFolder,
    Silent,
    choose_device,
    describe_environment,
    in_order,
    precision_named,
    stream,
)
from shoal.engine.batches import Prepare
from shoal.errors import wrong
from shoal.exits import Confidence, EarlyExit, choose_policy, exit_outputs, policy_path
from shoal.measure import count_macs, count_parameters
from shoal.studies.exits_claims import Measured, all_claims
from shoal.studies.exits_config import BUDGETS, ExitsConfig, resolve
from shoal.studies.exits_findings import Findings, summary, tables
from shoal.studies.exits_pictures import pictures
from shoal.studies.exits_timing import time_both
from shoal.studies.exits_training import create_early, fit_config, train_early, train_plain
from shoal.studies.repeating import plain_settings, repeating_command, short_digest
from shoal.studies.result import Result


class ExitsStudy:
    """The study on its data, ready to run.

    Args:
        config: the settings; what is 0 follows the budget.
        notes: what the lab notebook holds besides: who, with whom, resources, time spent.
        fetching: told how a fetch of data goes, see `shoal.data.fetch`.

    Attributes:
        name: "exits".
        run_name: a name for the run folder that tells budgets, data sets and settings apart.
        says: what was taken for data, why, and how to get better ones, a sentence each.

    Raises:
        InputError: if a setting is wrong or the data cannot be used.
    """

    name = "exits"

    def __init__(self, config: ExitsConfig, notes: dict[str, str] | None = None, *, fetching: Report | None = None):
        self.config, self.notes = resolve(config), notes or {}
        fit_config(self.config, self.config.precision)  # refuses wrong settings now, not after the first training
        choose_device(self.config.device)
        began = time.monotonic()
        self.splits, self.about = read_data(self.config, fetching)
        self.reading = time.monotonic() - began
        create_early(self.config, self.splits)  # the same for a wrong layer
        self.identity = {"study": self.name, "settings": _identifying(self.config), "data": _identity(self.splits)}
        data_name = re.sub(r"[^A-Za-z0-9_.-]+", "-", self.splits.name)
        self.run_name = f"exits-{self.config.budget}-{data_name}-{short_digest(self.identity)}"
        self.says = tuple(filter(None, (f"{self.splits} ({self.about['why']})", self.about["better"])))

    def run(self, folder: str | Path | None = None, progress: Progress | None = None) -> Result:
        """Train both networks, choose thresholds, look at the test images once, and say what follows.

        Args:
            folder: run folder for checkpoints, metrics and the result; goes on where a run stopped.
            progress: told how it goes.

        Returns:
            Tables, pictures and claims; also written to `folder`/result.json.

        Raises:
            InputError: if the folder belongs to a run with other settings or data.
            ShoalError: if training diverges or a file cannot be written.
        """
        if folder is None:
            return self._run(None, progress or Silent())
        with RunFolder(folder, self.identity) as run:
            result = self._run(run, progress or Silent())
            result.save(run.path / "result.json")
        return result

    def _run(self, run: RunFolder | None, progress: Progress) -> Result:
        config, splits = self.config, self.splits
        device, why = choose_device(config.device)
        environment = describe_environment(seed=config.seed, device=str(device), why=why)
        if run:
            run.record_environment(environment)
        plain, plain_history = train_plain(config, splits, run, progress)
        early, early_history = train_early(config, splits, plain_history.precision, run, progress)
        trained = time.monotonic()
        progress.say("measuring both networks on the test images")
        findings = measure(config, splits, plain, early, plain_history, early_history)
        return Result(
            study=self.name,
            title="Networks that stop early",
            summary=summary(findings),
            command=command(config, self.about["name_or_path"]),
            settings=plain_settings(config),
            environment=environment | {"precision": plain_history.precision},
            data={key: value for key, value in self.about.items() if key != "name_or_path"},
            claims=all_claims(findings.measured),
            tables=tables(findings),
            pictures=pictures(findings),
            seconds={
                "read the data": self.reading,
                "train the plain network": plain_history.seconds,
                "train the early-exit network": early_history.seconds,
                "measure": time.monotonic() - trained,
            },
            notes=self.notes,
        )


def _identifying(config: ExitsConfig) -> dict[str, Any]:
    """The settings that a result depends on; where the data were found is told by their digest instead."""
    return {key: value for key, value in plain_settings(config).items() if key not in ("data", "offline")}


def _identity(splits: ImageSplits) -> dict[str, Any]:
    """What tells these data from others: a run must not go on with other images."""
    digest = hashlib.sha256()
    for part in (splits.train, splits.validation, splits.test):
        digest.update(part.labels.numpy().tobytes())
        digest.update(part.images[:: max(1, len(part) // 64)].contiguous().numpy().tobytes())
    return {"name": splits.name, "rows": len(splits.train), "sha256": digest.hexdigest()[:16]}


FOLDER_SIZE = 32  # pixels: what the study's networks are made for
TEST_ROWS = 10_000  # enough for half a point
QUICK_TEST_ROWS = 2_000


def read_data(config: ExitsConfig, fetching: Report | None = None) -> tuple[ImageSplits, dict[str, Any]]:
    """The data of the run, and what the report says about them."""
    budget = BUDGETS[config.budget]
    choice = find_best(
        config.data or None,
        size=config.image_size or None,
        folder_size=FOLDER_SIZE,
        offline=config.offline,
        default_validation=budget.validation,
        seed=config.seed,
        progress=fetching,
    )
    splits = choice.splits
    rows = min(len(splits.test), QUICK_TEST_ROWS if config.budget == "quick" else TEST_ROWS)
    # In a random order: a folder's images are sorted by class, and batches of one class would mislead the timing.
    order = torch.randperm(len(splits.test), generator=stream(config.seed, "test order"))[:rows]
    splits = replace(splits, test=splits.test.take(order))
    about = {
        "name": splits.name,
        "name_or_path": config.data or choice.data,
        "source": splits.source,
        "why": choice.why,
        "better": choice.better,
        "classes": len(splits.classes),
        "image": "×".join(map(str, splits.shape)),
        "training": len(splits.train),
        "validation": len(splits.validation),
        "test": len(splits.test),
    }
    if not len(splits.validation):
        raise wrong("data", expected="enough images for a validation split", got=str(splits))
    return splits, about


def command(config: ExitsConfig, data: str) -> str:
    """The command that repeats the run: every setting that is not the budget's own.

    Args:
        config: resolved.
        data: the name or path of the data that were found.
    """
    usual = resolve(ExitsConfig(budget=config.budget))
    return repeating_command("exits", config, usual, given=("--data", data), left_out=("data", "offline"))


@torch.no_grad()
def logits_of_plain(
    model: nn.Module, data: tuple[Tensor, Tensor], *, prepare: Prepare, precision: Precision, device: torch.device
) -> Tensor:
    """Logits [n, classes] of the plain network, on the CPU."""
    model.eval()
    found = []
    for inputs, _ in in_order(data, prepare=prepare):
        with precision.autocast(device):
            found.append(model(precision.place(inputs, device)).float().cpu())
    return torch.cat(found)


def measure(
    config: ExitsConfig,
    splits: ImageSplits,
    plain: nn.Module,
    early: EarlyExit,
    plain_history: History,
    early_history: History,
) -> Findings:
    """Choose on the validation images, then look at the test images once."""
    precision = precision_named(plain_history.precision)
    device, _ = choose_device(config.device)
    options: dict[str, Any] = {"prepare": splits.normalise, "precision": precision, "device": device}
    seen = exit_outputs(early, splits.validation.pair, **options)
    policy = choose_policy(seen, Confidence, max_accuracy_drop=config.max_accuracy_drop)
    path = policy_path(seen, Confidence)
    test = splits.test.pair
    outputs = exit_outputs(early, test, **options)
    plain_logits = logits_of_plain(plain, test, **options)
    sample = splits.normalise(test[0][:512])
    plain_macs = count_macs(plain, sample[:1].to(device)).total
    timing = time_both(plain, early, policy, sample, precision=precision, device=device)
    exit_index, right, macs = outputs.replay(policy)
    _, bold_right, bold_macs = outputs.replay(path[0])
    measured = Measured(
        plain_right=plain_logits.argmax(1) == outputs.labels,
        early_right=right,
        early_macs=macs,
        plain_macs=plain_macs,
        exit_index=exit_index,
        exits=len(early.at) + 1,
        right_by_exit=outputs.right,
        bold_right=bold_right,
        bold_macs=bold_macs,
        speed_ups=timing.speed_ups,
        timed_macs=float(macs[: len(sample)].double().mean()),
        batch_size=timing.batch_size,
        minutes=(plain_history.seconds / 60, early_history.seconds / 60),
    )
    return Findings(
        max_accuracy_drop=config.max_accuracy_drop,
        splits=splits,
        at=early.at,
        parameters=(count_parameters(plain), count_parameters(early)),
        plain_history=plain_history,
        early_history=early_history,
        plain_rows=len(splits.train) + len(splits.validation) * BUDGETS[config.budget].plain_trains_on_all,
        policy=policy,
        path=path,
        test_outputs=outputs,
        plain_logits=plain_logits,
        plain_macs=plain_macs,
        timing=timing,
        measured=measured,
    )
