"""What `shoal summarize fit` writes of a training: a row of CSV for every look, and a page with the curves."""

import csv
import io
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shoal.engine import History
from shoal.measure import count_parameters
from shoal.studies.result import Picture, Result, Table
from shoal.studies.summarize_asked import Asked, Fitted
from shoal.summarize import Summarizer, Verdict

CURVES = {
    "train_loss": "training",
    "held_back_loss": "held back from training",
    "distinct_loss": "held back, nothing alike in training",
    "validation_loss": "validation",
}


def answer(summarizer: Summarizer, asked: Asked, folder: Path) -> Fitted:
    """The training in plain values.

    Args:
        summarizer: trained.
        asked: texts.
        folder: of the model.
    """
    history, verdict = summarizer.history, summarizer.verdict
    last = history.rows[-1]
    return Fitted(
        model=str(folder),
        data=list(asked.says),
        parameters=count_parameters(summarizer.model),
        steps=last["step"],
        epochs=last["epoch"],
        minutes=history.seconds / 60,
        losses={name: last[name] for name in CURVES if name in last},
        verdict=str(verdict) if verdict else "too few looks at the losses for a verdict",
        kind=verdict.kind if verdict else "",
        files={name: str(folder / file) for name, file in (("losses", "losses.csv"), ("page", "losses.html"))},
    )


def write_losses(history: History) -> str:
    """All rows of the history as CSV: training and validation losses in one file."""
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in history.rows for name in row))
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history.rows)
    return text.getvalue()


def losses_picture(history: History, verdict: Verdict | None, *, id: str = "losses", title: str = "Losses") -> Picture:
    """All losses over the steps, and where the verdict says that validation began to rise."""
    rows: list[dict[str, Any]] = [
        {"x": row["step"], "y": row[name], "series": words}
        for name, words in CURVES.items()
        for row in history.rows
        if name in row
    ]
    if verdict and verdict.step is not None:
        at = min(history.rows, key=lambda row: abs(row["step"] - float(verdict.step or 0)))
        mark = {"mark": "point", "label": "overfits from here"}
        rows.append({"x": at["step"], "y": at["validation_loss"], "series": CURVES["validation_loss"], **mark})
    return Picture(
        id=id,
        title=title,
        kind="lines",
        rows=tuple(rows),
        x="step",
        y="loss (nats per token)",
        note="Training loss is measured with dropout, as it is trained. A gap that is there from the start is a shift "
        "between groups of texts; one that opens later is learning by heart.",
    )


def losses_table(history: History) -> Table:
    """The same as numbers, twelve rows of it."""
    names = [name for name in CURVES if name in history.rows[-1]]
    every = max(1, len(history.rows) // 12)
    shown = [row for at, row in enumerate(history.rows) if at % every == 0 or at == len(history.rows) - 1]
    return Table(
        id="losses",
        title="Losses (nats per token)",
        columns=("step", "epoch", *(CURVES[name] for name in names)),
        rows=tuple((row["step"], row["epoch"], *(row[name] for name in names)) for row in shown),
    )


def page_of(summarizer: Summarizer, found: Fitted, words: Sequence[str], about: dict[str, Any]) -> Result:
    """The page, as `shoal.report` draws it.

    Args:
        summarizer: trained.
        found: the same in plain values.
        words: of the command.
        about: machine and time.
    """
    history = summarizer.history
    return Result(
        study="summarize fit",
        title="A summarizer and its losses",
        summary=(found.verdict,),
        command=shlex.join(words),
        settings=summarizer.about["settings"],
        environment=about["environment"] | {"precision": history.precision},
        data={"texts": "; ".join(found.data)},
        tables=(losses_table(history),),
        pictures=(losses_picture(history, summarizer.verdict),),
        seconds={"train": history.seconds},
    )
