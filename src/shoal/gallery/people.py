"""Who is in the gallery: names, whose face is whose, merging, splitting, and taking such changes back.

Every change of whose faces are whose writes down how things were. `undo` restores the newest of these, as long as the
faces are still there; what a person who was forgotten took part in cannot be undone, since it is not kept.
"""

import json
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

from shoal.errors import wrong
from shoal.gallery.audit import write_entry
from shoal.gallery.database import Rows, now, number, one, plain
from shoal.gallery.values import Person

LONGEST_NAME = 200
SEVERAL = 5_000  # values in one statement
Faces = Sequence[int]


def check_name(name: str) -> str:
    """A person's name as it is kept: composed, without blanks around it.

    Raises:
        InputError: if it is empty, too long, or holds what cannot be shown.

    Example:
        >>> check_name("  Ann ")
        'Ann'
    """
    if not isinstance(name, str):
        raise wrong("name", expected="text", got=type(name).__name__)
    kept = unicodedata.normalize("NFC", name).strip()
    if not kept or len(kept) > LONGEST_NAME:
        raise wrong("name", expected=f"1 to {LONGEST_NAME} characters", got=len(kept))
    kinds = {unicodedata.category(letter) for letter in kept}
    if kinds & {"Cc", "Cs", "Zl", "Zp"} or all(kind[0] in "CZ" for kind in kinds):
        raise wrong("name", expected="characters that can be shown", got=ascii(kept))
    return kept


def read_people(rows: Rows) -> list[Person]:
    """Everybody, by name."""
    found = rows.all(
        "SELECT p.id, p.name, COUNT(f.id), MIN(f.id) FROM people p LEFT JOIN faces f ON f.person = p.id "
        "GROUP BY p.id, p.name ORDER BY p.name, p.id"
    )
    return [
        Person(int(person), name, int(faces), None if first is None else int(first))
        for person, name, faces, first in found
    ]


def person_named(rows: Rows, name: str) -> int:
    """The number of somebody.

    Raises:
        InputError: if nobody has this name.
    """
    found = one(rows, "SELECT id FROM people WHERE name = ?", check_name(name))
    if found is None:
        raise wrong("person", expected="somebody in the gallery", got=repr(name), fix="see `people`")
    return int(found[0])


def person_or_new(rows: Rows, name: str) -> int:
    """The number of somebody, who is made where there is no such name."""
    kept = check_name(name)
    found = one(rows, "SELECT id FROM people WHERE name = ?", kept)
    if found is not None:
        return int(found[0])
    made = rows.all(
        "INSERT INTO people (name, added, changed) VALUES (?, ?, ?) RETURNING id", kept, now(), rows.revision
    )
    return int(made[0][0])


def rename(rows: Rows, who: str, name: str, new: str) -> None:
    """Give somebody another name.

    Raises:
        InputError: if nobody has the one, or somebody has the other.
    """
    person, kept = person_named(rows, name), check_name(new)
    taken = one(rows, "SELECT id FROM people WHERE name = ?", kept)
    if taken is not None and int(taken[0]) != person:
        raise wrong("name", expected="one that nobody has", got=repr(kept), fix="merge the two if they are one person")
    remember(rows, "rename", names={person: name})
    _call(rows, person, kept)
    write_entry(rows, who, "rename", person=person)


def assign(rows: Rows, who: str, faces: Faces, name: str | None, what: str = "assign") -> None:
    """Say whose faces these are, or that nobody knows.

    Raises:
        InputError: if a face is not there, or two of them are on one photo, or what people know forbids it.
    """
    before = owners(rows, faces)
    person = None if name is None else person_or_new(rows, name)
    remember(rows, what, faces=before)
    _give(rows, dict.fromkeys(before, person))
    if person is not None:
        check_together(rows, person)
    remove_nobodies(rows, before.values())
    write_entry(rows, who, what, faces=sorted(before), person=person)


def merge(rows: Rows, who: str, names: Sequence[str], into: str) -> None:
    """Several people turn out to be one.

    Raises:
        InputError: if one of them is not there, or two of their faces are on one photo or were told apart.
    """
    target = person_named(rows, into)
    others = [person_named(rows, name) for name in names if check_name(name) != check_name(into)]
    if not others:
        raise wrong("people", expected="somebody beside " + repr(into), got=list(names))
    found = [row for person in others for row in rows.all("SELECT id, person FROM faces WHERE person = ?", person)]
    gone = {person: str(rows.all("SELECT name FROM people WHERE id = ?", person)[0][0]) for person in others}
    remember(rows, "merge", faces={int(face): int(person) for face, person in found}, names=gone)
    _give(rows, {int(face): target for face, _ in found})
    check_together(rows, target)
    remove_nobodies(rows, others)
    write_entry(rows, who, "merge", people=others, into=target)


def split(rows: Rows, who: str, name: str, faces: Faces, new: str | None) -> None:
    """Some of a person's faces are somebody else's, or nobody knows whose.

    Raises:
        InputError: if a face is not this person's, or none would be left.
    """
    person = person_named(rows, name)
    before = owners(rows, faces)
    strange = [face for face, owner in before.items() if owner != person]
    if strange:
        raise wrong("faces", expected=f"faces of {name!r}", got=strange)
    if len(before) >= number(rows, "SELECT COUNT(*) FROM faces WHERE person = ?", person):
        raise wrong("faces", expected=f"some of those of {name!r}", got="all of them", fix="rename the person instead")
    assign(rows, who, faces, new, what="split")


