"""Made-up measurements of the summarizer's study."""

from dataclasses import replace
from typing import Any

import torch

from shoal.engine import History
from shoal.measure import Interval
from shoal.studies.summarize_measured import Cost, Example, Judged, Measured, Remembering
from shoal.summarize import Explanation, Verdict, baselines, score
from shoal.summarize.verdict import Kind

DOCUMENTS = ["the cat sat on the mat and slept all day", "a dog ran after the ball in the park today"] * 10
SUMMARIES = ["the cat slept all day", "a dog ran in the park"] * 10


def history(*, rise: float = 0.0, shift: float = 0.2) -> History:
    """Losses that fall over four epochs; the validation loss may rise in the second half."""
    rows = []
    for at in range(1, 41):
        wobble = 0.004 * (-1) ** (at // 2)
        late = max(0, at - 20) / 20
        fallen = 2 + 2 / at
        held_back = fallen + rise * late + wobble
        losses = {"train_loss": fallen - 0.3 * rise * late, "held_back_loss": held_back}
        losses["validation_loss"] = held_back + shift - 0.5 * wobble
        rows.append({"step": 10 * at, "epoch": at / 10, "seconds": 3.0 * at, **losses})
    return History(rows=rows, precision="fp32", seconds=120.0)


def verdict(kind: Kind) -> Verdict:
    """As `diagnose` says it of such losses; fitting curves takes a second."""
    overfit = kind == "overfit"
    return Verdict(
        kind=kind,
        step=200 if overfit else None,
        gap=1.3 if overfit else 0.0,
        low=0.0,
        high=1.4,
        shift=Interval(0.2, 0.19, 0.21),
        rise=Interval(0.98, 0.9, 1.1) if overfit else None,
        recent=Interval(0.4, 0.3, 0.5) if overfit else Interval(-0.01, -0.015, -0.005),
        confidence=0.95,
        why=f"{kind.capitalize()}: made up.",
    )


def measured(**changes: Any) -> Measured:
    """All of it; name what is to be otherwise."""
    good, bad = history(), history(rise=1.0)
    found = Measured(
        history=good,
        verdict=verdict("good"),
        overfit_history=bad,
        overfit_verdict=verdict("overfit"),
        overfit_rows=150,
        exact_history=good,
        linear_history=history(),
        map="elu, 64 features",
        greedy=score(["a dog and a cat"] * 20, SUMMARIES),
        beams=score(SUMMARIES, SUMMARIES),
        baselines=baselines(DOCUMENTS, SUMMARIES),
        costs=tuple(
            Cost(length=length, attention=name, seconds=seconds, memory=10**6)
            for length in (128, 1024)
            for name, seconds in (("exact", length / 128), ("linear", 1.0))
        ),
        remembering=Remembering(tokens=128, rows=32, apart=1e-7, times=(8.0, 8.2, 8.1)),
        judged=Judged(curves=200, right=199, calm=100, false_alarms=0),
        examples=(Example(document=DOCUMENTS[0], reference=SUMMARIES[0], greedy="a cat", beams=SUMMARIES[0]),),
        distinct_beams=20,
        test_rows=20,
    )
    return replace(found, **changes)


def looked() -> Explanation:
    """At a document of three tokens, for a summary of two."""
    return Explanation(
        document=("the", "cat", "slept"),
        summary=("cat", "slept"),
        reading=torch.full((1, 2, 3, 3), 1 / 3),
        looking=torch.full((1, 2, 2, 3), 1 / 3),
        copied=torch.tensor([0.9, 0.5]),
        copied_from=torch.full((2, 3), 1 / 3),
    )
