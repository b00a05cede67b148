"""What can go wrong with the place where a gallery lies: one clear line each, and nothing lost."""

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from shoal.errors import InputError, ShoalError
from shoal.gallery import Gallery
from shoal.gallery.schema import VERSION, statements
from shoal.gallery.sqlite import APPLICATION, TYPES, Sqlite
from tests.gallery.made_up import Place, directions, fill


def test_a_file_of_another_kind_is_refused_and_not_touched(tmp_path: Path):
    text = tmp_path / "letter.txt"
    text.write_bytes(b"Dear Ann, " * 200)
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.executescript("CREATE TABLE recipes (name TEXT); INSERT INTO recipes VALUES ('soup');")
    connection.close()
    for path in (text, other):
        before = path.read_bytes()
        with pytest.raises(InputError, match="expected the file of a gallery"):
            Gallery.open(path)
        assert path.read_bytes() == before
    with pytest.raises(InputError, match="got a folder"):
        Gallery.open(tmp_path)


def test_a_gallery_of_a_newer_version_is_refused_and_not_touched(file: Place):
    with file.open() as gallery:
        fill(gallery, directions(2, 2))
    connection = sqlite3.connect(file.where)
    connection.execute("UPDATE state SET version = ?", (VERSION + 1,))
    connection.commit()
    connection.close()
    with pytest.raises(InputError, match="upgrade Shoal"):
        file.open()
    connection = sqlite3.connect(file.where)
    assert connection.execute("SELECT COUNT(*) FROM faces").fetchone() == (4,)
    connection.close()


def test_a_gallery_of_the_first_version_is_brought_up_with_all_that_it_holds(tmp_path: Path):
    path, faces = tmp_path / "old.db", directions(3, 2).numpy().astype("<f4")
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in statements(1, TYPES):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute("INSERT INTO state VALUES (1, 1, 'made by the first version', 7, 0, 0)")
    connection.execute(
        "INSERT INTO models (name, digest, dim, about, state, added) VALUES ('embeddings', 'embeddings:24', 24, '{}', "
        "'active', 'then')"
    )
    for i, rows in enumerate(faces):
        connection.execute("INSERT INTO people (name, added) VALUES (?, 'then')", (f"person {i:03}",))
        for j, row in enumerate(rows):
            photo = connection.execute("INSERT INTO photos (digest, name, added) VALUES (?, '', 'then')", (f"{i} {j}",))
            face = connection.execute(
                "INSERT INTO faces (photo, person, box, changed) VALUES (?, ?, '', 5)", (photo.lastrowid, i + 1)
            )
            connection.execute(
                "INSERT INTO vectors (face, model, value, added) VALUES (?, 1, ?, 5)", (face.lastrowid, row.tobytes())
            )
    connection.close()
    with Gallery.open(path) as gallery:
        assert [(person.name, person.faces) for person in gallery.people()] == [(f"person {i:03}", 2) for i in range(3)]
        assert gallery.identify(directions(3, 2)[1, 1])[0].person == "person 001"
        gallery.enrol("new", directions(1, 1, seed=8)[0])
        assert gallery.check() == []
    fresh, old = tmp_path / "fresh.db", {}
    Sqlite(str(fresh)).close()
    for name in (fresh, path):  # the same tables, however they came to be
        connection = sqlite3.connect(name)
        old[name] = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE sql NOT NULL ORDER BY name"
        ).fetchall()
        connection.close()
    assert old[fresh] == old[path]


@pytest.mark.skipif(os.geteuid() != 0, reason="dropping to another user needs root")
def test_a_file_that_may_not_be_written_says_so(open_folder: Path):
    place = open_folder / "place"
    with Gallery.open(place / "faces.db") as gallery:
        fill(gallery, directions(2, 2))
    program = (
        "import os, sys, torch, shoal.gallery as g, shoal.gallery.sqlite\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try:\n    g.Gallery.open(sys.argv[1])\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    (place / "faces.db").chmod(0o444)
    ran = subprocess.run(
        [sys.executable, "-c", program, str(place / "faces.db")], capture_output=True, text=True, timeout=120
    )
    assert "ShoalError" in ran.stdout
    assert "cannot be written" in ran.stdout or "cannot be opened" in ran.stdout
    assert "Traceback" not in ran.stderr


def test_another_process_that_holds_the_lock_is_waited_for_and_then_named(file: Place):
    faces = directions(2, 2)
    with file.open() as gallery:
        fill(gallery, faces)
        gallery._database._patience = 0.2  # type: ignore[attr-defined]
        gallery._database._pool.drain()  # type: ignore[attr-defined]
        holder = sqlite3.connect(file.where, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(ShoalError, match=r"another process has been writing for 0\.2 s; nothing was changed"):
            gallery.enrol("late", directions(1, 1, seed=5)[0])
        assert gallery.identify(faces[1, 0])[0].person == "person 001"  # readers do not wait
        holder.execute("ROLLBACK")
        holder.close()
        gallery.enrol("late", directions(1, 1, seed=5)[0])
        assert len(gallery) == 5


def test_a_full_disk_says_so_and_nothing_is_half_there(file: Place):
    faces = directions(30, 4, dim=256)
    with file.open() as gallery:
        fill(gallery, faces[:2])
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        import signal

        before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        full = Path(file.where + "-wal").stat().st_size + 20_000
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (full, hard))
            with pytest.raises(ShoalError, match="nothing was changed"):
                gallery.enrol("too many", faces[2:].reshape(-1, 256))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, before)
        assert len(gallery) == 8
        assert gallery.check() == []
        gallery.enrol("now", faces[2])
    with file.open() as gallery:
        assert len(gallery) == 12
        assert gallery.identify(faces[2, 1])[0].person == "now"


def test_a_damaged_file_is_found(file: Place):
    with file.open() as gallery:
        fill(gallery, directions(60, 4))
    content = bytearray(Path(file.where).read_bytes())
    content[len(content) // 2 : len(content) // 2 + 6000] = b"\xa5" * 6000
    Path(file.where).write_bytes(bytes(content))
    with pytest.raises(ShoalError, match=r"damaged|not what|row"), file.open() as gallery:
        raise ShoalError("; ".join(gallery.check()) or "nothing was found")


def test_a_closed_gallery_says_so(place: Place):
    gallery = place.open()
    gallery.close()
    gallery.close()
    with pytest.raises(ShoalError, match="closed"):
        len(gallery)


def test_a_copy_of_the_file_is_a_gallery(file: Place, tmp_path: Path):
    with file.open() as gallery:
        fill(gallery, directions(3, 2))
    shutil.copy(file.where, tmp_path / "copy.db")  # after closing there is nothing beside it
    with Gallery.open(tmp_path / "copy.db") as gallery:
        assert len(gallery) == 6


def test_a_server_that_is_not_there_is_one_line():
    pytest.importorskip("psycopg")
    with pytest.raises(ShoalError, match="nothing was changed") as error:
        Gallery.open("postgresql://somebody:secret@127.0.0.1:9/none")
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)
