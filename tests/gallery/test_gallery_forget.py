"""Forgetting: nothing of a person is left in any row, nor in any byte of any file; the others are as they were."""

import functools
import io
import json
import operator
import sqlite3
from pathlib import Path

import pytest
from PIL import Image

from shoal.gallery import Gallery, forgetting
from shoal.gallery.database import number
from tests.gallery.made_up import EYE, Place, directions, fill, picture

NAME = "Wilhelmina Unmistakable"


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())


def enrol_her(gallery: Gallery) -> list[bytes]:
    """Enrol somebody with photos that are kept, renamed, merged, split; gives every byte string that is hers."""
    photos = [picture(500, photo) for photo in range(3)]
    gallery.enrol("Provisional Name of Hers", photos[0], keep_photos=True)
    gallery.enrol("Second Alias of Hers", photos[1:], keep_photos=True)
    gallery.merge(["Second Alias of Hers"], into="Provisional Name of Hers")
    gallery.rename("Provisional Name of Hers", NAME)
    faces = gallery.faces(NAME)
    gallery.split(NAME, [faces[0].id], "Third Alias of Hers")
    gallery.undo()
    gallery.link(faces[0].id, faces[1].id, same=True)
    with gallery._database.read() as rows:
        vectors = [
            bytes(row[0])
            for row in rows.all("SELECT value FROM vectors WHERE face IN (?, ?, ?)", *[f.id for f in faces])
        ]
    small = [gallery.thumbnail(face.id) or b"" for face in faces]
    names = [
        name.encode() for name in (NAME, "Provisional Name of Hers", "Second Alias of Hers", "Third Alias of Hers")
    ]
    pieces = [photo[at : at + 40] for photo in photos for at in (60, 700, len(photo) - 60)]
    return [*vectors, *(s[-60:-20] for s in small), *names, *pieces]


def test_no_byte_of_her_is_left_and_the_others_stay(tmp_path: Path):
    folder = tmp_path / "place"
    with Gallery.open(folder / "faces.db", model=EYE) as gallery:
        for person in range(8):
            gallery.enrol(f"person {person:03}", [picture(person, 0), picture(person, 1)], keep_photos=True)
        traces = enrol_her(gallery)
        before = everything(folder)
        assert all(trace in before for trace in traces if trace != b"Third Alias of Hers")  # the scan can find them
        others = [face for face in gallery.faces() if face.person != NAME]
        erasure = gallery.forget(NAME)
        after = everything(folder)
        assert [trace for trace in traces if trace in after] == []
        assert (erasure.faces, erasure.vectors, erasure.photos, erasure.found) == (3, 3, 3, 0)
        assert erasure.complete
        assert "0 traces" in str(erasure)
        assert gallery.faces() == others
        assert gallery.check() == []
        assert gallery.identify(picture(500, 9))[0].person != NAME
        assert gallery.undo() is None or NAME not in {p.name for p in gallery.people()}
    assert [trace for trace in traces if trace in everything(folder)] == []


def test_a_photo_with_others_on_it_stays_for_them_without_its_picture(tmp_path: Path):
    content = picture(1)
    with Gallery.open(tmp_path / "faces.db", model=EYE) as gallery:
        boxes = [[(0, 0, 20, 40), (20, 0, 40, 40)]]
        a, b = gallery.enrol(None, content, boxes=boxes, keep_photos=True)
        gallery.assign([a], NAME)
        gallery.assign([b], "Bob")
        erasure = gallery.forget(NAME)
        assert erasure.faces == 1
        assert erasure.photos == 0
        assert [(face.id, face.person, face.name) for face in gallery.faces()] == [(b, "Bob", "")]
        assert gallery.thumbnail(b) is None
        assert content[60:100] not in everything(tmp_path)
        assert gallery.identify(content, box=boxes[0][1])[0].person == "Bob"


