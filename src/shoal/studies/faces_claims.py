"""The claims of the study of faces about training: which triplets, how many, and what a classifier does instead.

Each is a function from measurements to a `Claim`; they know nothing of networks, and are tested with made-up numbers.
Those about what a trained network knows are in `faces_claims_embeddings`, those about two generations in
`faces_claims_generations`.
"""

from collections.abc import Sequence

import torch

from shoal.measure import Interval, mean_interval
from shoal.studies.ends import ends, point
from shoal.studies.faces_checked import points, within
from shoal.studies.faces_claims_embeddings import (
    changed_faces_cluster,
    identities_cluster,
    jpeg_costs_little,
    larger_embeddings_gain_little,
    more_data_help,
    resolution_matters,
    returns_diminish,
    threshold_keeps,
)
from shoal.studies.faces_claims_generations import (
    generations_do_not_compare,
    harmonic_beats_old,
    harmonic_beats_ridge,
    harmonic_keeps_new,
)
from shoal.studies.faces_measured import Measured, Training
from shoal.studies.faces_names import CLASSIFIED, MAIN, RECIPE, UNTRAINED
from shoal.studies.faces_words import accuracy, counted, pointed
from shoal.studies.result import Claim
from shoal.studies.wording import percent

TOGETHER = 0.1  # of a distance, that counts as one point
MOST = 0.5  # of all triplets
LATE = 10  # passes over the training images, after which a training is late
_APART = {
    "hardest": "with the hardest negatives",
    "semi-hard": "with semi-hard ones",
    "random": "with random ones",
    UNTRAINED: "untrained",
}


def all_claims(m: Measured) -> tuple[Claim, ...]:
    """Every claim that the run measured something for, in the order of the report."""
    return (
        semi_hard_learns(m),
        hardest_collapse(m),
        random_stalls(m),
        *([triplets_beat_classification(m)] if CLASSIFIED in m.checked else []),
        triplets_are_too_many(m),
        most_are_satisfied(m),
        informative_fall(m),
        *([larger_embeddings_gain_little(m)] if m.dims else []),
        *([more_data_help(m)] if m.shares else []),
        *([returns_diminish(m)] if len(m.shares) > 2 else []),
        jpeg_costs_little(m),
        resolution_matters(m),
        threshold_keeps(m),
        generations_do_not_compare(m),
        harmonic_beats_old(m),
        harmonic_beats_ridge(m),
        harmonic_keeps_new(m),
        identities_cluster(m),
        changed_faces_cluster(m),
        tables_are_reproduced(m),
    )


def semi_hard_learns(m: Measured) -> Claim:
    """Against the hardest negatives of each batch."""
    return pointed(
        points(m.checked["semi-hard"], m.checked["hardest"]),
        id="semi_hard_learns",
        sentence="From scratch, semi-hard negatives teach a network more than the hardest negatives of a batch do.",
        measured=f"{accuracy(m, 'semi-hard')} of the test pairs right against {accuracy(m, 'hardest')}; untrained "
        f"{accuracy(m, UNTRAINED)}.",
        unsettled=_nothing_learned(m, "semi-hard", "hardest"),
    )


def hardest_collapse(m: Measured) -> Claim:
    """Distances of the same test pairs."""
    ratios = torch.tensor(m.apart["hardest"]) / torch.tensor(m.apart["semi-hard"]).clamp_min(1e-12)
    told = ", ".join(f"{_distance(_mean(m.apart[name]))} {words}" for name, words in _APART.items())
    training = m.trainings["hardest"]
    stopped = training.collapsed and training.rows
    alarm = f" Its training was stopped after {training.rows[-1]['step']:,} steps, as collapsed." if stopped else ""
    return Claim(
        id="hardest_collapse",
        sentence="The hardest negatives of a batch, from the first step on, draw all faces into one point: two people "
        f"are less than {TOGETHER:g} times as far apart as with semi-hard negatives.",
        measured=f"Mean squared distance of two test people: {told}.{alarm}",
        **ends(within(mean_interval(ratios), 0.0, float("inf"))),
        bound=TOGETHER,
        direction="below",
        unit="times as far apart",
    )


def random_stalls(m: Measured) -> Claim:
    """Against any negatives."""
    last = _last(m.trainings["random"])
    taught = f" At its end {percent(1 - last, 0)} of them still taught something." if last else ""
    return pointed(
        points(m.checked["semi-hard"], m.checked["random"]),
        id="random_stalls",
        sentence="Random negatives stall: in the same time, semi-hard negatives teach a network more.",
        measured=f"{accuracy(m, 'semi-hard')} of the test pairs right against {accuracy(m, 'random')}.{taught}",
        unsettled=_nothing_learned(m, "semi-hard", "random"),
    )


