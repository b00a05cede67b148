"""The early-exit study: a plain network, one with exits and smaller ones, trained apart for the same time.

    result = ExitsStudy(ExitsConfig(data="cifar10", budget="full")).run("runs/exits")

The plain network and the one with exits have the same layers. Thresholds are chosen, and a certificate is asked for, on
validation images; the test images are looked at once, at the end. With the full budget the networks without exits
train on every training image, while the one with exits gives up the validation images: what it is compared with is at
its best.
"""

import time
from typing import Any

from shoal.data.download import Report
from shoal.engine import Progress, RunFolder, choose_device, describe_environment
from shoal.studies.exits_claims import all_claims
from shoal.studies.exits_config import ExitsConfig, resolve
from shoal.studies.exits_data import identity, read_data
from shoal.studies.exits_findings import summary
from shoal.studies.exits_kept import keep_exits
from shoal.studies.exits_measurements import Networks, measure
from shoal.studies.exits_pictures import pictures
from shoal.studies.exits_story import tell
from shoal.studies.exits_tables import tables
from shoal.studies.exits_training import create_early, fit_config, train_early, train_plain, train_smaller
from shoal.studies.repeating import name_run, plain_settings, repeating_command
from shoal.studies.result import Result
from shoal.studies.study import Study


class ExitsStudy(Study):
    """The study on its data, ready to run.

    Args:
        config: the settings; what is 0 follows the budget.
        notes: what the lab notebook holds besides: who, with whom, resources, time spent.
        fetching: told how a fetch of data goes, see `shoal.data.fetch`.

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
        self.identity = {"study": self.name, "settings": _identifying(self.config), "data": identity(self.splits)}
        self.run_name = name_run(self.name, self.config.budget, self.identity, self.splits.name)
        self.says = tuple(filter(None, (f"{self.splits} ({self.about['why']})", self.about["better"])))

    def _run(self, run: RunFolder, progress: Progress) -> Result:
        config, splits = self.config, self.splits
        device, why = choose_device(config.device)
        environment = describe_environment(seed=config.seed, device=str(device), why=why)
        run.record_environment(environment)
        plain, plain_history = train_plain(config, splits, run, progress)
        precision = plain_history.precision
        early, early_history = train_early(config, splits, precision, run, progress)
        smaller = {width: train_smaller(config, splits, width, run, progress) for width in config.smaller}
        trained = time.monotonic()
        progress.say("measuring all networks on the test images")
        networks = Networks(plain, plain_history, early, early_history, smaller)
        findings = measure(config, splits, networks, progress)
        keep_exits(run, early, splits, findings.policy, findings.test_outputs)
        result = Result(
            study=self.name,
            title="Networks that stop early",
            summary=summary(findings),
            command=command(config, self.about["name_or_path"]),
            settings=plain_settings(config),
            environment=environment | {"precision": precision},
            data={key: value for key, value in self.about.items() if key != "name_or_path"},
            claims=all_claims(findings.measured),
            tables=tables(findings),
            pictures=pictures(findings),
            seconds={
                "read the data": self.reading,
                "train the plain network": plain_history.seconds,
                "train the early-exit network": early_history.seconds,
                "train smaller networks": sum(history.seconds for _, history in smaller.values()),
                "measure": time.monotonic() - trained,
            },
            notes=self.notes,
        )
        return tell(result)


def _identifying(config: ExitsConfig) -> dict[str, Any]:
    """The settings that a result depends on; where the data were found is told by their digest instead."""
    return {key: value for key, value in plain_settings(config).items() if key not in ("data", "offline")}


def command(config: ExitsConfig, data: str) -> str:
    """The command that repeats the run: every setting that is not the budget's own.

    Args:
        config: resolved.
        data: the name or path of the data that were found.
    """
    usual = resolve(ExitsConfig(budget=config.budget))
    return repeating_command("exits", config, usual, given=("--data", data), left_out=("data", "offline"))
