"""All measurements of the summarizer's study: four trainings, scores on rows that nothing looked at before, costs."""

from dataclasses import replace
from typing import Any

import torch

from shoal.data.texts import TextPairs, TextSplits
from shoal.engine import Progress, RunFolder, stream
from shoal.studies.summarize_config import SummarizeConfig
from shoal.studies.summarize_costs import cost_of, remembering_of
from shoal.studies.summarize_measured import Example, Measured
from shoal.summarize import (
    Explanation,
    Summarizer,
    SummarizerConfig,
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
WRITING_ROWS = 8  # documents that are written of with and without memory
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

    def train(part: str, pairs: TextPairs, **changes: Any) -> Summarizer:
        return fit(pairs, splits.validation, config_of(config, **changes), run=run, part=part, progress=progress)

    summarizer = train("summarizer", splits.train)
    exact = train("exact", splits.train, minutes=config.compare_minutes)
    linear_changes = {"attention": config.attention, "features": config.features}
    linear = train("linear", splits.train, minutes=config.compare_minutes, **linear_changes)
    few = splits.train.take(_some(len(splits.train), config.overfit_rows, config.seed))
    overfit = train(
        "overfit", few, minutes=config.overfit_minutes, dropout=0.0, label_smoothing=0.0, vocabulary=2000, watched=200
    )
    progress.say("writing summaries of test rows")
    test = splits.held_out.take(_some(len(splits.held_out), config.test_rows, config.seed))
    greedy, beams = (summarizer.write(test.documents, rules) for rules in (GREEDY, BEAMS))
    progress.say("scoring them, and timing steps by length")
    judged = [(curve, diagnose(curve.rows).kind == "overfit") for curve in map(simulate, range(config.curves))]
    calm = [said for curve, said in judged if not curve.overfits]
    picked = _some(len(test), config.shown, config.seed + 1)
    source = pad(summarizer.encode(test.documents[:WRITING_ROWS]).sources)
    costs = [
        cost
        for length in config.lengths
        for cost in cost_of(length, config.attention, config.features, seed=config.seed)
    ]
    measured = Measured(
        history=summarizer.history,
        verdict=summarizer.verdict,
        overfit_history=overfit.history,
        overfit_verdict=overfit.verdict,
        overfit_rows=len(few),
        exact_history=exact.history,
        linear_history=linear.history,
        map=f"{config.attention}, {config.features} features",
        greedy=score(greedy, test.references),
        beams=score(beams, test.references),
        baselines=baselines(test.documents, test.references),
        costs=tuple(costs),
        remembering=remembering_of(summarizer.model, source.to(summarizer.device)),
        curves=len(judged),
        right=sum(curve.overfits == said for curve, said in judged),
        false_alarms=sum(calm),
        calm=len(calm),
        examples=tuple(
            Example(document=test.documents[row], reference=test.summaries[row], greedy=greedy[row], beams=beams[row])
            for row in picked
        ),
        distinct_beams=len(set(beams)),
        test_rows=len(test),
    )
    seconds = {
        f"train: {name}": model.history.seconds
        for name, model in {"summarizer": summarizer, "exact": exact, "linear": linear, "overfit": overfit}.items()
    }
    short = [row for row in picked if len(test.documents[row].split()) <= MOST_WORDS] or picked
    return measured, summarizer, explain(summarizer, test.documents[short[0]]), seconds


def _some(rows: int, most: int, seed: int) -> list[int]:
    order = torch.randperm(rows, generator=stream(seed, "some rows"))
    return order[:most].tolist()
