"""Who is nearest: exact, one product of a matrix with a vector for each model whose vectors the gallery holds.

For unit vectors |a − b|² = 2 − 2 a·b. The product is taken in float32 for all, and the few that are given back are
measured again in float64, by differences.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shoal.gallery.memory import NOBODY, Snapshot
from shoal.gallery.models import bring_down, meeting

FEW = 128  # of the nearest faces, among which k people are looked for before all faces are gone through
BLOCK = 64  # likenesses whose largest stands for them while the bound of the few is sought


@dataclass(frozen=True, eq=False)
class Side:
    """The vectors of one model, ready to be compared with queries of another.

    Attributes:
        model: whose vectors they are.
        vectors: in the space in which both meet.
        places: of their faces.
        people: whose they are.
        nobodies: rows of those that are nobody's.
        space: the model whose space that is.
    """

    model: int
    vectors: NDArray[np.float32]
    places: NDArray[np.int64]
    people: NDArray[np.int64]
    nobodies: NDArray[np.int64]
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
        space, people = meeting(snapshot.versions, query, model), snapshot.people[places]
        there = bring_down(snapshot.versions, vectors, model, space)
        found.append(Side(model, there, places, people, np.flatnonzero(people == NOBODY), space))
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
        likeness = np.einsum("nd,d->n", side.vectors, asked)  # by one thread: more wait for the memory, and each other
        likeness[side.nobodies] = -np.inf
        rows = _rows_of_people(side.people, likeness, min(k, len(snapshot.names)))
        found += _exact(snapshot, side, asked, rows, k)
    return sorted(found, key=lambda near: (near.distance, near.face))


def distances_to(
    snapshot: Snapshot, prepared: list[Side], query: int, vector: NDArray[np.float32], person: int
) -> list[Near]:
    """The nearest face of one person, for every model's vectors; none where the person has no vector."""
    found = []
    for side in prepared:
        rows = np.flatnonzero(side.people == person)
        if len(rows):
            asked = bring_down(snapshot.versions, vector[None], query, side.space)[0]
            found += _exact(snapshot, side, asked, rows, 1)
    return sorted(found, key=lambda near: near.distance)


def _by_nearness(snapshot: Snapshot, query: int) -> list[int]:
    """Models by how near they are to one: itself, then those that it followed, then those that followed it."""
    order, parent = [query], snapshot.versions[query].parent
    while parent is not None:
        order.append(parent)
        parent = snapshot.versions[parent].parent
    later = [model for model in snapshot.versions if model not in order]
    return [model for model in (*order, *later) if model in snapshot.banks]


def _rows_of_people(people: NDArray[np.int64], likeness: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Rows among which are the most alike faces of the k nearest people."""
    few = max(FEW, 4 * k)
    rows = _most_alike(likeness, few)
    if len(rows) >= few and len(np.unique(people[rows])) < k:  # somebody has very many faces
        rows = _best_of_each(people, likeness)
        rows = rows[_most_alike(likeness[rows], few)]
    return rows


def _most_alike(likeness: NDArray[np.float32], few: int) -> NDArray[np.int64]:
    """Rows of the most alike faces: so many, as far as there are, and those that are no less alike than the last."""
    bound, blocks = np.float32(-np.inf), len(likeness) // BLOCK
    if blocks > few:  # so many blocks have a face that is as alike as the bound, and only those can have one
        largest = likeness[: blocks * BLOCK].reshape(blocks, BLOCK).max(1)
        bound = np.partition(largest, blocks - few)[blocks - few]
    rows = np.flatnonzero(likeness >= bound)
    alike = likeness[rows]
    if len(rows) > few:
        bound = np.partition(alike, len(rows) - few)[len(rows) - few]
    return rows[(alike >= bound) & (alike > -np.inf)]


def _best_of_each(people: NDArray[np.int64], likeness: NDArray[np.float32]) -> NDArray[np.int64]:
    """Rows of everybody's most alike face."""
    best = np.full(int(people.max()) + 1, -np.inf, np.float32)
    np.maximum.at(best, people, likeness)  # nobody's, −1, count as −∞ to whoever is last
    return np.flatnonzero((likeness == best[people]) & (likeness > -np.inf))


def _exact(snapshot: Snapshot, side: Side, asked: NDArray[np.float32], rows: NDArray[np.int64], k: int) -> list[Near]:
    """The nearest of these rows for each of the k nearest people, measured in float64, nearest first."""
    difference = side.vectors[rows].astype(np.float64) - asked.astype(np.float64)  # (r, dim)
    distance = np.square(difference).sum(1)
    order = np.lexsort((side.places[rows], distance))
    nearest = np.sort(np.unique(side.people[rows[order]], return_index=True)[1])[:k]
    return [
        Near(int(side.people[row]), int(snapshot.faces[side.places[row]]), float(away), side.model)
        for row, away in zip(rows[order[nearest]], distance[order[nearest]], strict=True)
    ]
