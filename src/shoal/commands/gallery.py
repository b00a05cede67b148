"""`shoal gallery`: people and their faces in a database, for years, and over changes of the model.

DB is a file (made where there is none), or postgresql://user@host/database.
"""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclopts import App

from shoal.commands.gallery_service import key, serve
from shoal.commands.output import show, showing_progress
from shoal.errors import ShoalError, wrong

if TYPE_CHECKING:
    from shoal.gallery import Gallery

gallery = App(
    name="gallery", help="People and their faces in a database: enrol, find, group, upgrade the model, forget."
)
gallery.command(serve)
gallery.command(key)


@gallery.command
def enrol(
    db: str,
    photos: Path,
    /,
    *,
    model: Path | None = None,
    person: str | None = None,
    boxes: Path | None = None,
    keep_photos: bool = False,
    json: bool = False,
) -> None:
    """Bring a folder's faces into the gallery; what is there already stays as it is.

    Args:
        db: the gallery.
        photos: folder of people's folders of photos, or of photos of whoever; or one photo.
        model: file that `shoal faces train` wrote; needed the first time, then the gallery remembers it.
        person: whose photos they are, where they lie in no folders.
        boxes: CSV file with the columns file, left, top, right, bottom: the faces on each photo.
        keep_photos: keep the photos themselves, so that a later model can embed them again.
        json: print as JSON.
    """
    from shoal.data.faces import read_boxes
    from shoal.gallery import Enrolled, enrol_folder

    places = None if boxes is None else read_boxes(boxes)
    with _opened(db, model, new=True) as opened, showing_progress() as progress:
        if photos.is_file():
            before = len(opened)
            faces = opened.enrol(person, photos, keep_photos=keep_photos)
            found = Enrolled(1, len(faces), len(opened) - before, ())
        else:
            found = enrol_folder(
                opened, photos, person=person, boxes=places, keep_photos=keep_photos, progress=progress
            )
    show(found, found.lines(), json=json)


@gallery.command
def identify(
    db: str, photo: Path, /, *, k: int = 5, far: float = 0.01, model: Path | None = None, json: bool = False
) -> None:
    """Whom does a photo show?

    Args:
        db: the gallery.
        photo: whose face is asked about.
        k: people at most.
        far: of strangers, this share may be taken for somebody.
        model: file of the gallery's model, where it has moved.
        json: print as JSON.
    """
    with _opened(db, model) as opened:
        found = opened.identify(photo, k, far=far)
    lines = [
        *(["unknown"] if found.unknown else []),
        *map(str, found),
        *([f"note: {found.note}"] if found.note else []),
    ]
    told = {"person": found.person, "unknown": found.unknown, "matches": _plain(found), "note": found.note}
    show(told, lines, json=json)


@gallery.command
def verify(
    db: str, person: str, photo: Path, /, *, far: float = 0.01, model: Path | None = None, json: bool = False
) -> None:
    """Does a photo show this person?

    Args:
        db: the gallery.
        person: by name.
        photo: whose face is asked about.
        far: of strangers, this share may be taken for the person.
        model: file of the gallery's model, where it has moved.
        json: print as JSON.
    """
    with _opened(db, model) as opened:
        found = opened.verify(person, photo, far=far)
    show(found, [str(found)], json=json)


@gallery.command
def cluster(db: str, /, *, threshold: float | None = None, linkage: str = "average", json: bool = False) -> None:
    """Group the faces that nobody has named; `shoal gallery assign` names a group.

    Args:
        db: the gallery.
        threshold: squared distance up to which faces are joined; learned from the named ones unless given.
        linkage: how far groups are apart: average, complete or single.
        json: print as JSON.
    """
    with _opened(db) as opened:
        found = opened.cluster(threshold, linkage=linkage)
    lines = [
        f"faces {' '.join(map(str, group.faces))}" + (f"   nearest: {group.nearest}" if group.nearest else "")
        for group in found
    ]
    show(_plain(found), lines or ["no face is without a name"], json=json)


