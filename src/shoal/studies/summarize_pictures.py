"""Pictures of the summarizer's study: curves with the verdict, summaries, what it looked at, costs."""

from typing import Any

from shoal.studies.result import Picture
from shoal.studies.summarize_asked_page import losses_picture
from shoal.studies.summarize_measured import Measured
from shoal.summarize import Explanation

WORDS = 60  # of a document that are shown


def pictures(m: Measured, looked: Explanation) -> tuple[Picture, ...]:
    """In the order of the report."""
    return (
        losses_picture(m.history, m.verdict, id="losses", title="Losses of the summarizer"),
        losses_picture(
            m.overfit_history,
            m.overfit_verdict,
            id="losses_overfit",
            title=f"Losses of one that sees {m.overfit_rows:,} pairs again and again",
        ),
        _examples(m),
        *attention_pictures(looked),
        _compared(m),
        _costs(m),
    )


def _examples(m: Measured) -> Picture:
    """Picked by the seed, not by hand."""
    return Picture(
        id="examples",
        title=f"{len(m.examples)} summaries, picked by the seed",
        kind="passages",
        rows=tuple(
            {
                "text": _short(one.document),
                "said": (("by people", one.reference), ("4 beams", one.beams), ("greedy", one.greedy)),
            }
            for one in m.examples
        ),
    )


def _short(text: str) -> str:
    words = text.split()
    return " ".join(words[:WORDS]) + (" …" if len(words) > WORDS else "")


def _compared(m: Measured) -> Picture:
    named = {"exact": m.exact_history, "linear": m.linear_history}
    rows = tuple(
        {"x": row["seconds"] / 60, "y": row["validation_loss"], "series": name}
        for name, history in named.items()
        for row in history.rows
    )
    return Picture(
        id="exact_linear",
        title="Exact and linear attention in the same time",
        kind="lines",
        rows=rows,
        x="minutes",
        y="validation loss (nats per token)",
        note=f"The same model, texts and minutes; linear attention with {m.map}.",
    )


def _costs(m: Measured) -> Picture:
    return Picture(
        id="cost_by_length",
        title="A training step by length of the document",
        kind="lines",
        rows=tuple({"x": cost.length, "y": cost.seconds, "series": cost.attention} for cost in m.costs),
        x="tokens of the document",
        y="seconds a step",
        log_x=True,
        log_y=True,
        note="As many documents as make 8,192 tokens.",
    )


def attention_pictures(looked: Explanation) -> tuple[Picture, ...]:
    """The encoder's attention, what the summary looked at, and how likely each of its tokens was copied.

    Args:
        looked: at one document.
    """
    document, summary = _numbered(looked.document), _numbered(looked.summary)
    reading = looked.reading[-1].mean(0)  # (N, N), the last layer, its heads together
    looking = looked.looking[-1].mean(0)  # (L, N)
    found = [
        _heatmap("reading", "Attention inside the document", document, document, reading.tolist(), "of the document"),
        _heatmap(
            "looking", "What each word of the summary looks at", document, summary, looking.tolist(), "of the summary"
        ),
    ]
    if looked.copied is not None:
        found.append(
            Picture(
                id="copied",
                title="How much of each word is copied",
                kind="bars",
                rows=tuple(
                    {"x": word, "y": 100 * float(share)} for word, share in zip(summary, looked.copied, strict=True)
                ),
                x="token of the summary",
                y="probability that it is copied (%)",
                note="Of the probability that the token got, the part that came from copying.",
            )
        )
    return tuple(found)


def _heatmap(
    name: str, title: str, columns: list[str], rows: list[str], values: list[list[float]], what: str
) -> Picture:
    cells: list[dict[str, Any]] = [
        {"x": column, "y": row, "value": value}
        for row, line in zip(rows, values, strict=True)
        for column, value in zip(columns, line, strict=True)
    ]
    return Picture(
        id=name,
        title=title,
        kind="heatmap",
        rows=tuple(cells),
        x="token of the document",
        y=f"token {what}",
        note="The last layer, the mean of its heads; each row sums to 1.",
    )


def _numbered(pieces: tuple[str, ...]) -> list[str]:
    """Pieces that can be told apart: the second "the" is another place."""
    return [f"{at + 1} {piece.strip() or '␠'}" for at, piece in enumerate(pieces)]