def undo(rows: Rows, who: str) -> str | None:
    """Take back the newest change of whose faces are whose; gives what it was, None where there is none.

    Raises:
        InputError: if somebody else has the name by now, or faces would come together that were told apart since.
    """
    found = one(rows, "SELECT id, what, before FROM undone ORDER BY id DESC LIMIT 1")
    if found is None:
        return None
    row, what, before = int(found[0]), str(found[1]), json.loads(found[2])
    names = {int(person): name for person, name in before["names"].items()}
    faces = {int(face): owner for face, owner in before["faces"].items()}
    now_owners = [int(x[0]) for x in rows.all("SELECT DISTINCT person FROM faces WHERE person IS NOT NULL")]
    back = _bring_back(rows, names)
    _give(rows, {face: back.get(owner, owner) for face, owner in faces.items() if _is_there(rows, face)})
    for person in back.values():
        check_together(rows, person)
    rows.run("DELETE FROM undone WHERE id = ?", row)
    remove_nobodies(rows, [person for person in now_owners if person not in back.values()])
    write_entry(rows, who, "undo", change=what, faces=sorted(faces))
    return what


def owners(rows: Rows, faces: Faces) -> dict[int, int | None]:
    """Whose faces these are.

    Raises:
        InputError: if there are none, or one is not in the gallery.
    """
    wanted = sorted({int(face) for face in faces})
    if not wanted:
        raise wrong("faces", expected="at least one", got="none")
    found: dict[int, int | None] = {}
    for part in several(wanted):
        marks = ", ".join("?" * len(part))
        for face, person in rows.all(f"SELECT id, person FROM faces WHERE id IN ({marks})", *part):
            found[int(face)] = None if person is None else int(person)
    missing = [face for face in wanted if face not in found]
    if missing:
        raise wrong("faces", expected="faces in the gallery", got=f"no face {missing[0]}")
    return found


def check_together(rows: Rows, person: int) -> None:
    """Refuse a person of whom two faces are on one photo, or were told apart, or one is linked with somebody else.

    Raises:
        InputError: naming the faces.
    """
    twice = one(
        rows,
        "SELECT MIN(id), MAX(id) FROM faces WHERE person = ? GROUP BY photo HAVING COUNT(*) > 1 LIMIT 1",
        person,
    )
    if twice is not None:
        got = f"faces {twice[0]} and {twice[1]} of one photo"
        raise wrong("faces", expected="one face of a person on each photo", got=got)
    apart = one(
        rows,
        "SELECT l.a, l.b FROM links l JOIN faces x ON x.id = l.a JOIN faces y ON y.id = l.b "
        "WHERE l.same = 0 AND x.person = ? AND y.person = ? LIMIT 1",
        person,
        person,
    )
    if apart is not None:
        got = f"faces {apart[0]} and {apart[1]}, which were told apart"
        raise wrong("faces", expected="faces that may be one person's", got=got, fix="remove that link first")
    linked = one(
        rows,
        "SELECT l.a, l.b FROM links l JOIN faces x ON x.id = l.a JOIN faces y ON y.id = l.b "
        "WHERE l.same = 1 AND x.person <> y.person AND (x.person = ? OR y.person = ?) LIMIT 1",
        person,
        person,
    )
    if linked is not None:
        got = f"faces {linked[0]} and {linked[1]}, which were linked as one person, with two"
        raise wrong("faces", expected="linked faces with one person", got=got, fix="remove that link first")


def remember(
    rows: Rows, what: str, *, faces: dict[int, int | None] | dict[int, int] | None = None, names: Any = None
) -> None:
    """Write down how things were: whose faces, and the names of people who change or go."""
    kept = dict(names or {})
    for person in {owner for owner in (faces or {}).values() if owner is not None} - set(kept):
        kept[person] = rows.all("SELECT name FROM people WHERE id = ?", person)[0][0]
    before = plain(
        {"faces": {str(k): v for k, v in (faces or {}).items()}, "names": {str(k): v for k, v in kept.items()}}
    )
    rows.run("INSERT INTO undone (what, before) VALUES (?, ?)", what, before)


def remove_nobodies(rows: Rows, people: Iterable[int | None]) -> None:
    """Remove those of these people who have no face any more."""
    for person in {person for person in people if person is not None}:
        rows.run(
            "DELETE FROM people WHERE id = ? AND NOT EXISTS (SELECT 1 FROM faces WHERE person = ?)", person, person
        )


def several(values: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """Values in parts that fit into one statement."""
    return (values[begin : begin + SEVERAL] for begin in range(0, len(values), SEVERAL))


def _give(rows: Rows, whose: dict[int, int | None] | dict[int, int]) -> None:
    rows.many(
        "UPDATE faces SET person = ?, changed = ? WHERE id = ?",
        [(person, rows.revision, face) for face, person in whose.items()],
    )


def _call(rows: Rows, person: int, name: str) -> None:
    rows.run("UPDATE people SET name = ?, changed = ? WHERE id = ?", name, rows.revision, person)


def _is_there(rows: Rows, face: int) -> bool:
    return one(rows, "SELECT id FROM faces WHERE id = ?", face) is not None


def _bring_back(rows: Rows, names: dict[int, str]) -> dict[int, int]:
    """People with the names that they had; gives the number that each has now."""
    back = {}
    for person, name in names.items():
        if one(rows, "SELECT id FROM people WHERE id = ?", person) is not None:
            if one(rows, "SELECT id FROM people WHERE name = ? AND id <> ?", name, person) is not None:
                got = f"{name!r}, which somebody else has by now"
                raise wrong("name", expected="one that nobody has", got=got, fix="rename or merge the two first")
            _call(rows, person, name)
            back[person] = person
        else:
            back[person] = person_or_new(rows, name)
    return back
