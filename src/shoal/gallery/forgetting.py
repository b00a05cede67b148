"""Forgetting somebody so that nothing of them is left: rows first, then what rows leave behind in files.

Deleted are the person's faces with their vectors, photos that show nobody else, the name, links, and every change that
could be undone and in which the person took part. A photo with others on it stays as the place of their faces, but its
picture, its thumbnail, its name and its digest go, for they show or name the person too. The audit log keeps numbers.
"""

import json
import secrets
from dataclasses import dataclass

from shoal.gallery.audit import write_entry
from shoal.gallery.database import Database, Rows
from shoal.gallery.people import person_named, several
from shoal.gallery.values import Erasure

PIECE = 48  # bytes of a deleted value that the scan looks for
JPEG, SCAN = b"\xff\xd8", b"\xff\xda"  # how files of this format begin, and what is before their own bytes
VARIED = 8  # values that its bytes have at least: black is black on all photos
PIECES = (0.5, 0.75, 1.0)  # where in each value: not at its beginning, where all photos of a format are alike


@dataclass(frozen=True)
class Deleted:
    """What was deleted.

    Attributes:
        faces: rows.
        vectors: rows.
        photos: rows.
        traces: byte strings that no file may hold any more.
    """

    faces: int
    vectors: int
    photos: int
    traces: tuple[bytes, ...]


def delete_person(rows: Rows, database: Database, who: str, name: str) -> Deleted:
    """Delete the rows of somebody, in one transaction.

    Raises:
        InputError: if nobody has this name.
    """
    person, names = person_named(rows, name), {name}
    faces = [int(row[0]) for row in rows.all("SELECT id FROM faces WHERE person = ?", person)]
    traces: list[bytes] = []
    vectors = photos = 0
    for part in several(faces):
        marks = ", ".join("?" * len(part))
        values = rows.all(f"SELECT value FROM vectors WHERE face IN ({marks})", *part)
        vectors += len(values)
        traces += [_bytes(database, row[0]) for row in values]
        where = f"SELECT photo FROM faces WHERE id IN ({marks})"
        seen = rows.all(f"SELECT id, digest, name, thumbnail, image FROM photos WHERE id IN ({where})", *part)
        rows.run(f"DELETE FROM vectors WHERE face IN ({marks})", *part)
        rows.run(f"DELETE FROM links WHERE a IN ({marks}) OR b IN ({marks})", *part, *part)
        rows.run(f"DELETE FROM faces WHERE id IN ({marks})", *part)
        for photo, digest, called, *pictures in seen:
            names |= {digest, called}
            traces += [bytes(picture) for picture in pictures if picture is not None]
            photos += _delete_photo(rows, int(photo))
    _delete_history(rows, person, set(faces))
    rows.run("DELETE FROM people WHERE id = ?", person)
    rows.run("UPDATE state SET erasures = erasures + 1, unscrubbed = 1")
    write_entry(rows, who, "forget", person=person, faces=len(faces), vectors=vectors, photos=photos)
    return Deleted(len(faces), vectors, photos, (*traces, *_only_here(rows, names)))


def clean_up(database: Database, deleted: Deleted) -> Erasure:
    """Remove what the rows have left behind, and look whether any of it is still there."""
    scrubbed = database.scrub()
    pieces = list(dict.fromkeys(piece for trace in deleted.traces for piece in _pieces(trace)))
    found = database.scan(pieces) if scrubbed.complete else None
    return Erasure(
        faces=deleted.faces,
        vectors=deleted.vectors,
        photos=deleted.photos,
        complete=scrubbed.complete and not found,
        found=found,
        says=scrubbed.says,
    )


def _delete_photo(rows: Rows, photo: int) -> int:
    """Delete a photo on which nobody is left, or what it shows; gives how many rows went."""
    if not rows.all("SELECT id FROM faces WHERE photo = ? LIMIT 1", photo):
        return rows.run("DELETE FROM photos WHERE id = ?", photo)
    nothing = f"forgotten:{secrets.token_hex(16)}"
    rows.run("UPDATE photos SET digest = ?, name = '', thumbnail = NULL, image = NULL WHERE id = ?", nothing, photo)
    return 0


def _delete_history(rows: Rows, person: int, faces: set[int]) -> None:
    for row, text in rows.all("SELECT id, before FROM undone"):
        before = json.loads(text)
        owners = {int(owner) for owner in before["faces"].values() if owner is not None}
        touched = {int(face) for face in before["faces"]} & faces
        if touched or person in owners or str(person) in before["names"]:
            rows.run("DELETE FROM undone WHERE id = ?", row)


def _only_here(rows: Rows, names: set[str]) -> list[bytes]:
    """Those of the names of a person and of photos that nothing else is called: others' photos may be 1.jpg, too."""
    others = [
        str(row[0])
        for sql in (
            "SELECT name FROM people",
            "SELECT DISTINCT name FROM photos",
            "SELECT before FROM undone",
            "SELECT DISTINCT who FROM audit",
            "SELECT about FROM models",
            "SELECT name FROM models",
        )
        for row in rows.all(sql)
    ]
    kept = "\n".join(others)
    return [name.encode() for name in sorted(names) if name and name not in kept]


def _bytes(database: Database, value: object) -> bytes:
    if isinstance(value, bytes | memoryview):
        return bytes(value)
    return database.decode([value], 1).tobytes()


def _pieces(trace: bytes) -> list[bytes]:
    """Parts of a deleted value; a long one is torn at the borders of the file's pages.

    A small JPEG is mostly tables, which all thumbnails have: only what comes behind them is its own.
    """
    if trace.startswith(JPEG):
        trace = trace[max(0, trace.rfind(SCAN)) :]
    if len(trace) < 6:  # such a short name may stand anywhere
        return []
    if len(trace) <= PIECE:
        return [trace]
    last = len(trace) - PIECE
    pieces = [trace[start : start + PIECE] for start in (int(last * share) for share in PIECES)]
    return [piece for piece in pieces if len(set(piece)) >= VARIED]
