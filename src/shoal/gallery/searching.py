"""Who is nearest: exact, one product of a matrix with a vector for each model whose vectors the gallery holds.

For unit vectors |a − b|² = 2 − 2 a·b. The product is taken in float32 for all, and the few that are given back are
measured again in float64, by differences.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from shoal.gallery.memory import NOBODY, Snapshot
from shoal.gallery.models import bring_down, meeting

FEW = 128  # of the nearest faces, among which k people are looked for before all faces are gone through


@dataclass(frozen=True, eq=False)
class Side:
    """The vectors of one model, ready to be compared with queries of another.

    Attributes:
        model: whose vectors they are.
        vectors: in the space in which both meet.
        places: of their faces.
        space: the model whose space that is.
    """

    model: int
    vectors: NDArray[np.float32]
    places: NDArray[np.int64]
    space: int


@dataclass(frozen=True)
class Near:
    """The nearest face of a person.

    Attributes:
        person: by number; −1 for a face of nobody's.
        face: its number.
        distance: squared and Euclidean.
        model: whose vector of the face it was.
    """

    person: int
    face: int
    distance: float
    model: int


def sides(snapshot: Snapshot, query: int) -> list[Side]:
    """What a query of a model is compared with: of every face one vector, the one nearest to that model.

    Args:
        snapshot: of the gallery.
        query: the model that queries are embedded with.
    """
    found, taken = [], np.zeros(len(snapshot.faces), dtype=bool)
    for model in _by_nearness(snapshot, query):
        bank = snapshot.banks[model]
        free = ~taken[bank.places]
        if not free.any():
            continue
        places = bank.places if free.all() else bank.places[free]
        vectors = bank.vectors if free.all() else bank.vectors[free]
        space = meeting(snapshot.versions, query, model)
        found.append(Side(model, bring_down(snapshot.versions, vectors, model, space), places, space))
        taken[places] = True
    return found


def nearest_people(
    snapshot: Snapshot, prepared: list[Side], query: int, vector: NDArray[np.float32], k: int
) -> list[Near]:
    """The nearest face of each of the k nearest people, for every model's vectors, nearest first.

    Args:
        snapshot: of the gallery.
        prepared: `sides` of the query's model.
        query: that model.
        vector: the query, [dim], of unit length.
        k: people for each model's vectors, >= 1.
    """
    found: list[Near] = []
    for side in prepared:
        asked = bring_down(snapshot.versions, vector[None], query, side.space)[0]
        likeness = torch.mv(torch.from_numpy(side.vectors), torch.from_numpy(asked))  # (n,)
        found += _of_people(snapshot, side, asked, likeness, k)
    return sorted(found, key=lambda near: (near.distance, near.face))


def distances_to(
    snapshot: Snapshot, prepared: list[Side], query: int, vector: NDArray[np.float32], person: int
) -> list[Near]:
    """The nearest face of one person, for every model's vectors; none where the person has no vector."""
    found = []
    for side in prepared:
        rows = np.flatnonzero(snapshot.people[side.places] == person)
        if len(rows):
            asked = bring_down(snapshot.versions, vector[None], query, side.space)[0]
            found.append(_exact(snapshot, side, asked, rows)[0])
    return sorted(found, key=lambda near: near.distance)


def _by_nearness(snapshot: Snapshot, query: int) -> list[int]:
    """Models by how near they are to one: itself, then those that it followed, then those that followed it."""
    order, parent = [query], snapshot.versions[query].parent
    while parent is not None:
        order.append(parent)
        parent = snapshot.versions[parent].parent
    later = [model for model in snapshot.versions if model not in order]
    return [model for model in (*order, *later) if model in snapshot.banks]


def _of_people(
    snapshot: Snapshot, side: Side, asked: NDArray[np.float32], likeness: torch.Tensor, k: int
) -> list[Near]:
    people = snapshot.people[side.places]  # (n,)
    named = torch.from_numpy(people != NOBODY)
    likeness = likeness.masked_fill(~named, -torch.inf)
    few = min(len(likeness), max(FEW, 4 * k))
    top = torch.topk(likeness, few)
    rows = top.indices[top.values.isfinite()].numpy()
    if len(np.unique(people[rows])) < k and few < int(named.sum()):
        rows = _best_rows(people, likeness.numpy())
    return _exact(snapshot, side, asked, rows)[:k]


def _best_rows(people: NDArray[np.int64], likeness: NDArray[np.float32]) -> NDArray[np.int64]:
    """The row of each person's most alike face."""
    order = np.lexsort((-likeness, people))
    first = np.unique(people[order], return_index=True)
    return order[first[1][first[0] != NOBODY]]


def _exact(snapshot: Snapshot, side: Side, asked: NDArray[np.float32], rows: NDArray[np.int64]) -> list[Near]:
    """The nearest of these rows for each person, measured in float64."""
    difference = side.vectors[rows].astype(np.float64) - asked.astype(np.float64)  # (r, dim)
    distance = np.square(difference).sum(1)
    best: dict[int, Near] = {}
    for row in np.lexsort((side.places[rows], distance)):
        place = side.places[rows[row]]
        person = int(snapshot.people[place])
        best.setdefault(person, Near(person, int(snapshot.faces[place]), float(distance[row]), side.model))
    return list(best.values())
