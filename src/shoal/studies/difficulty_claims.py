"""The claims of the difficulty study: each a function from measurements to a `Claim`.

They know nothing of networks, and are tested with made-up numbers. Intervals draw images anew; where the network has
not converged, nothing is decided: its difficulty would be about what it has not learned yet.
"""

import torch
from jaxtyping import Num
from torch import Tensor

from shoal.measure import Interval, proportion_interval
from shoal.studies.difficulty_interventions import INTERVENTIONS
from shoal.studies.difficulty_measured import Altered, Measured
from shoal.studies.difficulty_numbers import (
    SHUFFLES,
    class_means,
    first_half,
    group_difference,
    mean_of_both,
    quarters,
    shuffled_spreads,
)
from shoal.studies.difficulty_words import shown, signed
from shoal.studies.ends import ends
from shoal.studies.ranks import agreement, correlation_difference, rank_correlation
from shoal.studies.result import Claim
from shoal.studies.wording import percent

FEWEST = 10  # answers of the rarer kind, right or wrong, to say anything of who is wrong
MOST = 0.5  # share of the images
ALIKE = 0.5  # rank correlation
PEOPLE = {  # labels of CIFAR-10N: who errs, in a name and in words
    "aggre": ("most", "by the majority of three people"),
    "worse": ("any", "by at least one of three people"),
}
_RANK = "rank correlation"


def all_claims(m: Measured) -> tuple[Claim, ...]:
    """Every claim of the study, in the order of the report; those about people only where people were asked."""
    return (
        settled_early(m),
        accuracy_falls(m),
        confidence_falls(m),
        margin_falls(m),
        seeds_agree(m),
        early_is_about_underfitting(m),
        hard_is_low_in_contrast(m),
        hard_is_atypical(m),
        hard_is_near_a_boundary(m),
        *([people_disagree(m)] if m.people else []),
        *(alteration_deepens(m, altered) for altered in m.altered),
        classes_differ(m),
        *(mislabelled_lie_deeper(m, name) for name in PEOPLE if name in m.human_errors),
    )


def settled_early(m: Measured) -> Claim:
    """Most examples are settled at one of the first probes."""
    early = first_half(m, m.test)
    median = int(m.test.column("depth").median())
    return Claim(
        id="settled_early",
        sentence="Most examples are settled in early layers: more than half of the test images at one of the first "
        "half of the probes.",
        measured=f"{percent(early / len(m.test), 1)} of {len(m.test):,} test images are settled at one of the first "
        f"{len(m.probes) // 2} of {len(m.probes)} probes, the input's included; the median depth is {median} "
        f"({m.place(median)}).",
        **ends(proportion_interval(early, len(m.test))),
        bound=MOST,
        direction="above",
        strict=True,
        unit="of the images",
        unsettled=m.unsettled,
    )


def accuracy_falls(m: Measured) -> Claim:
    """Deep examples are more often answered wrong."""
    right, depth = m.test.right, m.test.column("depth")
    middle = depth.double().median()
    shallow, deep = (right[rows].double().mean() for rows in (depth <= middle, depth > middle))
    split = f"{percent(float(shallow), 1)} of the images up to the median depth are right" + (
        f", {percent(float(deep), 1)} of the deeper ones" if bool((depth > middle).any()) else ""
    )
    rarer, kind = min((int(right.sum()), "right"), (int((~right).sum()), "wrong"))
    few = "" if rarer >= FEWEST else f"only {rarer} answers are {kind}"  # one has a depth, and tells nothing
    return Claim(
        id="accuracy_falls",
        sentence="Accuracy falls with depth: images that are settled later are more often answered wrong.",
        measured=f"{split}; overall {percent(m.test.accuracy, 1)} of {len(m.test):,}.",
        **ends(rank_correlation(depth, right.int())),
        bound=0.0,
        direction="below",
        strict=True,
        unit=_RANK,
        unsettled=m.unsettled or _constant(depth) or few,
    )


def confidence_falls(m: Measured) -> Claim:
    """The largest probability falls with depth."""
    return _with_depth(
        m,
        m.test.column("confidence"),
        id="confidence_falls",
        sentence="Confidence falls with depth: the largest probability is lower where an image is settled later.",
        what="the network's confidence",
        falls=True,
    )


