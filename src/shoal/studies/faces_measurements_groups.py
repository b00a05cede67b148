"""Clusters of faces: which faces are clustered, in which groups, at which threshold, and how well."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from shoal.data.faces import FaceSet
from shoal.engine import stream
from shoal.faces.cluster_scores import cluster_scores
from shoal.faces.clustering import cluster
from shoal.studies.faces_measured_parts import Clustered, Shown

SEVERAL, ENOUGH = 4, 20  # images of a person, if so many people have them; two otherwise
MOST_OF_ONE = 30  # images of a person: nobody decides by himself
GROUPS, OF_GROUP = 10, 3  # groups, and people of each at least
PIECES = 5  # that images are dealt into, at most, where people are too few
TRIED = torch.logspace(-3, -0.15, 40, dtype=torch.float64)  # thresholds: below these shares of all distances
CLUSTERS, FACES = 6, 12  # to be shown


@dataclass(frozen=True, eq=False, kw_only=True)
class Grouped:
    """Faces to be clustered.

    Attributes:
        rows: of a set.
        labels: who is on each.
        groups: int64 [m] each, places among `rows`, clustered apart from each other.
        how: in words.
    """

    rows: Int64[Tensor, "n"]
    labels: Int64[Tensor, "n"]
    groups: tuple[Tensor, ...]
    how: str

    @property
    def people(self) -> int:
        """How many occur."""
        return len(self.labels.unique())


def choose_grouped(faces: FaceSet, most: int, seed: int) -> Grouped:
    """Faces of people with several images, and groups of them that share no person, where there are enough people.

    Args:
        faces: of known people.
        most: faces.
        seed: of the draws.
    """
    rows = _choose(faces, most, seed)
    labels = faces.labels[rows]
    people = labels.unique()
    shuffled = people[torch.randperm(len(people), generator=stream(seed, "groups"))]
    if len(people) >= 2 * OF_GROUP:
        count = min(GROUPS, len(people) // OF_GROUP)
        groups = [torch.isin(labels, part).nonzero().flatten() for part in shuffled.tensor_split(count)]
        how = f"{count} groups of people"
    else:
        place = torch.randperm(len(rows), generator=stream(seed, "pieces"))
        by_person = place[labels[place].argsort(stable=True)]
        pieces = max(1, min(PIECES, int(torch.bincount(labels)[people].min()) // 2))  # two images of everybody in each
        groups = [by_person[start::pieces].sort().values for start in range(pieces)]
        how = f"{pieces} groups of images, as people are few" if pieces > 1 else "one group"
    return Grouped(rows=rows, labels=labels, groups=tuple(groups), how=how)


def _choose(faces: FaceSet, most: int, seed: int) -> Int64[Tensor, "n"]:
    counts = faces.counts
    fewest = SEVERAL if int((counts >= SEVERAL).sum()) >= ENOUGH else 2
    people = (counts >= fewest).nonzero().flatten()
    of_one = min(MOST_OF_ONE, max(2, most // min(len(people), ENOUGH)))
    found, total = [], 0
    for person in people[torch.randperm(len(people), generator=stream(seed, "who is clustered"))].tolist():
        own = (faces.labels == person).nonzero().flatten()
        own = own[torch.randperm(len(own), generator=stream(seed, "of one", person))[:of_one]]
        if found and total + len(own) > most:
            break
        found.append(own)
        total += len(own)
    return torch.cat(found).sort().values


def best_threshold(embeddings: Float[Tensor, "n dim"], grouped: Grouped) -> float:
    """The threshold with the highest mean BCubed F over the groups; of several, the lowest.

    Args:
        embeddings: of the grouped faces.
        grouped: with the people to choose with.
    """
    distances = torch.pdist(embeddings.double()).square()
    distances = distances[:: 1 + len(distances) // 1_000_000]  # torch's quantile takes no more than some millions
    means = {}
    for threshold in torch.quantile(distances, TRIED).unique().tolist():
        found = [cluster(embeddings[group], threshold=threshold) for group in grouped.groups]
        scores = [cluster_scores(x, grouped.labels[g]).bcubed_f for x, g in zip(found, grouped.groups, strict=True)]
        means[threshold] = sum(scores) / len(scores)
    return max(means, key=lambda threshold: means[threshold])


def clustered(embeddings: Float[Tensor, "n dim"], grouped: Grouped, threshold: float) -> Clustered:
    """Cluster every group, and compare with who is on the images.

    Args:
        embeddings: of the grouped faces.
        grouped: the groups.
        threshold: squared distance.
    """
    scores, trivial = [], []
    for group in grouped.groups:
        truth = grouped.labels[group]
        scores.append(cluster_scores(cluster(embeddings[group], threshold=threshold), truth))
        blind = (torch.arange(len(group)), torch.zeros(len(group), dtype=torch.int64))
        trivial.append(max(cluster_scores(found, truth).bcubed_f for found in blind))
    return Clustered(
        f=[one.bcubed_f for one in scores],
        trivial=trivial,
        purity=sum(one.purity for one in scores) / len(scores),
        pairwise_f=sum(one.pairwise_f for one in scores) / len(scores),
        clusters=sum(one.clusters for one in scores),
    )


def to_show(embeddings: Float[Tensor, "n dim"], grouped: Grouped, threshold: float) -> Shown:
    """The largest clusters of all groups; of each some images, evenly out of all of them.

    Args:
        embeddings: of the grouped faces.
        grouped: the faces.
        threshold: squared distance.
    """
    clusters = []
    for group in grouped.groups:
        found = cluster(embeddings[group], threshold=threshold)
        clusters += [group[found == number] for number in range(int(found.max()) + 1)]
    shown: dict[str, list[Any]] = {"rows": [], "sizes": [], "mostly": [], "purity": []}
    for own in sorted(clusters, key=len, reverse=True)[:CLUSTERS]:
        counts = torch.bincount(grouped.labels[own])
        some = own[torch.linspace(0, len(own) - 1, min(FACES, len(own))).round().long()]
        shown["rows"].append(grouped.rows[some].tolist())
        shown["sizes"].append(len(own))
        shown["mostly"].append(int(counts.argmax()))
        shown["purity"].append(float(counts.max()) / len(own))
    return Shown(**shown)
