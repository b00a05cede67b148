"""Tables and the summary of the summarizer's study."""

import torch

from shoal.measure import count_parameters, mean_interval
from shoal.studies.result import Table
from shoal.studies.summarize_asked_page import losses_table
from shoal.studies.summarize_measured import Measured
from shoal.studies.wording import lasting
from shoal.summarize import Rouge, Summarizer

METRICS = ("rouge1", "rouge2", "rougeL")


def summary(m: Measured, summarizer: Summarizer) -> tuple[str, ...]:
    """The findings in a few sentences."""
    first, last = m.baselines["first sentence"], m.history.rows[-1]
    return (
        f"A summarizer of {count_parameters(summarizer.model):,} parameters, trained for "
        f"{lasting(m.history.seconds)} ({last['epoch']:.3g} epochs), reaches ROUGE-1/2/L "
        f"{_three(m.beams)} on {m.test_rows:,} documents; their first sentences reach {_three(first)}.",
        f"Its verdict on itself: {m.verdict or 'too few looks at the losses for one'}",
    )


def _three(rouge: Rouge) -> str:
    return "/".join(f"{rouge.metrics[name].value:.1f}" for name in METRICS)


def tables(m: Measured) -> tuple[Table, ...]:
    """Scores, losses, the four trainings, costs, and what else was checked."""
    return (_scores(m), losses_table(m.history), _trainings(m), _costs(m), _checks(m))


def _scores(m: Measured) -> Table:
    named = {"model, 4 beams": m.beams, "model, greedy": m.greedy, **{name: m.baselines[name] for name in m.baselines}}
    return Table(
        id="scores",
        title=f"ROUGE on {m.test_rows:,} documents (F1, 0 to 100)",
        columns=(
            "",
            *(
                f"{metric} {part}".strip()
                for metric in ("ROUGE-1", "ROUGE-2", "ROUGE-L")
                for part in ("", "low", "high")
            ),
        ),
        rows=tuple(
            (name, *(x for metric in METRICS for of in [rouge.metrics[metric]] for x in (of.value, of.low, of.high)))
            for name, rouge in named.items()
        ),
        note="Ends of 95 % bootstrap intervals over documents. What stands below the model needs no training.",
    )


def _trainings(m: Measured) -> Table:
    named = {
        "summarizer": m.history,
        "exact attention": m.exact_history,
        f"linear attention ({m.map})": m.linear_history,
        f"{m.overfit_rows:,} pairs only": m.overfit_history,
    }
    return Table(
        id="trainings",
        title="The four trainings",
        columns=("", "minutes", "steps", "epochs", "training loss", "validation loss", "precision"),
        rows=tuple(
            (
                name,
                history.seconds / 60,
                history.rows[-1]["step"],
                history.rows[-1]["epoch"],
                history.rows[-1]["train_loss"],
                history.rows[-1]["validation_loss"],
                history.precision,
            )
            for name, history in named.items()
        ),
        note="Losses at the end, nats per token; those of the last training are of another vocabulary.",
    )


def _costs(m: Measured) -> Table:
    return Table(
        id="costs",
        title="A training step by length of the document",
        columns=("tokens", "exact (s)", "linear (s)", "exact (MB)", "linear (MB)"),
        rows=tuple(
            (
                length,
                m.cost(length, "exact").seconds,
                m.cost(length, "linear").seconds,
                m.cost(length, "exact").memory / 1e6,
                m.cost(length, "linear").memory / 1e6,
            )
            for length in m.lengths
        ),
        note="A small model; as many documents as make 8,192 tokens. Memory is that of all tensors at once.",
    )


def _checks(m: Measured) -> Table:
    """What is behind claims that nothing else shows."""
    judged, kept = m.judged, m.remembering
    found = mean_interval(torch.tensor(kept.times, dtype=torch.float64))
    return Table(
        id="checks",
        title="What else was checked",
        columns=("", "found"),
        rows=(
            ("simulated curves that the verdict tells rightly", f"{judged.right:,} of {judged.curves:,}"),
            ("of those that do not overfit, called overfit", f"{judged.false_alarms:,} of {judged.calm:,}"),
            ("different summaries", f"{m.distinct_beams:,} of {m.test_rows:,} documents"),
            (
                f"writing {kept.tokens} tokens, earlier ones remembered: times as fast",
                f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]",
            ),
            ("largest difference of a probability between both ways", f"{kept.apart:.0e}"),
        ),
        note=f"The truth of a simulated curve is known. Writing was timed for {kept.rows} documents at once, both ways "
        f"in turn, {len(kept.times)} times; Student's 95 % interval.",
    )
