"""Claims of the summarizer's study: what losses tell, how good the summaries are, what linear attention costs."""

import torch

from shoal.measure import Interval, mean_interval, proportion_interval
from shoal.studies.ends import ends, point
from shoal.studies.result import Claim
from shoal.studies.summarize_measured import Measured, fall
from shoal.studies.wording import percent
from shoal.summarize import compare

UNKNOWN = Interval(0.0, 0.0, 0.0)
FEW = "too few looks at the losses"
ALIKE = 0.1  # nats per token: losses of exact and linear attention that count as alike
BOUND_TIMES = 5.0  # how many times as fast remembering should be
RIGHT = 0.95  # share of simulated curves that are told rightly
MODEST = 0.02


def all_claims(m: Measured) -> tuple[Claim, ...]:
    """In the order of the report."""
    return (
        *both_losses_fall(m),
        overfitting_is_called(m),
        a_gap_is_normal(m),
        a_shift_is_no_overfitting(m),
        the_verdict_is_right(m),
        beats_first_sentence(m),
        beams_help(m),
        does_not_say_the_same(m),
        linear_learns_as_well(m),
        linear_is_cheaper(m),
        remembering_is_faster(m),
    )


def both_losses_fall(m: Measured) -> tuple[Claim, Claim]:
    """Training and validation loss fall while it learns."""
    claims = []
    for name, words in (("train_loss", "training"), ("validation_loss", "validation")):
        found = fall(m.history, name)
        first, last = m.history.rows[0][name], m.history.rows[-1][name]
        claims.append(
            Claim(
                id=f"{words}_loss_falls",
                sentence=f"While a summarizer learns, the {words} loss falls.",
                measured=f"From {first:.2f} to {last:.2f} nats per token over {len(m.history.rows)} looks; the effect "
                "is the mean of the first quarter of them less that of the last.",
                **ends(found or UNKNOWN),
                bound=0.0,
                direction="above",
                strict=True,
                unit="nats",
                unsettled="" if found else FEW,
            )
        )
    return claims[0], claims[1]


def overfitting_is_called(m: Measured) -> Claim:
    """Made to learn few pairs by heart, it is told so."""
    verdict = m.overfit_verdict
    rise = verdict.rise if verdict and verdict.rise else UNKNOWN
    said = str(verdict) if verdict else FEW
    return Claim(
        id="overfitting_is_called",
        sentence=f"A summarizer that sees {m.overfit_rows:,} pairs again and again overfits: from some step on the "
        "validation loss rises while the training loss falls.",
        measured=f"The verdict: {said}",
        **ends(rise),
        bound=0.0,
        direction="above",
        strict=True,
        unit="nats risen",
        unsettled="" if verdict and verdict.kind == "overfit" else "the verdict is another",
    )


def a_gap_is_normal(m: Measured) -> Claim:
    """Validation loss lies above training loss without rising."""
    verdict = m.verdict
    last = m.history.rows[-1]
    gap = last["validation_loss"] - last["train_loss"]
    return Claim(
        id="a_gap_is_normal",
        sentence="A gap between training and validation loss alone does not mean overfitting: validation need not "
        "rise.",
        measured=f"At the end validation lies {gap:+.2f} nats from training, and changed by the effect over the last "
        f"fifth. The verdict: {verdict or FEW}",
        **ends(verdict.recent if verdict else UNKNOWN),
        bound=MODEST,
        direction="below",
        unit="nats",
        unsettled="" if verdict and gap > 0 else (FEW if not verdict else "there is no gap"),
    )


def a_shift_is_no_overfitting(m: Measured) -> Claim:
    """What validation lies above held-back pairs of the training data is there from the start."""
    early = [row for row in m.history.rows if row["epoch"] <= 1.0 and "held_back_loss" in row]
    shifts = torch.tensor([row["validation_loss"] - row["held_back_loss"] for row in early], dtype=torch.float64)
    found = mean_interval(shifts) if len(shifts) > 1 else None
    return Claim(
        id="a_shift_is_no_overfitting",
        sentence="Validation data of other groups lie above held-back training data before any pair is seen twice: "
        "that is a shift between groups, not overfitting.",
        measured=f"Validation less held-back loss over {len(early)} looks of the first epoch."
        if found
        else "Too few looks within the first epoch.",
        **ends(found or UNKNOWN),
        bound=0.0,
        direction="above",
        strict=True,
        unit="nats",
        unsettled="" if found else "too few looks within the first epoch",
    )