def test_what_she_took_part_in_cannot_be_undone_and_the_rest_can(place: Place):
    faces = directions(4, 3)
    with place.open() as gallery:
        ids = fill(gallery, faces)
        gallery.split("person 000", ids["person 000"][:1], "other")
        gallery.merge(["person 001"], into="person 002")
        gallery.forget("person 002")
        assert gallery.undo() == "split"
        assert gallery.undo() is None
        assert [person.name for person in gallery.people()] == ["person 000", "person 003"]


def test_numbers_are_never_given_again(place: Place):
    faces = directions(3, 2)
    with place.open() as gallery:
        ids = fill(gallery, faces)
        gallery.forget("person 002")
        again = gallery.enrol("person 002", faces[2])
        assert set(again).isdisjoint(functools.reduce(operator.iadd, ids.values(), []))
        assert gallery.identify(faces[2, 0])[0].person == "person 002"


def test_postgres_says_what_it_cannot_prove(server: str):
    from tests.gallery.conftest import new_database

    with Place("postgres", new_database(server)).open() as gallery:
        fill(gallery, directions(3, 2))
        erasure = gallery.forget("person 001")
        assert erasure.complete
        assert erasure.found is None
        assert "cannot be seen" in erasure.says
        assert len(gallery) == 4


def test_somebody_who_still_reads_is_waited_for_and_the_rest_is_done_later(tmp_path: Path):
    place = tmp_path / "place"
    with Gallery.open(place / "faces.db") as gallery:
        fill(gallery, directions(4, 2))
        vector = directions(4, 2)[1, 0].numpy().astype("<f4").tobytes()
        gallery._database._patience = 0.3  # type: ignore[attr-defined]
        reader = sqlite3.connect(place / "faces.db", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM vectors").fetchone()
        erasure = gallery.forget("person 001")
        assert not erasure.complete
        assert "still reads" in erasure.says
        reader.close()
    with Gallery.open(place / "faces.db") as gallery:
        assert vector not in everything(place)
        assert len(gallery) == 6


def test_the_audit_log_names_nobody(place: Place):
    with place.open(who="clerk") as gallery:
        fill(gallery, directions(3, 2))
        gallery.rename("person 001", NAME)
        gallery.forget(NAME)
        log = gallery.audit()
    assert log.intact
    assert [entry.what for entry in log.entries] == ["enrol"] * 3 + ["rename", "forget"]
    told = json.dumps([entry.detail for entry in log.entries])
    assert "person 0" not in told
    assert NAME not in told
    assert {entry.who for entry in log.entries} == {"clerk"}


@pytest.mark.parametrize("change", ["UPDATE audit SET who = 'x' WHERE seq = 2", "DELETE FROM audit WHERE seq = 2"])
def test_the_log_only_grows_and_tampering_is_found(file: Place, change: str):
    with file.open() as gallery:
        fill(gallery, directions(4, 1))
        head = gallery.audit().head
        assert gallery.audit(head).intact
    connection = sqlite3.connect(file.where)
    with pytest.raises(sqlite3.IntegrityError, match="only grows"):
        connection.execute(change)
    connection.execute(f"DROP TRIGGER audit_no_{change.split()[0].lower()}")
    connection.execute(change)
    connection.commit()
    connection.close()
    with file.open() as gallery:
        assert not gallery.audit().intact
        assert "2" in gallery.audit().faults[0]
        assert gallery.check() != []


def test_a_log_whose_end_was_cut_off_is_found_by_its_head(file: Place):
    with file.open() as gallery:
        fill(gallery, directions(4, 1))
        head = gallery.audit().head
    connection = sqlite3.connect(file.where)
    connection.executescript("DROP TRIGGER audit_no_delete; DELETE FROM audit WHERE seq = 4;")
    connection.close()
    with file.open() as gallery:
        assert gallery.audit().intact  # nothing in the file tells
        assert gallery.audit(head).faults == ("the line that was the last one is missing",)


def test_what_all_thumbnails_have_is_no_trace_of_anybody(file: Place):
    """Thumbnails of simple pictures are mostly the tables of their format."""
    with file.open(model=EYE) as gallery:
        for person in range(3):
            gallery.enrol(f"person {person}", [picture(person, photo) for photo in range(2)])
        small = gallery.thumbnail(1) or b""
        assert small.rfind(forgetting.SCAN) > len(small) // 3  # up to there it is tables
        erasure = gallery.forget("person 1")
        assert (erasure.found, erasure.complete) == (0, True)


def test_what_others_are_called_too_is_no_trace(tmp_path: Path):
    """Cameras call photos alike, and names begin alike."""
    for person in ("Ann Lee", "Ann Leeson"):
        (tmp_path / person).mkdir()
        (tmp_path / person / "IMG_0001.png").write_bytes(picture(len(person)))
    with Gallery.open(tmp_path / "faces.db", model=EYE) as gallery:
        for person in ("Ann Lee", "Ann Leeson"):
            gallery.enrol(person, tmp_path / person / "IMG_0001.png")
        erasure = gallery.forget("Ann Lee")
        assert erasure.complete
        assert erasure.found == 0
        assert [(face.person, face.name) for face in gallery.faces()] == [("Ann Leeson", "IMG_0001.png")]


def test_a_black_corner_is_no_trace(tmp_path: Path):
    """What is black on her photo is black on others, and zeros are what deleted bytes are overwritten with."""
    dark = io.BytesIO()
    Image.new("RGB", (60, 60)).save(dark, "BMP")
    other = dark.getvalue()[:-3] + b"\x10\x20\x30"
    with Gallery.open(tmp_path / "faces.db", model=EYE) as gallery:
        gallery.enrol("Ann", dark.getvalue(), keep_photos=True)
        gallery.enrol("Bob", other, boxes=[[(0, 0, 60, 30)]], keep_photos=True)
        erasure = gallery.forget("Ann")
        assert erasure.found == 0
        assert erasure.complete


def test_traces_that_are_left_are_found(tmp_path: Path):
    """Her vector under another face, which nobody has named: the bytes are there, and it is said."""
    faces = directions(3, 2)
    with Gallery.open(tmp_path / "faces.db") as gallery:
        ids = fill(gallery, faces)
        nameless = gallery.enrol(None, directions(1, 1, seed=4)[0])
    connection = sqlite3.connect(tmp_path / "faces.db")
    connection.execute(
        "UPDATE vectors SET value = (SELECT value FROM vectors WHERE face = ?) WHERE face = ?",
        (ids["person 001"][0], nameless[0]),
    )
    connection.commit()
    connection.close()
    with Gallery.open(tmp_path / "faces.db") as gallery:
        erasure = gallery.forget("person 001")
        assert erasure.found == 3
        assert not erasure.complete


def test_a_writer_who_does_not_end_is_said_after_the_rows_have_gone(tmp_path: Path):
    """Deleting was first, and is not taken back by what cannot be finished after it."""
    with Gallery.open(tmp_path / "faces.db") as gallery:
        fill(gallery, directions(4, 2))
        with gallery._database.write() as rows:
            deleted = forgetting.delete_person(rows, gallery._database, "clerk", "person 001")
        gallery._database._patience = 0.3  # type: ignore[attr-defined]
        gallery._database._pool.drain()  # type: ignore[attr-defined]
        holder = sqlite3.connect(tmp_path / "faces.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        assert not forgetting.clean_up(gallery._database, deleted).complete
        holder.execute("ROLLBACK")
        holder.close()
        assert forgetting.clean_up(gallery._database, deleted).complete


def test_somebody_who_is_forgotten_meanwhile_is_not_passed_over(place: Place):
    """While one process finishes, another forgets and is killed: what is left to do stays written down."""
    with place.open() as gallery:
        fill(gallery, directions(4, 2))
        with gallery._database.write() as rows:
            forgetting.delete_person(rows, gallery._database, "other", "person 002")

        def unscrubbed() -> int:
            with gallery._database.read() as rows:
                return number(rows, "SELECT unscrubbed FROM state")

        assert unscrubbed() == 1
        gallery.forget("person 003")
        assert unscrubbed() == 0  # of both
