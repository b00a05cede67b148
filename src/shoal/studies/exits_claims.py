"""The claims of the early-exit study: each a function from measurements to a `Claim`.

Measurements are rows per test image, so that every interval compares both networks on the same images. The functions
know nothing of networks or files, and are tested with made-up rows.
"""

import torch
from jaxtyping import Bool
from torch import Tensor

from shoal.measure import bootstrap_interval, paired_difference_interval, proportion_interval
from shoal.studies.exits_claims_compared import (
    beats_smaller_networks,
    follows_prediction_depth,
    gains_where_difficulty_spreads,
    keeps_its_promise,
)
from shoal.studies.exits_measured import Measured
from shoal.studies.result import Claim
from shoal.studies.wording import millions, percent

ALLOWED_DROP = 0.5  # points of accuracy
HALF = 0.5  # share of the plain network's MACs
FAIR_SPEED = 0.7  # share of the saving in MACs that should show in time


def all_claims(measured: Measured) -> tuple[Claim, ...]:
    """Every claim of the study, in the order of the report."""
    return (
        halves_the_macs(measured),
        keeps_the_accuracy(measured),
        saves_time(measured),
        early_leavers_are_easier(measured),
        later_exits_are_better(measured),
        pushing_costs_accuracy(measured),
        keeps_its_promise(measured),
        follows_prediction_depth(measured),
        beats_smaller_networks(measured),
        gains_where_difficulty_spreads(measured),
    )


def halves_the_macs(m: Measured) -> Claim:
    """Mean MACs are at most half of the plain network's."""
    share = m.early_macs.double() / m.plain_macs  # [n]
    interval = bootstrap_interval(share)
    return Claim(
        id="halves_the_macs",
        sentence="Stopping early halves the arithmetic: mean MACs are at most half of the plain network's.",
        measured=f"{millions(float(m.early_macs.double().mean()))} MACs an image against {millions(m.plain_macs)}, "
        f"{1 / share.mean():.2f} times fewer, heads included.",
        effect=interval.value,
        low=interval.low,
        high=interval.high,
        bound=HALF,
        direction="below",
        unit="of the plain MACs",
    )


def keeps_the_accuracy(m: Measured) -> Claim:
    """Accuracy is within half a point of the plain network's."""
    interval = paired_difference_interval(m.early_right, m.plain_right)
    plain_minutes, early_minutes = m.minutes
    return Claim(
        id="keeps_the_accuracy",
        sentence=f"Stopping early costs at most {ALLOWED_DROP} points of accuracy against a plain network of the same "
        "layers, trained separately for as long.",
        measured=f"{_right(m.early_right)} of the test images right after {early_minutes:.1f} minutes of "
        f"training, against {_right(m.plain_right)} after {plain_minutes:.1f}.",
        effect=100 * interval.value,
        low=100 * interval.low,
        high=100 * interval.high,
        bound=-ALLOWED_DROP,
        direction="above",
        unit="points",
    )


def saves_time(m: Measured) -> Claim:
    """The saving in MACs shows on the clock."""
    saving = m.plain_macs / m.timed_macs
    interval = bootstrap_interval(m.speed_ups.double() / saving, torch.median)
    return Claim(
        id="saves_time",
        sentence="MACs that are saved are time that is saved: "
        f"the speed-up is at least {percent(FAIR_SPEED, 0)} of the ratio of MACs.",
        measured=f"{m.speed_ups.double().median():.2f} times as fast at batch {m.batch_size} "
        f"for {saving:.2f} times fewer MACs on the same images (median of {len(m.speed_ups)} paired timings).",
        effect=interval.value,
        low=interval.low,
        high=interval.high,
        bound=FAIR_SPEED,
        direction="above",
        unit="of the MACs ratio",
    )


def early_leavers_are_easier(m: Measured) -> Claim:
    """Images that leave at the first exits are answered better than those that go to the end."""
    sentence = (
        "Images that leave in the first half of the exits are easier: more of them are answered right than of the rest."
    )
    early = m.exit_index < m.exits / 2
    if not 0 < int(early.sum()) < len(early):
        return Claim(
            id="early_leavers_are_easier",
            sentence=sentence,
            measured="All images leave on the same side, so there is nothing to compare.",
            effect=0.0,
            low=0.0,
            high=0.0,
            bound=0.0,
            direction="above",
            strict=True,
            unit="points",
            unsettled="one of the two groups is empty",
        )
    here, there = m.early_right[early], m.early_right[~early]
    a, b = (proportion_interval(int(rows.sum()), len(rows)) for rows in (here, there))
    gap = 100 * (a.value - b.value)
    # Newcombe 1998, method 10: the interval of a difference of two independent proportions from their Wilson limits
    low = gap - 100 * ((a.value - a.low) ** 2 + (b.high - b.value) ** 2) ** 0.5
    high = gap + 100 * ((a.high - a.value) ** 2 + (b.value - b.low) ** 2) ** 0.5
    return Claim(
        id="early_leavers_are_easier",
        sentence=sentence,
        measured=f"{percent(a.value, 1)} of the {len(here):,} that leave early are right, "
        f"{percent(b.value, 1)} of the {len(there):,} others.",
        effect=gap,
        low=low,
        high=high,
        bound=0.0,
        direction="above",
        strict=True,
        unit="points",
    )


def later_exits_are_better(m: Measured) -> Claim:
    """Asked about every image, the end of the network is more often right than the first exit."""
    interval = paired_difference_interval(m.right_by_exit[-1], m.right_by_exit[0])
    first, last = (float(m.right_by_exit[at].double().mean()) for at in (0, -1))
    return Claim(
        id="later_exits_are_better",
        sentence="Depth buys accuracy: asked about every image, "
        "the end of the network is more often right than the first exit.",
        measured=f"{percent(first)} right at the first exit, {percent(last)} at the end.",
        effect=100 * interval.value,
        low=100 * interval.low,
        high=100 * interval.high,
        bound=0.0,
        direction="above",
        strict=True,
        unit="points",
    )


def pushing_costs_accuracy(m: Measured) -> Claim:
    """A policy that spends much less is less accurate."""
    interval = paired_difference_interval(m.bold_right, m.early_right)
    share = float(m.bold_macs.double().mean()) / m.plain_macs
    return Claim(
        id="pushing_costs_accuracy",
        sentence="Pushed further, accuracy falls: a policy that spends as little as it can answers fewer images right.",
        measured=f"{_right(m.bold_right)} right at {percent(share, 0)} of the plain MACs, against "
        f"{_right(m.early_right)} under the chosen policy.",
        effect=100 * interval.value,
        low=100 * interval.low,
        high=100 * interval.high,
        bound=0.0,
        direction="below",
        strict=True,
        unit="points",
    )


def _right(answers: Bool[Tensor, "n"]) -> str:
    return percent(float(answers.double().mean()))