def margin_falls(m: Measured) -> Claim:
    """The lead of the answer falls with depth."""
    return _with_depth(
        m,
        m.test.column("margin"),
        id="margin_falls",
        sentence="The margin falls with depth: the lead of the largest probability over the second is smaller.",
        what="the margin",
        falls=True,
    )


def seeds_agree(m: Measured) -> Claim:
    """Networks of two seeds find the same images hard."""
    one, other = m.test.column("depth"), m.second.column("depth")
    found, soft = (rank_correlation(m.test.column(name), m.second.column(name)) for name in ("depth", "soft_depth"))
    return Claim(
        id="seeds_agree",
        sentence="Difficulty belongs to the image more than to the network: two seeds of the same training rank images "
        f"alike, with a correlation of depths above {ALIKE:g}.",
        measured=f"The depths of {len(m.test):,} test images in the two networks ({percent(m.test.accuracy, 1)} and "
        f"{percent(m.second.accuracy, 1)} right) have a {_RANK} of {found.value:.2f}; soft depths, of "
        f"all neighbours' votes, {shown(soft)}.",
        **ends(found),
        bound=ALIKE,
        direction="above",
        unit=_RANK,
        unsettled=m.both_unsettled or _constant(one) or _constant(other),
    )


def early_is_about_underfitting(m: Measured) -> Claim:
    """What is hard early in training is not what is hard in the end."""
    final, other, early = (part.column("depth") for part in (m.test, m.second, m.early))
    between, before = agreement(final, other), agreement(final, early)
    return Claim(
        id="early_is_about_underfitting",
        sentence="Difficulty early in training is about underfitting: it agrees less with that of the converged "
        "network than a converged network of another seed does.",
        measured=f"After {percent(m.early_at, 0)} of its training, {percent(m.early.accuracy, 1)} right, the depths of "
        f"the same network agree with its final ones with a {_RANK} of {before:.2f}; those of the other seed with "
        f"{between:.2f}.",
        **ends(correlation_difference(final, early, other)),
        bound=0.0,
        direction="below",
        strict=True,
        unit=f"difference of {_RANK}s",
        unsettled=m.both_unsettled or _constant(final),
    )


def hard_is_low_in_contrast(m: Measured) -> Claim:
    """Deep images have little contrast."""
    return _with_depth(
        m,
        torch.tensor(m.properties["contrast"]),
        id="hard_is_low_in_contrast",
        sentence="Hard images are low in contrast.",
        what="the standard deviation of an image's brightness",
        falls=True,
    )


def hard_is_atypical(m: Measured) -> Claim:
    """Deep images are far from their class's mean."""
    return _with_depth(
        m,
        torch.tensor(m.properties["typicality"]),
        id="hard_is_atypical",
        sentence="Hard images are atypical of their class: far from the mean of its images in the last layer.",
        what="the cosine with the mean of the label's class",
        falls=True,
    )


def hard_is_near_a_boundary(m: Measured) -> Claim:
    """Deep images are near to where another class wins."""
    return _with_depth(
        m,
        torch.tensor(m.properties["boundary"]),
        id="hard_is_near_a_boundary",
        sentence="Hard images lie near a boundary between classes: a smaller change of the pixels makes another class "
        "win.",
        what="the distance to another class, to first order,",
        falls=True,
    )


def people_disagree(m: Measured) -> Claim:
    """Deep images are those that people disagree on."""
    return _with_depth(
        m,
        torch.tensor(m.people),
        id="people_disagree",
        sentence="Hard images are the ones that people disagree on.",
        what="the entropy of about 50 people's votes (CIFAR-10H)",
        falls=False,
    )