def triplets_beat_classification(m: Measured) -> Claim:
    """Of the same network, people and minutes."""
    both = f" Classification first and triplets then: {accuracy(m, RECIPE)}." if RECIPE in m.checked else ""
    return pointed(
        points(m.checked["semi-hard"], m.checked[CLASSIFIED]),
        id="triplets_beat_classification",
        sentence="Trained for what it is used for, a network does at least as well with the triplet loss as when it "
        "classifies the training people.",
        measured=f"{accuracy(m, 'semi-hard')} of the test pairs right with triplets alone, "
        f"{accuracy(m, CLASSIFIED)} with cross-entropy, the embedding being what its classifier reads.{both}",
        strict=False,
        unsettled=_nothing_learned(m, "semi-hard", CLASSIFIED),
    )


def _nothing_learned(m: Measured, *names: str) -> str:
    """Why trainings that taught nothing cannot be compared; empty where one of them taught something."""
    if any(points(m.checked[name], m.checked[UNTRAINED]).low > 0 for name in names):
        return ""
    return "in so short a training neither is surely better than the network untrained"


def triplets_are_too_many(m: Measured) -> Claim:
    """All of the training set against what one training sees."""
    everybody, fewest, batch = m.set_sizes[-1], m.set_sizes[0], m.trained_batch
    steps = m.trainings["semi-hard"].rows[-1]["step"] if m.trainings["semi-hard"].rows else 1
    found = mean_interval(torch.tensor(batch.triplets, dtype=torch.float64))
    low, value, high = (everybody.triplets / max(1.0, x) / steps for x in (found.high, found.value, found.low))
    grown = f", of {fewest.people:,} people {counted(fewest.triplets)}" if fewest.people < everybody.people else ""
    return Claim(
        id="triplets_are_too_many",
        sentence="Not all triplets can be used: to see each of them once, in batches like its own, a training would "
        "need more steps than it has.",
        measured=f"{counted(everybody.triplets)} triplets of {everybody.images:,.0f} images of {everybody.people:,} "
        f"people{grown}; {counted(found.value)} in a batch of {batch.rows:,.0f} images, and {steps:,} batches in a "
        f"training. One triplet a pair makes {counted(everybody.pairs)}.",
        **ends(Interval(value, low, high)),
        bound=1.0,
        direction="above",
        strict=True,
        unit="× the steps of the training",
    )


def most_are_satisfied(m: Measured) -> Claim:
    """Of all triplets of a batch, by the trained network."""
    batch, epochs = m.batches[-1], m.trainings[MAIN].epochs
    found = mean_interval(1 - torch.tensor(batch.after))
    early = epochs < LATE and found.low <= MOST  # if most are satisfied early, they are late too
    return Claim(
        id="most_are_satisfied",
        sentence="Late in training, most triplets already satisfy the margin and teach nothing.",
        measured=f"{percent(found.value, 1)} of the {counted(_mean(batch.triplets))} triplets of a batch of "
        f"{batch.rows:,.0f} images satisfy it for the trained network; of semi-hard ones, "
        f"{percent(1 - _mean(batch.mined), 1)}.",
        **ends(within(found, 0.0, 1.0)),
        bound=MOST,
        direction="above",
        strict=True,
        unit="of all triplets",
        unsettled=f"after {epochs:.1f} passes over the training images it is not late yet" if early else "",
    )


def informative_fall(m: Measured) -> Claim:
    """In the same batches, before and after training."""
    batch = m.batches[-1]
    found = mean_interval(100 * (torch.tensor(batch.before) - torch.tensor(batch.after)))
    return pointed(
        found,
        id="informative_fall",
        sentence="The share of triplets that still teach something falls as training goes on.",
        measured=f"{percent(_mean(batch.before), 1)} of all triplets of a batch before training, "
        f"{percent(_mean(batch.after), 1)} after it, in the same {len(batch.after)} batches of {batch.rows:,.0f} "
        "training images.",
        unit="points of the share",
    )


def tables_are_reproduced(m: Measured) -> Claim:
    """Parameters and operations as the paper prints them."""
    same = sum(layer.same for layer in m.layers)
    networks = {network.name: network for network in m.networks}
    nn1, nn2, resnet = (networks[name] for name in ("nn1", "nn2", "resnet50"))
    return Claim(
        id="tables_are_reproduced",
        sentence="The paper's tables 1 and 2 can be reproduced exactly: parameters and FLOPS of every row.",
        measured=f"{same} of {len(m.layers)} rows agree in both numbers, as printed. In all, NN1 has "
        f"{nn1.parameters:,} parameters and NN2 {nn2.parameters:,}; ResNet-50 {resnet.parameters:,}, with "
        f"{resnet.macs / nn2.macs:.1f} times NN2's multiply–adds.",
        **point(float(same)),
        bound=float(len(m.layers)),
        direction="above",
        unit="rows",
    )


def _last(training: Training) -> float:
    """Share of the mined triplets that satisfied the margin at the end; 0 where that is not known."""
    return training.rows[-1].get("satisfied", 0.0) if training.rows else 0.0


def _distance(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else "less than 0.001"


def _mean(values: Sequence[float] | Sequence[int]) -> float:
    return sum(values) / len(values)
