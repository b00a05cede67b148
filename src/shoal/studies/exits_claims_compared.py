"""Claims of the early-exit study about promises, depth and smaller networks; see `shoal.studies.exits_claims`."""

import torch

from shoal.measure import Interval, paired_difference_interval
from shoal.studies.ends import ends, point
from shoal.studies.exits_breakeven import alike_and_apart, of_rows, share_of_all
from shoal.studies.exits_measured import Measured
from shoal.studies.ranks import rank_correlation
from shoal.studies.result import Claim
from shoal.studies.wording import millions, percent

FEWEST_ROWS = 40  # images in a half by difficulty, to say anything of it


def keeps_its_promise(m: Measured) -> Claim:
    """The certified policy loses no more than was asked, on images that it was not certified with."""
    p = m.promise
    points = f"{100 * p.max_accuracy_drop:g} point{'s' * (p.max_accuracy_drop != 0.01)}"
    lost = paired_difference_interval(m.right_by_exit[-1], p.right)
    share = float(p.macs.double().mean()) / m.plain_macs
    why = p.refused or ("nothing but the whole network passed the test" if p.never_leaves else "")
    told = p.refused or p.said
    return Claim(
        id="keeps_its_promise",
        sentence=f"A promise is kept: a policy that is certified to lose at most {points} "
        f"with {percent(p.confidence, 0)} confidence loses no more on new images.",
        measured=f"Asked of the validation images: {told}. On the test images it answers {percent(_share(p.right))} "
        f"right, and the whole network {percent(_share(m.right_by_exit[-1]))}, "
        f"for {percent(share, 0)} of the plain MACs.",
        **ends(_times(lost, 100)),
        bound=100 * p.max_accuracy_drop,
        direction="below",
        unit="points lost",
        unsettled=why,
    )


def follows_prediction_depth(m: Measured) -> Claim:
    """Images that a plain network settles deeper leave later."""
    found = rank_correlation(m.depth, m.exit_index)
    means = [float(m.depth[m.exit_index == at].double().mean()) for at in m.exit_index.unique().tolist()]
    return Claim(
        id="follows_prediction_depth",
        sentence="Where an image leaves agrees with how deep a plain network has to go for it: "
        "exit and prediction depth go together.",
        measured=f"Spearman's correlation over {len(m.depth):,} test images. Of those that leave first the mean depth "
        f"is {means[0]:.2f} of {m.probes} probes, of those that leave last {means[-1]:.2f}.",
        **ends(found),
        bound=0.0,
        direction="above",
        strict=True,
        unsettled="" if len(means) > 1 else "all images leave at one exit",
    )


def beats_smaller_networks(m: Measured) -> Claim:
    """At a smaller network's accuracy, early exit needs fewer MACs."""
    found = share_of_all(m.path, m.smaller)
    names = ", ".join(f"{percent(_share(s.right), 1)} ({millions(s.macs)} MACs)" for s in m.smaller)
    return Claim(
        id="beats_smaller_networks",
        sentence="At the accuracy of a smaller network that was trained for as long, early exit needs fewer MACs.",
        measured=f"{found.value:.2f} of the MACs, geometric mean over {len(m.smaller)} smaller networks that answer "
        f"{names} of the test images right.",
        **ends(found),
        bound=1.0,
        direction="below",
        strict=True,
        unit="of the smaller network's MACs",
    )


def gains_where_difficulty_spreads(m: Measured) -> Claim:
    """Against a smaller network, early exit does better where easy and hard images are mixed."""
    halves = alike_and_apart(m.soft_depth)
    sentence = (
        "Early exit pays where difficulty spreads: against smaller networks it needs a smaller share of their MACs "
        "for a mix of easy and hard images than for images that are alike."
    )
    common = {"id": "gains_where_difficulty_spreads", "sentence": sentence, "bound": 0.0, "strict": True}
    if min(len(half) for half in halves) < FEWEST_ROWS:
        told = f"{len(m.soft_depth)} test images are too few."
        return Claim(**common, **point(0.0), measured=told, direction="above", unsettled="too few images")
    alike, apart = (share_of_all(*of_rows(m.path, m.smaller, half)) for half in halves)
    gap = _difference(alike, apart)
    return Claim(
        **common,
        **ends(gap),
        measured=f"{alike.value:.2f} of the smaller networks' MACs for the middle half of the test images by depth, "
        f"{apart.value:.2f} for the easiest and the hardest quarter together.",
        direction="above",
        unit="of the smaller network's MACs",
    )


def _difference(one: Interval, other: Interval) -> Interval:
    """Of two independent measurements; Newcombe's way with their own limits."""
    value = one.value - other.value
    low = value - ((one.value - one.low) ** 2 + (other.high - other.value) ** 2) ** 0.5
    high = value + ((one.high - one.value) ** 2 + (other.value - other.low) ** 2) ** 0.5
    return Interval(value, low, high)


def _times(interval: Interval, factor: float) -> Interval:
    return Interval(factor * interval.value, factor * interval.low, factor * interval.high, interval.confidence)


def _share(right: torch.Tensor) -> float:
    return float(right.double().mean())
