"""All measurements of the summarizer's study: four trainings, scores on rows that nothing looked at before, costs."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor

from shoal.data.texts import TextPairs, TextSplits
from shoal.engine import Progress, RunFolder, stream
from shoal.studies.measured_rows import Row, Rows
from shoal.studies.summarize_config import SummarizeConfig
from shoal.studies.summarize_costs import cost_of, remembering_of
from shoal.studies.summarize_measured import Cost, Example, Judged, Measured, Remembering
from shoal.summarize import (
    Explanation,
    Summarizer,
    SummarizerConfig,
    Tokenizer,
    WritingRules,
    baselines,
    diagnose,
    explain,
    fit,
    score,
    simulate,
)
from shoal.summarize.token_batches import pad

GREEDY, BEAMS = WritingRules(num_beams=1), WritingRules(num_beams=4)
WRITING_ROWS = 32  # documents that are written of with and without memory
EPOCHS = 400.0  # more than any of the trainings makes
MOST_WORDS = 40  # of a document whose attention is drawn


def config_of(config: SummarizeConfig, **changes: Any) -> SummarizerConfig:
    """Of the summarizer.

    Args:
        config: of the study, resolved.
        changes: of one training.
    """
    plain = SummarizerConfig(
        minutes=config.minutes,
        epochs=EPOCHS,
        size=config.size,
        precision=config.precision,
        device=config.device,
        seed=config.seed,
    )
    return replace(plain, **changes)


def measure(
    config: SummarizeConfig, splits: TextSplits, run: RunFolder | None, progress: Progress
) -> tuple[Measured, Summarizer, Explanation, dict[str, float]]:
    """Train, then score.

    Args:
        config: resolved.
        splits: texts.
        run: where checkpoints are kept.
        progress: told how it goes.

    Returns:
        What was measured, the summarizer, what it looked at in one document, and seconds by part.
    """
    trained = _train(config, splits, run, progress)
    summarizer, rows = trained["summarizer"], Rows(run)
    progress.say("writing summaries of test rows")
    test = splits.test.take(_some(len(splits.test), config.test_rows, config.seed))
    greedy, beams = (
        rows.once(
            "write summaries",
            {"beams": rules.num_beams},
            lambda rules=rules: {"written": summarizer.write(test.documents, rules)},
        )["written"]
        for rules in (GREEDY, BEAMS)
    )
    progress.say("scoring them, and timing steps by length")
    picked = _some(len(test), config.shown, config.seed + 1)
    source = pad(summarizer.encode(test.documents[:WRITING_ROWS]).sources)
    measured = Measured(
        history=summarizer.history,
        verdict=summarizer.verdict,
        overfit_history=trained["overfit"].history,
        overfit_verdict=trained["overfit"].verdict,
        overfit_rows=min(config.overfit_rows, len(splits.train)),
        exact_history=trained["exact"].history,
        linear_history=trained["linear"].history,
        map=f"{config.attention}, {config.features} features",
        greedy=score(greedy, test.references),
        beams=score(beams, test.references),
        baselines=baselines(test.documents, test.references),
        costs=tuple(cost for length in config.lengths for cost in _costs(config, length, rows)),
        remembering=_remembering(summarizer, source, rows),
        judged=judge_simulated(config.curves),
        examples=tuple(
            Example(document=test.documents[row], reference=test.summaries[row], greedy=greedy[row], beams=beams[row])
            for row in picked
        ),
        distinct_beams=len(set(beams)),
        test_rows=len(test),
    )
    seconds = {f"train: {name}": model.history.seconds for name, model in trained.items()}
    short = [row for row in picked if len(test.documents[row].split()) <= MOST_WORDS] or picked
    return measured, summarizer, explain(summarizer, test.documents[short[0]]), seconds


def _train(
    config: SummarizeConfig, splits: TextSplits, run: RunFolder | None, progress: Progress
) -> dict[str, Summarizer]:
    """The summarizer; two in the same time, with exact and with linear attention; one that sees few pairs."""
    few = splits.train.take(_some(len(splits.train), config.overfit_rows, config.seed))
    compared: dict[str, Any] = {"minutes": config.compare_minutes}
    linear: dict[str, Any] = {"attention": config.attention, "features": config.features}
    by_heart: dict[str, Any] = {
        "patience": 0,
        "dropout": 0.0,
        "label_smoothing": 0.0,
        "vocabulary": 2000,
        "watched": 200,
    }

    def train(part: str, pairs: TextPairs, tokenizer: Tokenizer | None = None, **changes: Any) -> Summarizer:
        how = config_of(config, **changes)
        return fit(pairs, splits.validation, how, tokenizer=tokenizer, run=run, part=part, progress=progress)

    summarizer = train("summarizer", splits.train)
    same = summarizer.tokenizer  # what the next two would learn from the same texts
    return {
        "summarizer": summarizer,
        "exact": train("exact", splits.train, same, **compared),
        "linear": train("linear", splits.train, same, **compared, **linear),
        "overfit": train("overfit", few, minutes=config.overfit_minutes, **by_heart),
    }


def _costs(config: SummarizeConfig, length: int, rows: Rows) -> Iterator[Cost]:
    """Of a step at one length, exact and linear; timed once, however often the run is started."""

    def time_steps() -> Row:
        return {
            "costs": [asdict(cost) for cost in cost_of(length, config.attention, config.features, seed=config.seed)]
        }

    for cost in rows.once("time steps", {"length": length}, time_steps)["costs"]:
        yield Cost(**cost)


def _remembering(summarizer: Summarizer, source: Tensor, rows: Rows) -> Remembering:
    """Timed once as well."""

    def time_writing() -> Row:
        return {"found": asdict(remembering_of(summarizer.model, source.to(summarizer.device)))}

    found = rows.once("time writing", {"documents": len(source)}, time_writing)["found"]
    return Remembering(**found | {"times": tuple(found["times"])})


def judge_simulated(curves: int) -> Judged:
    """What the verdict says of curves of known truth.

    Args:
        curves: how many.
    """
    judged = [(curve.overfits, diagnose(curve.rows).kind == "overfit") for curve in map(simulate, range(curves))]
    calm = [said for overfits, said in judged if not overfits]
    right = sum(overfits == said for overfits, said in judged)
    return Judged(curves=curves, right=right, calm=len(calm), false_alarms=sum(calm))


def _some(rows: int, most: int, seed: int) -> list[int]:
    order = torch.randperm(rows, generator=stream(seed, "some rows"))
    return order[:most].tolist()
