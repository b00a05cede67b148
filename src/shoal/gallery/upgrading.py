"""A new model without embedding anybody again, and back.

An upgrade writes down a model, how its vectors compare with the old ones, and vectors of the faces that the gate was
measured on. No vector that is there is touched: a gallery of 100,000 faces is upgraded by a handful of rows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from shoal.data.faces.images import read_face
from shoal.errors import InputError, ShoalError, wrong
from shoal.faces.translation import Translation
from shoal.gallery.audit import write_entry
from shoal.gallery.database import Database, Rows, number
from shoal.gallery.embedder import Embedder
from shoal.gallery.enrolling import parse_box
from shoal.gallery.gates import AS_IT_IS, Both, decide
from shoal.gallery.memory import NOBODY, Snapshot
from shoal.gallery.models import (
    ACTIVE,
    PAST,
    WITHDRAWN,
    Version,
    active,
    add_version,
    read_gate,
    read_versions,
    set_state,
)
from shoal.gallery.searching import sides
from shoal.gallery.values import Gate, Upgrade

MOST_MEASURED = 4_000  # faces that are embedded again for the gate
AT_ONCE = 64
New = dict[int, NDArray[np.float32]]


class UpgradeRefusedError(ShoalError):
    """An upgrade that would make recognition worse; the gallery is as it was.

    Attributes:
        gate: what was measured.
    """

    def __init__(self, gate: Gate):
        super().__init__(f"upgrade {gate}; nothing was changed; train the model longer, or harmonically with the old")
        self.gate = gate


@dataclass(frozen=True, eq=False)
class Plan:
    """What an upgrade is going to write.

    Attributes:
        gate: what was measured; None where nothing could be, and the upgrade is forced.
        translation: into the old space, where vectors do not compare as they are.
        new: vectors of the new model, by face.
        old: the model that it follows.
    """

    gate: Gate | None
    translation: Translation | None
    new: New
    old: int


def plan(snapshot: Snapshot, version: Version, new: New, *, way: str | None, force: bool) -> Plan:
    """Decide on an upgrade.

    Args:
        snapshot: of the gallery.
        version: the model that it has.
        new: vectors of the new one, by face.
        way: see `decide`.
        force: go on although recognition gets worse, or nothing can be measured.

    Raises:
        UpgradeRefusedError: if recognition would get worse.
        InputError: if it cannot be measured.
    """
    both = _both(snapshot, version, new)
    try:
        gate, translation = decide(both, way)
    except InputError:
        dims = {both.old.shape[1], both.new.shape[1]}
        if not force or len(dims) > 1 or way not in (None, AS_IT_IS):
            raise
        gate, translation = None, None
    if gate is not None and not gate.passed and not force:
        raise UpgradeRefusedError(gate)
    return Plan(gate, translation, new, version.id)


def carry_out(rows: Rows, database: Database, who: str, embedder: Embedder, planned: Plan) -> Upgrade:
    """Write an upgrade down.

    Raises:
        ShoalError: if somebody else has upgraded in the meantime.
    """
    old = active(read_versions(rows))
    if old is None or old.id != planned.old:
        raise ShoalError("upgrade: the gallery's model has changed in the meantime; nothing was changed; try again")
    set_state(rows, old, PAST)
    version = add_version(
        rows, _version_of(embedder, old.id, planned.translation), planned.gate and asdict(planned.gate)
    )
    there = {int(row[0]) for row in rows.all("SELECT id FROM faces")} if planned.new else set()
    kept = number(rows, "SELECT COUNT(*) FROM vectors")
    added = [face for face in planned.new if face in there]
    rows.many(
        "INSERT INTO vectors (face, model, value, added) VALUES (?, ?, ?, ?)",
        [(face, version.id, database.encode(planned.new[face]), rows.revision) for face in added],
    )
    write_entry(rows, who, "upgrade", model=version.id, parent=old.id, added=len(added))
    return Upgrade(version.name, planned.gate, kept, len(added))


def go_back(rows: Rows, who: str) -> str:
    """Make the model before the active one embed again; gives its name.

    Raises:
        InputError: if there is none.
    """
    versions = read_versions(rows)
    now = active(versions)
    if now is None or now.parent is None:
        raise wrong("rollback", expected="a gallery that was upgraded", got="one with its first model")
    old = versions[now.parent]
    set_state(rows, now, WITHDRAWN)
    set_state(rows, old, ACTIVE)
    write_entry(rows, who, "rollback", model=now.id, to=old.id)
    return old.name


def take_again(rows: Rows, who: str, had: Version) -> Upgrade:
    """Have a model follow once more from which the gallery was rolled back; what was measured then still holds.

    Raises:
        InputError: if it is the active one, or followed another.
    """
    versions = read_versions(rows)
    now, version = active(versions), versions[had.id]
    if now is None or version.state != WITHDRAWN or version.parent != now.id:
        expected = "one that the gallery has never had, or was just rolled back from"
        raise wrong("model", expected=expected, got=f"{version.name!r}, which is {version.state}")
    set_state(rows, now, PAST)
    set_state(rows, version, ACTIVE)
    write_entry(rows, who, "upgrade", model=version.id, parent=now.id, added=0)
    return Upgrade(version.name, read_gate(rows, version), number(rows, "SELECT COUNT(*) FROM vectors"), 0)


def first_version(rows: Rows, embedder: Embedder) -> Version:
    """Write down the model that a gallery begins with."""
    return add_version(rows, _version_of(embedder, None, None))


def faces_to_measure(snapshot: Snapshot) -> list[int]:
    """Named faces of people with several, at most as many as the gate needs, spread over people."""
    named = np.flatnonzero(snapshot.people != NOBODY)
    _, inverse, sizes = np.unique(snapshot.people[named], return_inverse=True, return_counts=True)
    named, inverse = named[sizes[inverse] > 1], inverse[sizes[inverse] > 1]
    order = np.argsort(inverse, kind="stable")
    starts = np.searchsorted(inverse[order], inverse[order])
    turn = np.arange(len(order)) - starts  # the first face of everybody, then the second
    chosen = order[np.argsort(turn, kind="stable")][:MOST_MEASURED]
    return np.sort(snapshot.faces[named[chosen]]).tolist()


def embed_again(
    database: Database, embedder: Embedder, faces: Sequence[int], photos: Mapping[str, Path] | None = None
) -> New:
    """Vectors of faces whose photos are given, or kept by the gallery; the others are left out.

    Args:
        database: to read kept photos from.
        embedder: the new model.
        faces: by number.
        photos: files, by their digest.
    """
    found: New = {}
    for begin in range(0, len(faces), AT_ONCE):
        images = _images(database, embedder, faces[begin : begin + AT_ONCE], photos or {})
        if images:
            found |= dict(zip(images, embedder(torch.stack(list(images.values()))), strict=True))
    return found


def _images(
    database: Database, embedder: Embedder, faces: Sequence[int], photos: Mapping[str, Path]
) -> dict[int, torch.Tensor]:
    marks = ", ".join("?" * len(faces))
    sql = f"SELECT f.id, f.box, p.digest, p.image FROM faces f JOIN photos p ON p.id = f.photo WHERE f.id IN ({marks})"
    with database.read() as rows:
        there = rows.all(sql, *faces)
    found = {}
    for face, box, digest, image in there:
        if digest in photos:
            found[int(face)] = _decode(photos[digest].read_bytes(), box, embedder)
        elif image is not None:
            found[int(face)] = _decode(bytes(image), box, embedder)
    return found


def _decode(content: bytes, box: str, embedder: Embedder) -> torch.Tensor:
    place = parse_box(box)
    crop = embedder.crop if place is None else 1.0
    return read_face(content, embedder.image_size, box=place, crop=crop)


def _both(snapshot: Snapshot, version: Version, new: New) -> Both:
    """Named faces by both models, the old one as the gallery is searched with it now."""
    old: dict[int, NDArray[np.float32]] = {}
    for side in sides(snapshot, version.id):
        if side.model == version.id:
            old = {int(snapshot.faces[p]): v for p, v in zip(side.places, side.vectors, strict=True)}
    people = dict(zip(snapshot.faces.tolist(), snapshot.people.tolist(), strict=True))
    faces = [face for face in sorted(new) if face in old and people.get(face, NOBODY) != NOBODY]
    dim = len(next(iter(new.values()))) if new else version.dim
    return Both(
        np.array([old[face] for face in faces], np.float32).reshape(len(faces), version.dim),
        np.array([new[face] for face in faces], np.float32).reshape(len(faces), dim),
        np.array([people[face] for face in faces], np.int64),
    )


def _version_of(embedder: Embedder, parent: int | None, translation: Translation | None) -> Version:
    return Version(0, embedder.name, embedder.digest, embedder.dim, embedder.about, parent, translation, ACTIVE)