@gallery.command
def people(db: str, /, *, json: bool = False) -> None:
    """Everybody who has a name.

    Args:
        db: the gallery.
        json: print as JSON.
    """
    with _opened(db) as opened:
        found = opened.people()
    show(_plain(found), [f"{person.name}   {person.faces:,} faces" for person in found] or ["nobody"], json=json)


@gallery.command
def assign(db: str, faces: list[int], /, *, person: str | None = None) -> None:
    """Say whose faces these are; without a name, that nobody knows.

    Args:
        db: the gallery.
        faces: their numbers, as `cluster` prints them.
        person: a name; a new one makes a new person.
    """
    with _opened(db) as opened:
        opened.assign(faces, person)
    print(f"{len(faces):,} faces are {person or 'nobody'}'s now; `shoal gallery undo {db}` takes it back")


@gallery.command
def merge(db: str, names: list[str], /, *, into: str) -> None:
    """Several people turn out to be one.

    Args:
        db: the gallery.
        names: of those who are somebody else.
        into: who they are.
    """
    with _opened(db) as opened:
        opened.merge(names, into)
    print(f"{', '.join(names)} and {into} are one person now; `shoal gallery undo {db}` takes it back")


@gallery.command
def undo(db: str, /) -> None:
    """Take back the newest change of whose faces are whose.

    Args:
        db: the gallery.
    """
    with _opened(db) as opened:
        print(opened.undo() or "nothing to take back")


@gallery.command
def upgrade(
    db: str,
    model: Path,
    /,
    *,
    photos: Path | None = None,
    way: str | None = None,
    force: bool = False,
    json: bool = False,
) -> None:
    """Have a new model follow the one that the gallery has; nobody is embedded again.

    Args:
        db: the gallery.
        model: file of the new model.
        photos: folder with photos that were enrolled, to measure on; kept ones are used besides.
        way: "as it is" where the new vectors compare with the old, or "translated"; measured unless given.
        force: go on although recognition gets worse, or too few photos are there to measure it.
        json: print as JSON.
    """
    from shoal.data.faces.folders import list_faces

    files = () if photos is None else list_faces(photos).paths
    with _opened(db) as opened:
        done = opened.upgrade(model, photos=files, way=way, force=force)
    lines = [f"{done.kept:,} vectors stay as they are, {done.added:,} are added"]
    show(done, [f"{done.model}: {done.gate or 'nothing was measured'}", *lines], json=json)


@gallery.command
def rollback(db: str, /) -> None:
    """Return to the model before the newest; faces that were enrolled since stay.

    Args:
        db: the gallery.
    """
    with _opened(db) as opened:
        print(opened.rollback())


@gallery.command
def forget(db: str, person: str, /, *, json: bool = False) -> None:
    """Delete somebody, so that nothing of them is left in any file of the database. Cannot be undone.

    Args:
        db: the gallery.
        person: by name.
        json: print as JSON.
    """
    with _opened(db) as opened:
        erased = opened.forget(person)
    show(erased, [str(erased)], json=json)


@gallery.command
def audit(db: str, /, *, head: str = "", json: bool = False) -> None:
    """Who did what when, and whether the log is as it was written; exit code 1 if it is not.

    Args:
        db: the gallery.
        head: seal of a line that was the last one once, as this command prints it.
        json: print as JSON.
    """
    with _opened(db) as opened:
        log = opened.audit(head)
    lines = [f"{e.seq}  {e.time}  {e.who}  {e.what}  {e.detail}" for e in log.entries]
    told = dataclasses.asdict(log) | {"intact": log.intact, "head": log.head}
    show(told, [*lines, str(log), f"head: {log.head}"], json=json)
    if not log.intact:
        raise ShoalError(f"{db}: the audit log is not as it was written: {'; '.join(log.faults)}")


def _opened(db: str, model: Path | None = None, *, new: bool = False) -> "Gallery":
    from shoal.gallery import Gallery

    if not new and "://" not in db and not Path(db).expanduser().exists():
        raise wrong(db, expected="a gallery", got="no such file", fix="make one with `shoal gallery enrol`")
    return Gallery.open(db, model=model)


def _plain(values: Any) -> list[dict[str, Any]]:
    return [dataclasses.asdict(value) for value in values]
