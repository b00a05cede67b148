"""How good summaries become in how many minutes: trained from nothing, scored on rows that nothing was chosen with.

    python -m benchmarks.summarize_quality [debian-5|debian-30|aeslc-10|all]

Debian's package descriptions (2,000 test rows) after 5 and 30 minutes of training, e-mails of AESLC (1,960 development
rows, against their own subjects; a tenth of the training rows is set apart to choose with) after 10: as `shoal
summarize fit` and `score` do it, nothing set but the minutes. Beside it what needs no training: first sentence, leads.
Writes benchmarks/records/summarize-quality.json.
"""

import argparse
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.parts import Parts, run_parts, say
from shoal.data.texts import load_texts, with_test_rows
from shoal.summarize import Rouge, SummarizerConfig, WritingRules, baselines, compare, fit, score

RECORD = Path(__file__).parent / "records" / "summarize-quality.json"
RULES = {"greedy": WritingRules(num_beams=1), "4 beams": WritingRules(num_beams=4)}


def numbers(rouge: Rouge) -> dict[str, list[float]]:
    """Value and ends of each metric."""
    return {name: [of.value, of.low, of.high] for name, of in rouge.metrics.items()}


def measure(data: str, minutes: float, _: argparse.Namespace) -> dict[str, Any]:
    """Train and score."""
    splits = with_test_rows(load_texts(data))
    config = SummarizerConfig(minutes=minutes)
    summarizer = fit(splits.train, splits.validation, config)
    last = summarizer.history.rows[-1]
    say(f"{data}, {minutes:g} minutes: {last}; {summarizer.verdict}")
    rows = splits.test
    references = [[summary] for summary in rows.summaries]
    others = baselines(rows.documents, references)
    found: dict[str, Any] = {name: numbers(others[name]) for name in others}
    ahead: dict[str, Any] = {}
    seconds: dict[str, float] = {}
    for name, rules in RULES.items():
        began = time.perf_counter()
        rouge = score(summarizer.write(rows.documents, rules), references)
        seconds[name] = time.perf_counter() - began
        found[name] = numbers(rouge)
        apart = compare(rouge, others["first sentence"])
        ahead[name] = {metric: [of.value, of.low, of.high] for metric, of in apart.metrics.items()}
        say(f"{name}: {rouge}")
    return {
        "data": data,
        "minutes": minutes,
        "rows": len(rows),
        "model": repr(summarizer),
        "epochs": last["epoch"],
        "losses": {name: value for name, value in last.items() if name.endswith("_loss")},
        "verdict": str(summarizer.verdict),
        "rouge": found,
        "ahead_of_first_sentence": ahead,
        "seconds_to_write": seconds,
    }


PARTS: Parts = {
    "debian-5": partial(measure, "debian-descriptions", 5.0),
    "debian-30": partial(measure, "debian-descriptions", 30.0),
    "aeslc-10": partial(measure, "aeslc", 10.0),
}


if __name__ == "__main__":
    run_parts(__doc__, PARTS, RECORD)
