"""The summarizer's study: its losses and what they tell, its summaries, and what linear attention costs.

    result = SummarizeStudy(SummarizeConfig(data="debian-descriptions", budget="full")).run("runs/summarize")

Four trainings: the summarizer; one with exact and one with linear attention, in the same time; and one that sees few
pairs again and again, so that it overfits. Test rows are written of and scored once, at the end.
"""

import time
from typing import Any

from shoal.data.texts import TextSplits, digest_of, find_best_texts, with_test_rows
from shoal.engine import Progress, RunFolder, choose_device, describe_environment
from shoal.errors import wrong
from shoal.studies.repeating import name_run, plain_settings, repeating_command
from shoal.studies.result import Result
from shoal.studies.study import Study
from shoal.studies.summarize_claims import all_claims
from shoal.studies.summarize_config import SummarizeConfig, resolve
from shoal.studies.summarize_measurements import config_of, measure
from shoal.studies.summarize_pictures import pictures
from shoal.studies.summarize_story import tell
from shoal.studies.summarize_tables import summary, tables

LEAST_ROWS = 20  # pairs of a part, to say anything


class SummarizeStudy(Study):
    """The study on its texts, ready to run.

    Args:
        config: the settings; what is 0 or empty follows the budget.
        notes: what the lab notebook holds besides: who, with whom, resources, time spent.

    Raises:
        InputError: if a setting is wrong or the texts cannot be used.
    """

    name = "summarize"

    def __init__(self, config: SummarizeConfig, notes: dict[str, str] | None = None):
        self.config, self.notes = resolve(config), notes or {}
        config_of(self.config, attention=self.config.attention)  # refuses wrong settings before texts are read
        choose_device(self.config.device)
        began = time.monotonic()
        found = find_best_texts(self.config.data or None, offline=self.config.offline, seed=self.config.seed)
        self.splits = with_test_rows(found, seed=self.config.seed)
        self.reading = time.monotonic() - began
        for part in ("train", "validation", "test"):
            if len(getattr(self.splits, part)) < LEAST_ROWS:
                expected = f"at least {LEAST_ROWS} pairs in each part"
                raise wrong("data", expected=expected, got=str(self.splits))
        settings = {key: value for key, value in plain_settings(self.config).items() if key not in ("data", "offline")}
        splits = self.splits
        digest = digest_of(splits.train, splits.validation, splits.test)
        data = {"name": splits.name, "rows": len(splits.train), "sha256": digest}
        self.identity = {"study": self.name, "settings": settings, "data": data}
        self.run_name = name_run(self.name, self.config.budget, self.identity, self.splits.name)
        self.says = tuple(filter(None, (f"{self.splits} ({self.splits.why})", self.splits.better)))

    def _run(self, run: RunFolder, progress: Progress) -> Result:
        config, splits = self.config, self.splits
        device, why = choose_device(config.device)
        environment = describe_environment(seed=config.seed, device=str(device), why=why)
        run.record_environment(environment)
        began = time.monotonic()
        measured, summarizer, looked, seconds = measure(config, splits, run, progress)
        summarizer.save_pretrained(run.path / "model")
        trained = sum(seconds.values())
        result = Result(
            study=self.name,
            title="A summarizer that says when it overfits",
            summary=summary(measured, summarizer),
            command=repeating_command(
                self.name,
                config,
                resolve(SummarizeConfig(budget=config.budget)),
                given=("--data", splits.data or splits.name),
                left_out=("data", "offline"),
            ),
            settings=plain_settings(config),
            environment=environment | {"precision": measured.history.precision},
            data=_about(splits),
            claims=all_claims(measured),
            tables=tables(measured),
            pictures=pictures(measured, looked),
            seconds={"read the texts": self.reading, **seconds, "write and score": time.monotonic() - began - trained},
            notes=self.notes,
        )
        return tell(result)


def _about(splits: TextSplits) -> dict[str, Any]:
    """What the report says of the texts."""
    found = {
        "name": splits.name,
        "source": splits.source,
        "terms": splits.terms,
        "why": splits.why,
        "better": splits.better,
        "training": len(splits.train),
        "validation": len(splits.validation),
        "test": len(splits.test),
    }
    return {key: value for key, value in found.items() if value}