def the_verdict_is_right(m: Measured) -> Claim:
    """On curves of known truth."""
    judged = m.judged
    found = proportion_interval(judged.right, judged.curves)
    return Claim(
        id="the_verdict_is_right",
        sentence=f"The verdict tells curves that overfit from those that do not, in {percent(RIGHT, 0)} of cases.",
        measured=f"{judged.right} of {judged.curves} simulated curves of known truth are told rightly, and "
        f"{judged.false_alarms} of the {judged.calm} that do not overfit are called so; shifts between groups are "
        "among them.",
        **ends(found),
        bound=RIGHT,
        direction="above",
    )


def beats_first_sentence(m: Measured) -> Claim:
    """It must be above what needs no training."""
    first = m.baselines["first sentence"]
    found = compare(m.beams, first).rougeL
    return Claim(
        id="beats_first_sentence",
        sentence="A trained summarizer is closer to people's summaries than the first sentence of the document.",
        measured=f"ROUGE-L {m.beams.rougeL.value:.1f} against {first.rougeL.value:.1f} on {m.test_rows:,} documents "
        f"(ROUGE-1 {m.beams.rouge1.value:.1f} against {first.rouge1.value:.1f}).",
        **ends(found),
        bound=0.0,
        direction="above",
        strict=True,
        unit="ROUGE-L",
    )


def beams_help(m: Measured) -> Claim:
    """Several beams against the likeliest token each time."""
    found = compare(m.beams, m.greedy).rougeL
    return Claim(
        id="beams_help",
        sentence="Following four summaries at once gives better ones than taking the likeliest token each time.",
        measured=f"ROUGE-L {m.beams.rougeL.value:.1f} with beams, {m.greedy.rougeL.value:.1f} without, on the same "
        f"{m.test_rows:,} documents.",
        **ends(found),
        bound=0.0,
        direction="above",
        strict=True,
        unit="ROUGE-L",
    )


def does_not_say_the_same(m: Measured) -> Claim:
    """Different documents get different summaries."""
    found = proportion_interval(m.distinct_beams, m.test_rows)
    return Claim(
        id="does_not_say_the_same",
        sentence="Different documents get different summaries.",
        measured=f"{m.distinct_beams:,} different summaries of {m.test_rows:,} documents.",
        **ends(found),
        bound=0.5,
        direction="above",
    )


def linear_learns_as_well(m: Measured) -> Claim:
    """The same minutes with exact and with linear attention."""
    exact, linear = m.exact_history.rows[-1], m.linear_history.rows[-1]
    return Claim(
        id="linear_learns_as_well",
        sentence="In the same time, linear attention learns short texts as well as exact attention, within "
        f"{ALIKE} nats.",
        measured=f"Validation loss {linear['validation_loss']:.2f} ({m.map}) against {exact['validation_loss']:.2f} "
        f"nats per token after {m.exact_history.seconds / 60:.1f} minutes each; one training each.",
        **point(linear["validation_loss"] - exact["validation_loss"]),
        bound=ALIKE,
        direction="below",
        unit="nats",
    )


def linear_is_cheaper(m: Measured) -> Claim:
    """At the longest documents."""
    longest = m.lengths[-1]
    exact, linear = m.cost(longest, "exact"), m.cost(longest, "linear")
    return Claim(
        id="linear_is_cheaper",
        sentence=f"A training step on documents of {longest:,} tokens takes less time with linear attention.",
        measured=f"{exact.seconds:.2f} s with exact and {linear.seconds:.2f} s with linear attention, "
        f"{exact.memory / 1e6:.0f} and {linear.memory / 1e6:.0f} MB.",
        **point(exact.seconds / linear.seconds),
        bound=1.0,
        direction="above",
        strict=True,
        unit="×",
    )


def remembering_is_faster(m: Measured) -> Claim:
    """Keeping keys and values while writing."""
    r = m.remembering
    return Claim(
        id="remembering_is_faster",
        sentence=f"Writing {r.tokens} tokens is {BOUND_TIMES:g} times as fast where what was computed for earlier "
        "tokens is kept, and gives the same probabilities.",
        measured=f"For {r.rows} documents at once, in turn {len(r.times)} times; probabilities differ by at most "
        f"{r.apart:.0e}.",
        **ends(mean_interval(torch.tensor(r.times, dtype=torch.float64))),
        bound=BOUND_TIMES,
        direction="above",
        unit="×",
        unsettled="" if r.apart < 1e-5 else f"probabilities differ by {r.apart:.0e}",
    )
