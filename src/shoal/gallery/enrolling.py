"""Bringing faces into the gallery: each photo in one transaction, and the same photo twice is one photo."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from shoal.data.faces.images import read_face
from shoal.data.faces.regions import Box
from shoal.errors import InputError, ShoalError, wrong
from shoal.gallery.database import Database, Rows, now
from shoal.gallery.embedder import Embedder
from shoal.gallery.people import check_together, person_or_new, several
from shoal.gallery.sources import Photo, thumbnail

WHOLE = ""  # the box of a face that fills its photo
AT_ONCE = 64  # photos that are decoded before they are embedded


@dataclass(frozen=True)
class Wanted:
    """A face that is to be in the gallery.

    Attributes:
        photo: digest of what it is on.
        name: of that.
        box: as text; see `box_text`.
        vector: of unit length; None where the gallery has it already.
        image: the photo's bytes, where they are to be kept.
        thumbnail: a small picture, where there is one.
    """

    photo: str
    name: str
    box: str
    vector: NDArray[np.float32] | None
    image: bytes | None = None
    thumbnail: bytes | None = None


def box_text(box: Box | None) -> str:
    """A box as it is kept: the same numbers are the same face.

    Example:
        >>> box_text((1, 2.5, 30, 40.0)), box_text(None)
        ('1,2.5,30,40', '')
    """
    return WHOLE if box is None else ",".join(f"{edge:g}" for edge in box)


def parse_box(text: str) -> Box | None:
    """What `box_text` wrote."""
    if not text:
        return None
    left, top, right, bottom = map(float, text.split(","))
    return left, top, right, bottom


@dataclass(frozen=True)
class Known:
    """A face that has a vector already.

    Attributes:
        face: its number.
        person: by name; None where nobody has said.
        kept: whether its photo is kept.
    """

    face: int
    person: str | None
    kept: bool


def known(database: Database, model: int, digests: Sequence[str]) -> dict[tuple[str, str], Known]:
    """Faces that have a vector of a model already, by photo and box."""
    found: dict[tuple[str, str], Known] = {}
    with database.read() as rows:
        for part in several(list(dict.fromkeys(digests))):
            marks = ", ".join("?" * len(part))
            for digest, box, face, person, kept in rows.all(
                "SELECT p.digest, f.box, f.id, q.name, p.image IS NOT NULL FROM photos p "
                "JOIN faces f ON f.photo = p.id JOIN vectors v ON v.face = f.id AND v.model = ? "
                f"LEFT JOIN people q ON q.id = f.person WHERE p.digest IN ({marks})",
                model,
                *part,
            ):
                found[digest, box] = Known(int(face), person, bool(kept))
    return found


def settled(
    wanted: Sequence[Wanted], there: Mapping[tuple[str, str], Known], person: str | None, *, keep: bool
) -> list[int] | None:
    """The numbers of faces of which nothing has to be written; None where something has."""
    found = [there.get((face.photo, face.box)) for face in wanted]
    done = [one for one in found if one and person in (None, one.person) and (one.kept or not keep)]
    return [one.face for one in done] if len(done) == len(wanted) else None


def embed_photos(
    embedder: Embedder, photos: Sequence[Photo], boxes: Sequence[Sequence[Box | None]], skip: Container[tuple[str, str]]
) -> list[list[Wanted]]:
    """The faces of photos with their vectors; of those to skip without.

    Raises:
        InputError: if a photo cannot be read; names it.
    """
    asked = [
        (i, box) for i, on_it in enumerate(boxes) for box in on_it if (photos[i].digest, box_text(box)) not in skip
    ]
    vectors = {}
    for begin in range(0, len(asked), AT_ONCE):
        part = asked[begin : begin + AT_ONCE]
        images = torch.stack([_read(photos[i], box, embedder) for i, box in part])  # uint8 (n, 3, h, w)
        for (i, box), vector in zip(part, embedder(images), strict=True):
            vectors[i, box_text(box)] = vector
    return [
        [Wanted(photo.digest, photo.name, box_text(box), vectors.get((i, box_text(box)))) for box in on_it]
        for i, (photo, on_it) in enumerate(zip(photos, boxes, strict=True))
    ]


def with_pictures(wanted: Sequence[Wanted], photo: Photo, *, keep: bool) -> list[Wanted]:
    """The faces of a photo together with its thumbnail, and with its bytes where they are to be kept."""
    small = thumbnail(photo.content)
    image = photo.content if keep else None
    return [Wanted(face.photo, face.name, face.box, face.vector, image, small) for face in wanted]


def put(rows: Rows, database: Database, model: int, wanted: Sequence[Wanted], person: str | None) -> list[int]:
    """Write faces down, as far as they are not there.

    Args:
        rows: of a writing transaction.
        database: that it belongs to.
        model: whose the vectors are.
        wanted: the faces.
        person: whose they are; None if nobody knows.

    Returns:
        The number of each face, in order.

    Raises:
        InputError: if one is somebody else's, or two of a person's are on one photo.
    """
    owner = None if person is None else person_or_new(rows, person)
    photos = _put_photos(rows, wanted)
    faces = _put_faces(rows, [(photos[face.photo], face.box) for face in wanted], owner)
    found = [faces[photos[face.photo], face.box] for face in wanted]
    _put_vectors(rows, database, model, {f: w.vector for f, w in zip(found, wanted, strict=True)})
    if owner is not None:
        check_together(rows, owner)
    return found


def _read(photo: Photo, box: Box | None, embedder: Embedder) -> torch.Tensor:
    crop = 1.0 if box is not None else embedder.crop
    try:
        return read_face(photo.content, embedder.image_size, box=box, crop=crop)
    except InputError as error:
        raise InputError(str(error).replace("image:", f"{photo.name or 'photo'}:", 1)) from None


def _put_photos(rows: Rows, wanted: Sequence[Wanted]) -> dict[str, int]:
    unique = {face.photo: face for face in wanted}
    there = _photo_ids(rows, list(unique))
    new = [face for digest, face in unique.items() if digest not in there]
    rows.many(
        "INSERT INTO photos (digest, name, added, thumbnail, image) VALUES (?, ?, ?, ?, ?)",
        [(face.photo, face.name, now(), face.thumbnail, face.image) for face in new],
    )
    for digest, face in unique.items():
        if digest in there and face.image is not None:
            rows.run("UPDATE photos SET image = ? WHERE id = ? AND image IS NULL", face.image, there[digest])
    return there | _photo_ids(rows, [face.photo for face in new])


def _photo_ids(rows: Rows, digests: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in several(digests):
        marks = ", ".join("?" * len(part))
        found.update(
            (d, int(i)) for d, i in rows.all(f"SELECT digest, id FROM photos WHERE digest IN ({marks})", *part)
        )
    return found


def _put_faces(rows: Rows, wanted: Sequence[tuple[int, str]], owner: int | None) -> dict[tuple[int, str], int]:
    asked, there = set(wanted), _face_rows(rows, wanted)
    for (photo, box), (face, person) in there.items():
        if owner is None or person == owner or (photo, box) not in asked:
            continue
        if person is not None:
            name = rows.all("SELECT name FROM people WHERE id = ?", person)[0][0]
            fix = "assign it to the other person if that was a mistake"
            raise wrong(f"face {face}", expected="a face of nobody, or of this person", got=f"one of {name!r}", fix=fix)
        rows.run("UPDATE faces SET person = ?, changed = ? WHERE id = ?", owner, rows.revision, face)
    new = [place for place in dict.fromkeys(wanted) if place not in there]
    rows.many(
        "INSERT INTO faces (photo, person, box, changed) VALUES (?, ?, ?, ?)",
        [(photo, owner, box, rows.revision) for photo, box in new],
    )
    found = there | _face_rows(rows, new)
    return {place: face for place, (face, _) in found.items()}


def _face_rows(rows: Rows, places: Sequence[tuple[int, str]]) -> dict[tuple[int, str], tuple[int, int | None]]:
    found = {}
    for part in several(list(dict.fromkeys(photo for photo, _ in places))):
        marks = ", ".join("?" * len(part))
        for photo, box, face, person in rows.all(
            f"SELECT photo, box, id, person FROM faces WHERE photo IN ({marks})", *part
        ):
            found[int(photo), box] = (int(face), None if person is None else int(person))
    return found


def _put_vectors(rows: Rows, database: Database, model: int, vectors: dict[int, NDArray[np.float32] | None]) -> None:
    given = {face: vector for face, vector in vectors.items() if vector is not None}
    there: set[int] = set()
    for part in several(list(vectors)):
        marks = ", ".join("?" * len(part))
        there |= {
            int(row[0])
            for row in rows.all(f"SELECT face FROM vectors WHERE model = ? AND face IN ({marks})", model, *part)
        }
    if not vectors.keys() - given.keys() <= there:
        raise ShoalError("photo: it was deleted from the gallery while this was under way; enrol it again")
    rows.many(
        "INSERT INTO vectors (face, model, value, added) VALUES (?, ?, ?, ?)",
        [(face, model, database.encode(vector), rows.revision) for face, vector in given.items() if face not in there],
    )
