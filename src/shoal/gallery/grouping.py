"""Faces that nobody has named, grouped by person; what people know is kept: links, and one face of a person a photo."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from shoal.errors import wrong
from shoal.faces.clustering import MOST_FACES, cluster
from shoal.gallery.audit import write_entry
from shoal.gallery.database import Rows
from shoal.gallery.memory import Snapshot
from shoal.gallery.models import bring_down, meeting
from shoal.gallery.people import owners
from shoal.gallery.searching import sides


def link(rows: Rows, who: str, a: int, b: int, *, same: bool) -> None:
    """Say that two faces are one person's, or that they are not.

    Raises:
        InputError: if a face is not there, the two are on one photo or named otherwise, or other links say the
            opposite.
    """
    a, b = sorted((int(a), int(b)))
    if a == b:
        raise wrong("faces", expected="two faces", got=f"{a} twice")
    whose = owners(rows, (a, b))
    if same and len({row[0] for row in rows.all("SELECT photo FROM faces WHERE id IN (?, ?)", a, b)}) == 1:
        raise wrong("faces", expected="faces of two photos", got=f"{a} and {b} of one, which are two people")
    known = None not in whose.values()
    if known and same == (whose[a] != whose[b]):
        got = "faces of two people" if same else "two faces of one person"
        raise wrong("faces", expected="what is not named otherwise", got=got, fix="merge, split or assign instead")
    _check_others(rows, a, b, same=same)
    rows.run("DELETE FROM links WHERE a = ? AND b = ?", a, b)
    rows.run("INSERT INTO links (a, b, same) VALUES (?, ?, ?)", a, b, int(same))
    write_entry(rows, who, "link", faces=[a, b], same=same)


def unlink(rows: Rows, who: str, a: int, b: int) -> bool:
    """Forget what was said of two faces; gives whether anything had been."""
    a, b = sorted((int(a), int(b)))
    gone = rows.run("DELETE FROM links WHERE a = ? AND b = ?", a, b) > 0
    if gone:
        write_entry(rows, who, "unlink", faces=[a, b])
    return gone


def group_unnamed(
    snapshot: Snapshot, links: Sequence[tuple[int, int, int]], query: int, threshold: float, linkage: str
) -> list[tuple[int, ...]]:
    """Numbers of unnamed faces in groups, the largest first.

    Args:
        snapshot: of the gallery.
        links: (face, face, same) as they are kept.
        query: the model that is asked with now.
        threshold: see `shoal.faces.cluster`.
        linkage: the same.

    Raises:
        InputError: if there are too many, or links contradict each other.
    """
    vectors, places = _unnamed(snapshot, query)
    if len(places) > MOST_FACES:
        fix = "name some, or cluster a copy in parts"
        raise wrong("unnamed faces", expected=f"at most {MOST_FACES:,}", got=f"{len(places):,}", fix=fix)
    row_of = {int(snapshot.faces[place]): row for row, place in enumerate(places)}
    pairs = [(row_of[a], row_of[b], same) for a, b, same in links if a in row_of and b in row_of]
    if not len(places):
        return []
    labels = cluster(
        torch.from_numpy(vectors),
        threshold=threshold,
        linkage=linkage,
        must_link=[(a, b) for a, b, same in pairs if same],
        cannot_link=[(a, b) for a, b, same in pairs if not same],
        same_photo=torch.from_numpy(snapshot.photos[places]),
    ).numpy()
    groups = [tuple(snapshot.faces[places[labels == label]].tolist()) for label in range(int(labels.max()) + 1)]
    return sorted(groups, key=lambda faces: (-len(faces), faces))


def read_links(rows: Rows) -> list[tuple[int, int, int]]:
    """(face, face, same) of all links."""
    return [(int(a), int(b), int(same)) for a, b, same in rows.all("SELECT a, b, same FROM links ORDER BY a, b")]


def _unnamed(snapshot: Snapshot, query: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """One vector for each unnamed face, all in one space, in the order of the faces."""
    found = sides(snapshot, query)
    space = query
    for side in found:
        space = meeting(snapshot.versions, space, side.space)
    parts, places = [], []
    for side in found:
        parts.append(bring_down(snapshot.versions, side.vectors[side.nobodies], side.space, space))
        places.append(side.places[side.nobodies])
    if not parts:
        return np.empty((0, 1), np.float32), np.empty(0, np.int64)
    order = np.argsort(np.concatenate(places))
    return np.concatenate(parts)[order], np.concatenate(places)[order]


def _check_others(rows: Rows, a: int, b: int, *, same: bool) -> None:
    """Refuse a link that what follows from others contradicts."""
    links = [link for link in read_links(rows) if link[:2] != (a, b)]
    together = _component(links, a)
    if not same:
        if b in together:
            got = f"{a} and {b}, which are, if only through others"
            raise wrong("faces", expected="faces that are not linked as one person", got=got)
        return
    others = _component(links, b)
    apart = [(x, y) for x, y, kind in links if not kind]
    clash = next(((x, y) for x, y in apart if {x, y} & together and {x, y} & others), None)
    if clash is not None and together.isdisjoint(others):
        raise wrong("faces", expected="faces that were not told apart", got=f"{clash[0]} and {clash[1]}, which were")


def _component(links: Sequence[tuple[int, int, int]], face: int) -> set[int]:
    """Faces that links say are the same person as this one."""
    beside: dict[int, set[int]] = defaultdict(set)
    for a, b, same in links:
        if same:
            beside[a].add(b)
            beside[b].add(a)
    found, edge = {face}, {face}
    while edge:
        edge = set().union(*(beside[one] for one in edge)) - found
        found |= edge
    return found
