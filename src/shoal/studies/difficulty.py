"""The difficulty study: how deep into a network each image has to go, and what makes it hard.

    result = DifficultyStudy(DifficultyConfig(data="cifar10", budget="full")).run("runs/difficulty")

A network is trained and watched, and another of the next seed. Probes at its layers ask the nearest training images;
the test images are looked at once, after both trainings. What people said of the images is for the analysis only.
"""

import time
from typing import Any

from shoal.data.download import Report
from shoal.difficulty.features import find_layers
from shoal.engine import Progress, RunFolder, choose_device, describe_environment
from shoal.studies.difficulty_claims import all_claims
from shoal.studies.difficulty_config import DifficultyConfig, resolve
from shoal.studies.difficulty_data import read_images
from shoal.studies.difficulty_findings import summary
from shoal.studies.difficulty_kept import keep_difficulty
from shoal.studies.difficulty_measurements import measure
from shoal.studies.difficulty_pictures import pictures
from shoal.studies.difficulty_story import tell
from shoal.studies.difficulty_tables import tables
from shoal.studies.difficulty_training import create_network, fit_config, train, train_second
from shoal.studies.measured_rows import Rows
from shoal.studies.repeating import name_run, plain_settings, repeating_command
from shoal.studies.result import Result
from shoal.studies.study import Study


class DifficultyStudy(Study):
    """The study on its data, ready to run.

    Args:
        config: the settings; what is 0 follows the budget.
        notes: what the lab notebook holds besides: who, with whom, resources, time spent.
        fetching: told how a fetch of data goes, see `shoal.data.fetch`.

    Raises:
        InputError: if a setting is wrong or the data cannot be used.
        ShoalError: if a file of people's votes is damaged.
    """

    name = "difficulty"

    def __init__(
        self, config: DifficultyConfig, notes: dict[str, str] | None = None, *, fetching: Report | None = None
    ):
        self.config, self.notes = resolve(config), notes or {}
        fit_config(self.config, self.config.precision)  # refuses wrong settings now, not after the first training
        choose_device(self.config.device)
        began = time.monotonic()
        self.images = read_images(self.config, fetching)
        self.reading = time.monotonic() - began
        splits, about = self.images.splits, self.images.about
        network = create_network(self.config, splits)
        layers = list(self.config.layers) or None
        self.layers = find_layers(network, splits.validation.pair, layers, prepare=splits.normalise)
        settings = {k: v for k, v in plain_settings(self.config).items() if k not in ("data", "offline")}
        self.identity = {"study": self.name, "settings": settings, "data": self.images.identity}
        self.run_name = name_run(self.name, self.config.budget, self.identity, splits.name)
        people = f"{about['people']}, beside them" if "people" in about else ""
        self.says = tuple(filter(None, (f"{splits} ({about['why']})", people, about["better"])))

    def _run(self, run: RunFolder, progress: Progress) -> Result:
        config, images = self.config, self.images
        device, why = choose_device(config.device)
        environment = describe_environment(seed=config.seed, device=str(device), why=why)
        run.record_environment(environment)
        network = train(config, images, run, progress)
        precision = network.history.precision
        second = train_second(config, images, precision, run, progress)
        rows = Rows(run)
        measured = measure(config, images, self.layers, (network, second), rows, progress)
        keep_difficulty(run, network.model, self.layers, config, images, measured.test)
        began = time.monotonic()
        progress.say("working out claims, tables and pictures")
        found: dict[str, Any] = {
            "summary": summary(measured),
            "claims": all_claims(measured),
            "tables": tables(measured),
            "pictures": pictures(measured, images),
        }
        result = Result(
            study=self.name,
            title="How deep each image has to go",
            command=self._command(),
            settings=plain_settings(config),
            environment=environment | {"precision": precision},
            data={key: value for key, value in images.about.items() if value and key != "name_or_path"},
            seconds={
                "read the data": self.reading,
                "train the network": network.history.seconds,
                "train the second network": second.history.seconds,
                **rows.seconds(),
                "work out the claims": time.monotonic() - began,
            },
            notes=self.notes,
            **found,
        )
        return tell(result)

    def _command(self) -> str:
        """The command that repeats the run: every setting that is not the budget's own."""
        usual = resolve(DifficultyConfig(budget=self.config.budget))
        given = ("--data", self.images.about["name_or_path"])
        return repeating_command(self.name, self.config, usual, given=given, left_out=("data", "offline"))
