"""What people say about who is who, brought into one form, and refused where it contradicts itself."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor

from shoal.errors import wrong

Links = Sequence[Sequence[int]] | Int[Tensor, "k ends"] | NDArray[np.integer]


@dataclass(frozen=True)
class Constraints:
    """Links among n faces.

    Attributes:
        component: int64 [n], faces that are linked share a number, counted from 0 in the order of their first
            face.
        forbidden: bool [components, components], symmetrical: which of them are different people.
    """

    component: NDArray[np.int64]
    forbidden: NDArray[np.bool_]


def read_constraints(
    n: int, must_link: Links, cannot_link: Links, same_photo: Sequence[object] | Int[Tensor, "m"] | None = None
) -> Constraints | None:
    """Bring links into one form; None where nothing is said.

    Args:
        n: how many faces.
        must_link: pairs of one person.
        cannot_link: pairs of two.
        same_photo: the photo of each face, or None; None or a negative number where it is not known.

    Raises:
        InputError: if a link is no pair of rows, or links contradict each other; names the pair.

    Example:
        >>> links = read_constraints(4, [(0, 2)], [(2, 3)])
        >>> links.component.tolist(), links.forbidden.tolist()
        ([0, 1, 0, 2], [[False, False, True], [False, False, False], [True, False, False]])
    """
    joined, apart = _pairs(must_link, n, "must_link"), _pairs(cannot_link, n, "cannot_link")
    photos = _photos(same_photo, n)
    if not joined and not apart and not photos:
        return None
    component = _components(n, joined)
    groups = int(component.max()) + 1
    forbidden = np.zeros((groups, groups), dtype=np.bool_)
    for a, b in apart:
        if component[a] == component[b]:
            got = f"({a}, {b})" + (", one face" if a == b else ", which must_link joins")
            raise wrong("cannot_link", expected="pairs that can be two people", got=got)
        forbidden[component[a], component[b]] = forbidden[component[b], component[a]] = True
    for photo, faces in photos.items():
        first: dict[int, int] = {}
        for face in faces:
            if (other := first.setdefault(int(component[face]), face)) != face:
                got = f"({other}, {face}), both on photo {photo}"
                fix = "two faces of one photo are never one person"
                raise wrong("must_link", expected="faces of different photos", got=got, fix=fix)
        on_it = list(first)
        forbidden[np.ix_(on_it, on_it)] = True
    np.fill_diagonal(forbidden, val=False)
    return Constraints(component, forbidden)


def _pairs(links: Links, n: int, what: str) -> list[tuple[int, int]]:
    pairs = []
    for link in links.tolist() if isinstance(links, Tensor) else links:
        ends = tuple(link) if isinstance(link, Iterable) else ()
        if len(ends) != 2:
            raise wrong(what, expected="pairs of row numbers", got=link)
        a, b = (_row(end, n, what, link) for end in ends)
        pairs.append((a, b))
    return pairs


def _row(end: object, n: int, what: str, link: object) -> int:
    if isinstance(end, bool) or not isinstance(end, int | np.integer) or not 0 <= end < n:
        expected = f"pairs of row numbers from 0 to {n - 1}" if n else "none, since there are no rows"
        raise wrong(what, expected=expected, got=link)
    return int(end)


def _components(n: int, joined: list[tuple[int, int]]) -> NDArray[np.int64]:
    """Faces that links join, directly or through others, share a number."""
    parent = list(range(n))

    def root(face: int) -> int:
        while parent[face] != face:
            parent[face] = parent[parent[face]]
            face = parent[face]
        return face

    for a, b in joined:
        low, high = sorted((root(a), root(b)))
        parent[high] = low  # a root is the first face of its component
    roots = np.array([root(face) for face in range(n)], dtype=np.int64)
    return np.unique(roots, return_inverse=True)[1].astype(np.int64)


def _photos(same_photo: Sequence[object] | Tensor | None, n: int) -> dict[object, list[int]]:
    """The faces of each photo that is known and has several."""
    if same_photo is None:
        return {}
    photos = same_photo.tolist() if isinstance(same_photo, Tensor) else list(same_photo)
    if len(photos) != n:
        raise wrong("same_photo", expected=f"the photo of each of {n} faces", got=len(photos))
    faces: dict[object, list[int]] = {}
    for face, photo in enumerate(photos):
        if photo is not None and not (isinstance(photo, int | float) and photo < 0):
            faces.setdefault(photo, []).append(face)
    return {photo: members for photo, members in faces.items() if len(members) > 1}
