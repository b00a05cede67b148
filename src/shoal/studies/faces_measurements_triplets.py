"""How many triplets there are, by set and by batch, and how many of them teach anything."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from shoal.data.faces import FaceSet
from shoal.faces.losses import TripletLoss
from shoal.faces.monitors import Monitor
from shoal.faces.sampling import IdentityBatchSampler
from shoal.faces.triplets import Identities
from shoal.studies.faces_measured_parts import Batch, SetSize

SHARES = (0.125, 0.25, 0.5, 1.0)  # of the people
FEWEST = 3  # people of a set
PAPERS = (45, 40)  # people and images of each at most
BATCHES = 6
MARGIN = 0.2

Embeddings = Float[Tensor, "n dim"]


def count_sets(labels: Int64[Tensor, "n"]) -> list[dict[str, Any]]:
    """Triplets of sets of some of the people: what drawing so many of them gives on average, counted and not drawn.

    Args:
        labels: who is on each image.

    Returns:
        The fields of `SetSize`, fewest people first.

    Example:
        >>> count_sets(torch.tensor([0, 0, 1, 1, 2, 2]))
        [{'people': 3, 'images': 6.0, 'pairs': 6.0, 'triplets': 24.0}]
    """
    counts = torch.unique(labels, return_counts=True)[1]  # [people]
    everybody, images = len(counts), int(counts.sum())
    pairs = counts * (counts - 1)
    triplets = int((pairs * (images - counts)).sum())
    found = []
    for people in sorted({max(FEWEST, round(share * everybody)) for share in SHARES}):
        if people <= everybody:
            one = people / everybody  # probability that somebody is drawn
            both = one * (people - 1) / (everybody - 1)  # that two are: the anchor's person and the negative's
            own = SetSize(people=people, images=one * images, pairs=one * int(pairs.sum()), triplets=both * triplets)
            found.append(asdict(own))
    return found


def sizes_of(identities: int, per_identity: int) -> tuple[tuple[int, int], ...]:
    """Sizes of batches that are compared: a quarter of a training's, its own, twice as many people, and the paper's.

    Args:
        identities: people of a batch of the training.
        per_identity: images of each at most.

    Example:
        >>> sizes_of(20, 8)
        ((5, 8), (20, 8), (40, 8), (45, 40))
    """
    people = (max(2, identities // 4), identities, 2 * identities)
    return (*((number, per_identity) for number in people), PAPERS)


def measure_batches(
    faces: FaceSet,
    embeds: tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]],
    sizes: Sequence[tuple[int, int]],
    seed: int,
) -> list[dict[str, Any]]:
    """Triplets of batches of several sizes, before and after training.

    Args:
        faces: that are trained on.
        embeds: from images to embeddings: by the untrained network, and by the trained one.
        sizes: people, and images of each at most.
        seed: of the batches.

    Returns:
        The fields of `Batch`, smallest first.
    """
    drawn = {}
    for identities, most in sizes:
        sampler = IdentityBatchSampler(faces.labels, identities, most, seed=seed)
        drawn[identities, most] = [torch.tensor(sampler.batch(step)) for step in range(BATCHES)]
    rows = torch.cat([batch for batches in drawn.values() for batch in batches]).unique()
    before, after = (embed(faces.images[rows]) for embed in embeds)
    place_of = torch.full((len(faces),), -1)
    place_of[rows] = torch.arange(len(rows))
    found: list[dict[str, Any]] = []
    for (identities, most), batches in drawn.items():
        own = [place_of[batch] for batch in batches]
        made = _batch(identities, most, own, faces.labels[rows], before, after)
        if not found or made.triplets != found[-1]["triplets"]:  # with few people, larger batches are the same
            found.append(asdict(made))
    return found


def _batch(
    identities: int, most: int, batches: list[Tensor], labels: Tensor, before: Embeddings, after: Embeddings
) -> Batch:
    people = [Identities.of(labels[batch]) for batch in batches]
    mean = len(batches)
    return Batch(
        identities=identities,
        per_identity=most,
        rows=sum(map(len, batches)) / mean,
        pairs=sum(one.number_of_pairs for one in people) / mean,
        triplets=[one.count_triplets() for one in people],
        before=[_informative(before[batch], labels[batch], "all") for batch in batches],
        after=[_informative(after[batch], labels[batch], "all") for batch in batches],
        mined=[_informative(after[batch], labels[batch], "semi-hard") for batch in batches],
    )


@torch.no_grad()
def _informative(embeddings: Embeddings, labels: Tensor, mining: str) -> float:
    """Share of the triplets that do not satisfy the margin."""
    loss = TripletLoss(MARGIN, mining)
    loss(embeddings, labels)
    monitor = loss.monitor
    assert isinstance(monitor, Monitor)
    return 1 - monitor.satisfied
