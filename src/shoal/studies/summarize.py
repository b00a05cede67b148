"""The summarizer's study: its losses and what they tell, its summaries, and what linear attention costs.

    result = SummarizeStudy(SummarizeConfig(data="debian-descriptions", budget="full")).run("runs/summarize")

Four trainings: the summarizer; one with exact and one with linear attention, in the same time; and one that sees few
pairs again and again, so that it overfits. Test rows are written of and scored once, at the end.
"""

import hashlib
import re
import time
from pathlib import Path
from typing import Any

from shoal.data.texts import TextSplits, find_best_texts
from shoal.engine import Progress, RunFolder, Silent, choose_device, describe_environment
from shoal.errors import wrong
from shoal.studies.repeating import plain_settings, repeating_command, short_digest
from shoal.studies.result import Result
from shoal.studies.summarize_claims import all_claims
from shoal.studies.summarize_config import SummarizeConfig, resolve
from shoal.studies.summarize_measurements import config_of, measure
from shoal.studies.summarize_pictures import examples_table, pictures
from shoal.studies.summarize_tables import summary, tables

LEAST_ROWS = 20  # pairs of a part, to say anything


class SummarizeStudy:
    """The study on its texts, ready to run.

    Args:
        config: the settings; what is 0 or empty follows the budget.
        notes: what the lab notebook holds besides: who, with whom, resources, time spent.

    Attributes:
        name: "summarize".
        run_name: a name for the run folder that tells budgets, texts and settings apart.
        says: what was taken for texts, why, and how to get better ones, a sentence each.

    Raises:
        InputError: if a setting is wrong or the texts cannot be used.
    """

    name = "summarize"

    def __init__(self, config: SummarizeConfig, notes: dict[str, str] | None = None):
        self.config, self.notes = resolve(config), notes or {}
        config_of(self.config, attention=self.config.attention)  # refuses wrong settings before texts are read
        choose_device(self.config.device)
        began = time.monotonic()
        self.splits = find_best_texts(self.config.data or None, offline=self.config.offline, seed=self.config.seed)
        self.reading = time.monotonic() - began
        for part in ("train", "validation", "held_out"):
            if len(getattr(self.splits, part)) < LEAST_ROWS:
                expected = f"at least {LEAST_ROWS} pairs in each part"
                raise wrong("data", expected=expected, got=str(self.splits))
        settings = {key: value for key, value in plain_settings(self.config).items() if key not in ("data", "offline")}
        self.identity = {"study": self.name, "settings": settings, "data": _identity(self.splits)}
        name = re.sub(r"[^A-Za-z0-9_.-]+", "-", self.splits.name)
        self.run_name = f"summarize-{self.config.budget}-{name}-{short_digest(self.identity)}"
        self.says = tuple(filter(None, (f"{self.splits} ({self.splits.why})", self.splits.better)))

    def run(self, folder: str | Path | None = None, progress: Progress | None = None) -> Result:
        """Train, write and score, and say what follows.

        Args:
            folder: run folder for checkpoints, metrics and the result; goes on where a run stopped.
            progress: told how it goes.

        Returns:
            Tables, pictures and claims; also written to `folder`/result.json.

        Raises:
            InputError: if the folder belongs to a run with other settings or texts.
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
        began = time.monotonic()
        measured, summarizer, looked, seconds = measure(config, splits, run, progress)
        if run:
            summarizer.save_pretrained(run.path / "model")
        trained = sum(seconds.values())
        return Result(
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
            tables=(*tables(measured), examples_table(measured)),
            pictures=pictures(measured, looked),
            seconds={"read the texts": self.reading, **seconds, "write and score": time.monotonic() - began - trained},
            notes=self.notes,
        )


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
        "test": len(splits.test) or "none; scored on the validation pairs",
    }
    return {key: value for key, value in found.items() if value}


def _identity(splits: TextSplits) -> dict[str, Any]:
    """What tells these texts from others: a run must not go on with others."""
    digest = hashlib.sha256()
    for pairs in (splits.train, splits.validation, splits.test):
        for text in (*pairs.documents, *pairs.summaries):
            digest.update(text.encode() + b"\0")
    return {"name": splits.name, "rows": len(splits.train), "sha256": digest.hexdigest()[:16]}