def alteration_deepens(m: Measured, altered: Altered) -> Claim:
    """The same images lie deeper when they are altered."""
    how = INTERVENTIONS[altered.name]
    one, other = m.deeper(altered)
    before = float(m.test.right[: len(one)].double().mean())
    after = sum(altered.right) / len(altered.right)
    return Claim(
        id=f"{altered.name}_deepens",
        sentence=f"{how.title.capitalize()} makes images harder: the same images lie deeper.",
        measured=f"With {how.words}, {len(one):,} test images go from a mean depth of "
        f"{m.test.column('depth')[: len(one)].double().mean():.2f} to {torch.tensor(altered.depth).double().mean():.2f}"
        f"; {percent(after, 1)} are right, {percent(before, 1)} as they were. In the second network the difference is "
        f"{signed(float(other.mean()), 2)}. The effect is the mean of both networks, the interval holds those of both.",
        **ends(mean_of_both(one, other)),
        bound=0.0,
        direction="above",
        strict=True,
        unit="probes",
        unsettled=m.both_unsettled,
    )


def classes_differ(m: Measured) -> Claim:
    """Some classes are settled earlier than others."""
    depth, labels = m.test.column("depth").double(), m.test.column("labels")
    means = class_means(depth, labels, len(m.classes))
    known = means.isfinite().nonzero().flatten()
    ordered = known[means[known].argsort(stable=True)].tolist()
    spread = float(means[ordered[-1]] - means[ordered[0]])
    chance = shuffled_spreads(depth, labels, len(m.classes))
    low, middle, high = torch.quantile(chance, torch.tensor([0.025, 0.5, 0.975]).double()).tolist()
    easy, hard = (f"{m.classes[i]} ({means[i]:.2f})" for i in (ordered[0], ordered[-1]))
    return Claim(
        id="classes_differ",
        sentence="Layers settle some classes before others: the mean depths of classes lie further apart than chance "
        "makes them.",
        measured=f"Mean depths go from {easy} to {hard}, {spread:.2f} apart; with labels shuffled {SHUFFLES:,} times "
        f"they are {middle:.2f} apart, {low:.2f} to {high:.2f} in 95 % of them. The effect is the difference to those.",
        **ends(Interval(spread - middle, spread - high, spread - low)),
        bound=0.0,
        direction="above",
        strict=True,
        unit="probes",
        unsettled=m.unsettled or ("" if len(known) > 1 else "all images are of one class"),
    )


def mislabelled_lie_deeper(m: Measured, name: str) -> Claim:
    """Training images that people label wrongly lie deeper."""
    (who, words), wrong = PEOPLE[name], torch.tensor(m.human_errors[name]).bool()
    depth = m.train.column("depth").double()
    both = 2 <= int(wrong.sum()) <= len(wrong) - 2
    means = [float(depth[rows].mean()) if bool(rows.any()) else float(depth.mean()) for rows in (wrong, ~wrong)]
    difference = group_difference(depth, wrong) if both else Interval(0.0, 0.0, 0.0)
    return Claim(
        id=f"errors_of_{who}_lie_deeper",
        sentence=f"Training images that are labelled wrongly {words} lie deeper, in a network that saw the "
        "published labels only.",
        measured=f"The {int(wrong.sum()):,} of {len(wrong):,} images with another human label (CIFAR-10N, {name}) have "
        f"a mean depth of {means[0]:.2f}, the others {means[1]:.2f}, each left out of its own neighbours.",
        **ends(difference),
        bound=0.0,
        direction="above",
        strict=True,
        unit="probes",
        unsettled=m.unsettled or ("" if both else "one of the two groups is too small"),
    )


def _with_depth(m: Measured, column: Num[Tensor, " n"], *, id: str, sentence: str, what: str, falls: bool) -> Claim:
    """A claim about a rank correlation of depth with something else of the test images."""
    depth = m.test.column("depth")
    easy, hard = (float(column[rows].double().mean()) for rows in quarters(m.test))
    return Claim(
        id=id,
        sentence=sentence,
        measured=f"In the quarter of the {len(m.test):,} test images that is settled first, {what} is {easy:.3g} on "
        f"average; in the last quarter, {hard:.3g}.",
        **ends(rank_correlation(depth, column)),
        bound=0.0,
        direction="below" if falls else "above",
        strict=True,
        unit=f"{_RANK} with depth",
        unsettled=m.unsettled or _constant(depth),
    )


def _constant(depth: Num[Tensor, " n"]) -> str:
    """Why depths cannot be ranked; empty where they can."""
    return "" if int(depth.min()) < int(depth.max()) else "all images have the same depth"
