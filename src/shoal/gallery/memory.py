"""The vectors in memory, kept up to date by asking the database only for what is new.

A search is one product of a matrix with a vector; the matrix has to be at hand. A `Snapshot` is what one moment's
readers see: arrays that are never written to where somebody may read. New rows go behind the ones that are there, in
room that was set aside; what was deleted, which is rare, has everything read anew.
"""

import threading
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Float32, Int64
from numpy.typing import NDArray

from shoal.gallery.database import NEVER, Database, Rows, number
from shoal.gallery.models import Version, read_versions

NOBODY = -1
AT_ONCE = 20_000  # vectors that are read together


@dataclass(frozen=True, eq=False)
class Bank:
    """The vectors of one model.

    Attributes:
        vectors: of unit length.
        places: where each vector's face stands in the snapshot's arrays.
    """

    vectors: Float32[np.ndarray, "n dim"]
    places: Int64[np.ndarray, "n"]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A gallery at one moment.

    Attributes:
        revision: newest that it holds.
        erasures: how often something had been deleted.
        versions: models by number.
        names: of people by number.
        faces: numbers of faces, ascending.
        people: whose each face is, −1 for nobody's.
        photos: which photo each face is on.
        banks: vectors by model.
    """

    revision: int = NEVER
    erasures: int = -1
    versions: dict[int, Version] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    faces: Int64[np.ndarray, "f"] = field(default_factory=lambda: np.empty(0, np.int64))
    people: Int64[np.ndarray, "f"] = field(default_factory=lambda: np.empty(0, np.int64))
    photos: Int64[np.ndarray, "f"] = field(default_factory=lambda: np.empty(0, np.int64))
    banks: dict[int, Bank] = field(default_factory=dict)

    @cached_property
    def named(self) -> int:
        """How many faces are somebody's."""
        return int((self.people != NOBODY).sum())


class Memory:
    """Gives the newest snapshot.

    Args:
        database: to read from.
    """

    def __init__(self, database: Database):
        self._database, self._now, self._lock = database, Snapshot(), threading.Lock()
        self._rooms: dict[int, _Room] = {}

    def snapshot(self) -> Snapshot:
        """The gallery as it is now."""
        with self._lock:
            try:
                with self._database.read() as rows:
                    if rows.revision != self._now.revision:
                        self._now = self._newer(rows)
            except BaseException:
                self._now, self._rooms = Snapshot(), {}  # what was read in part is read again
                raise
            return self._now

    def _newer(self, rows: Rows) -> Snapshot:
        erasures, old = number(rows, "SELECT erasures FROM state"), self._now
        if erasures != old.erasures:
            self._rooms, old = {}, Snapshot()
        faces, people, photos = _faces(rows, old)
        versions = read_versions(rows)
        banks = {model: self._bank(rows, version, old.revision, faces) for model, version in versions.items()}
        return Snapshot(
            revision=rows.revision,
            erasures=erasures,
            versions=versions,
            names=_names(rows, old),
            faces=faces,
            people=people,
            photos=photos,
            banks=banks,
        )

    def _bank(self, rows: Rows, version: Version, since: int, faces: NDArray[np.int64]) -> Bank:
        room = self._rooms.setdefault(version.id, _Room(version.dim))
        room.reserve(number(rows, "SELECT COUNT(*) FROM vectors WHERE model = ? AND added > ?", version.id, since))
        last = (since, 2**62)
        while found := rows.all(
            "SELECT added, id, face, value FROM vectors WHERE model = ? AND (added, id) > (?, ?) "
            "ORDER BY added, id LIMIT ?",
            version.id,
            *last,
            AT_ONCE,
        ):
            vectors = self._database.decode([row[3] for row in found], version.dim)
            room.add(vectors, np.searchsorted(faces, np.array([row[2] for row in found], dtype=np.int64)))
            last = found[-1][:2]
        return room.bank()


class _Room:
    """Rows with room for more behind them; what was given out is not written to again."""

    def __init__(self, dim: int):
        self.count = 0
        self.vectors, self.places = np.empty((0, dim), np.float32), np.empty(0, np.int64)

    def reserve(self, more: int) -> None:
        end = self.count + more
        if end > len(self.vectors):
            room = max(end, 9 * len(self.vectors) // 8)
            self.vectors, self.places = _grown(self.vectors, room), _grown(self.places, room)

    def add(self, vectors: NDArray[np.float32], places: NDArray[np.int64]) -> None:
        end = self.count + len(vectors)
        self.vectors[self.count : end], self.places[self.count : end] = vectors, places
        self.count = end

    def bank(self) -> Bank:
        return Bank(self.vectors[: self.count], self.places[: self.count])


def _grown(array: NDArray, rows: int) -> NDArray:  # type: ignore[type-arg]
    grown = np.empty((rows, *array.shape[1:]), array.dtype)
    grown[: len(array)] = array
    return grown


def _names(rows: Rows, old: Snapshot) -> dict[int, str]:
    """Names of people; of those who are gone too, whom no face points to."""
    return old.names | {
        int(person): name for person, name in rows.all("SELECT id, name FROM people WHERE changed > ?", old.revision)
    }


def _faces(rows: Rows, old: Snapshot) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Faces, whose they are and on which photo, with what has changed since."""
    found = rows.all("SELECT id, person, photo FROM faces WHERE changed > ?", old.revision)
    changed = np.array(
        [(face, NOBODY if person is None else person, photo) for face, person, photo in found], dtype=np.int64
    ).reshape(-1, 3)
    changed = changed[np.argsort(changed[:, 0])]  # not by the database, which would go through all to spare the sort
    last = old.faces[-1] if len(old.faces) else 0
    new, known = changed[changed[:, 0] > last], changed[changed[:, 0] <= last]
    people = np.concatenate((old.people, new[:, 1]))
    people[np.searchsorted(old.faces, known[:, 0])] = known[:, 1]
    return np.concatenate((old.faces, new[:, 0])), people, np.concatenate((old.photos, new[:, 2]))
