"""What every operation of a gallery is made of: a transaction, the model that embeds now, a face as a vector."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from shoal.data.faces.regions import Box
from shoal.errors import InputError, wrong
from shoal.gallery import people, upgrading
from shoal.gallery.audit import write_entry
from shoal.gallery.database import Database, Rows
from shoal.gallery.embedder import Embedder, unit_rows
from shoal.gallery.enrolling import Wanted, embed_photos, known, parse_box, put, settled
from shoal.gallery.matching import Matcher
from shoal.gallery.memory import Memory, Snapshot
from shoal.gallery.models import Version, active, read_versions, source_of
from shoal.gallery.opening import choose, vectors_only
from shoal.gallery.sources import embedding_digest, is_embeddings, read_photos
from shoal.gallery.values import Face

ALL = 2**62  # rows: more than there are


class Core:
    """What `shoal.gallery.Gallery` stands on.

    Args:
        database: that is open.
        embedder: what makes vectors of photos; None where only vectors come in.
        who: stands in the audit log.
    """

    def __init__(self, database: Database, embedder: Embedder | None, who: str):
        self._database, self._embedder, self._who = database, embedder, who
        self._memory, self._matcher = Memory(database), Matcher()

    def used_by(self, who: str) -> Self:
        """The same gallery for somebody else, who stands in the audit log; closing either closes both."""
        other = copy.copy(self)
        other._who = who
        return other

    @contextmanager
    def _writing(self) -> Iterator[Rows]:
        with self._database.write() as rows:
            yield rows

    def _enrol_vectors(self, person: str | None, faces: Any) -> list[int]:
        model = self._model(self._embedder, faces)
        vectors = unit_rows(faces, model.dim, "embeddings")
        wanted = [Wanted(embedding_digest(model.digest, vector), "", "", vector) for vector in vectors]
        there = known(self._database, model.id, [face.photo for face in wanted])
        if (done := settled(wanted, there, person, keep=False)) is not None:
            return done
        with self._writing() as rows:
            return self._put(rows, model.id, wanted, person)

    def _put(self, rows: Rows, model: int, wanted: Sequence[Wanted], person: str | None) -> list[int]:
        found = put(rows, self._database, model, wanted, person)
        owner = None if person is None else people.person_named(rows, person)
        write_entry(rows, self._who, "enrol", faces=found[:100], count=len(found), person=owner)
        return found

    def _add_vectors(self, rows: Rows, model: int, new: upgrading.New) -> None:
        if not new:
            return
        marks = ", ".join("?" * len(new))
        there = rows.all(f"SELECT face FROM vectors WHERE model = ? AND face IN ({marks})", model, *new)
        alive = rows.all(f"SELECT id FROM faces WHERE id IN ({marks})", *new)
        added = [int(face) for (face,) in alive if (face,) not in there]
        rows.many(
            "INSERT INTO vectors (face, model, value, added) VALUES (?, ?, ?, ?)",
            [(face, model, self._database.encode(new[face]), rows.revision) for face in added],
        )
        write_entry(rows, self._who, "reembed", model=model, count=len(added))

    def _query(self, face: Any, box: Box | None) -> tuple[NDArray[np.float32], Snapshot, int | None]:
        """A face as a vector, the gallery as it is now, and the model that both are asked with."""
        snapshot = self._memory.snapshot()
        version = active(snapshot.versions)
        if is_embeddings(face):
            vectors = unit_rows(face, None if version is None else version.dim, "embedding")
        else:
            photos = read_photos(face)
            embedder = self._need_embedder()
            self._check_current(embedder, version)
            faces = [face for on_it in embed_photos(embedder, photos, [[box]] * len(photos), set()) for face in on_it]
            vectors = np.array([face.vector for face in faces], np.float32)
        if len(vectors) != 1:
            raise wrong("face", expected="one", got=len(vectors))
        return vectors[0], snapshot, None if version is None else version.id

    def can_embed(self) -> bool:
        """Whether there is a model that embeds photos."""
        if self._embedder is None:
            self._embedder = choose(self._database, None)
        return self._embedder is not None

    def _need_embedder(self) -> Embedder:
        if not self.can_embed() or self._embedder is None:
            raise self._no_embedder()
        return self._embedder

    def _no_embedder(self) -> InputError:
        with self._database.read() as rows:
            version = active(read_versions(rows))
        path = None if version is None else source_of(version)
        got = "a gallery of embeddings only" if path is None else f"no file {path}"
        fix = "open it with model=…, for example what `shoal faces train` wrote"
        return wrong("model", expected="a model that embeds photos", got=got, fix=fix)

    def _model(self, embedder: Embedder | None, faces: Any = None) -> Version:
        """The gallery's model; written down where it is the first."""
        with self._database.read() as rows:
            version = active(read_versions(rows))
        if version is None:
            if embedder is None:
                embedder = vectors_only(unit_rows(faces, None, "embeddings").shape[1], {})
            with self._writing() as rows:  # somebody else may have been faster
                version = active(read_versions(rows)) or upgrading.first_version(rows, embedder)
        if embedder is not None:
            self._check_current(embedder, version)
        return version

    def _check_current(self, embedder: Embedder, version: Version | None) -> None:
        if version is not None and embedder.digest != version.digest:
            fix = "open the gallery again, or upgrade to the other model"
            raise wrong("model", expected=f"the gallery's, {version.name!r}", got=repr(embedder.name), fix=fix)


def check_boxes(boxes: Sequence[Sequence[Box | None]] | None, photos: int) -> Sequence[Sequence[Box | None]]:
    """The faces on each photo; the whole photo is one where nothing is said."""
    if boxes is None:
        return [[None]] * photos
    if len(boxes) != photos:
        raise wrong("boxes", expected=f"a list of boxes for each of {photos} photos", got=len(boxes))
    return boxes


def read_faces(rows: Rows, person: int | None, *, unnamed: bool, after: int, limit: int | None) -> list[Face]:
    """Faces with all that is to be said of them, by number.

    Args:
        rows: of a transaction.
        person: whose; everybody's unless given.
        unnamed: those of nobody.
        after: beyond this number.
        limit: so many at most.
    """
    names: dict[int, list[str]] = {}
    whose_faces = "AND person = ?" if person is not None else "AND person IS NULL" if unnamed else ""
    where = f"WHERE f.id IN (SELECT id FROM faces WHERE id > ? {whose_faces} ORDER BY id LIMIT ?)"
    values = (after, *(() if person is None else (person,)), ALL if limit is None else limit)
    join = f"FROM faces f JOIN photos p ON p.id = f.photo {where}"
    for face, name in rows.all(
        f"SELECT v.face, m.name FROM vectors v JOIN models m ON m.id = v.model JOIN faces f ON f.id = v.face {where} "
        "ORDER BY v.model",
        *values,
    ):
        names.setdefault(int(face), []).append(name)
    whose = {int(person): name for person, name in rows.all("SELECT id, name FROM people")}
    return [
        Face(int(face), int(photo), whose.get(person), name, parse_box(box), tuple(names.get(int(face), ())))
        for face, photo, person, name, box in rows.all(
            f"SELECT f.id, f.photo, f.person, p.name, f.box {join} ORDER BY f.id", *values
        )
    ]
