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
@pytest.mark.parametrize("folder", [0o755, 0o777])
def test_a_file_that_may_not_be_written_says_so(open_folder: Path, folder: int):
    """In a folder in which nothing may be made either, and in one in which it may."""
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
    place.chmod(folder)
    before = (place / "faces.db").read_bytes()
    ran = subprocess.run(
        [sys.executable, "-c", program, str(place / "faces.db")], capture_output=True, text=True, timeout=120
    )
    assert "ShoalError" in ran.stdout
    assert "cannot be written" in ran.stdout or "cannot be opened" in ran.stdout
    assert "Traceback" not in ran.stderr
    assert (place / "faces.db").read_bytes() == before


def in_a_place_of_its_own(mount: str, program: str, *words: str) -> str:
    """Run a program that sees a mount which nobody else sees; gives what it prints."""
    command = ["unshare", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh", sys.executable, "-c", program, *words]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=Path(__file__).parents[2])
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def may_mount() -> bool:
    return os.geteuid() == 0 and subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not may_mount(), reason="a mount of one's own needs root")
def test_a_place_that_is_read_only_says_so(tmp_path: Path):
    place = tmp_path / "place"
    with Gallery.open(place / "faces.db") as gallery:
        fill(gallery, directions(2, 2))
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    program = (
        "import sys\nfrom shoal.gallery import Gallery\n"
        "try:\n    Gallery.open(sys.argv[1])\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    mount = f"mount --bind {place} {place} && mount -o remount,bind,ro {place}"
    said = in_a_place_of_its_own(mount, program, str(place / "faces.db"))
    assert said.startswith("ShoalError")
    assert "cannot be written" in said
    assert said.count("\n") == 1
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before


FULL = """
import sys
from pathlib import Path
from shoal.errors import ShoalError
from shoal.gallery import Gallery
from tests.gallery.made_up import directions, fill

place, faces = Path(sys.argv[1]), directions(30, 40, dim=256)
with Gallery.open(place / "faces.db") as gallery:
    fill(gallery, faces[:2])
    (place / "other").write_bytes(bytes(400_000))
    try:
        gallery.enrol("too many", faces[2:].reshape(-1, 256))
    except ShoalError as error:
        print(error)
    print(len(gallery), gallery.check(), gallery.identify(faces[1, 0])[0].person)
    (place / "other").unlink()
    gallery.enrol("now", faces[2])
with Gallery.open(place / "faces.db") as gallery:
    print(len(gallery), gallery.check(), gallery.identify(faces[2, 0])[0].person)
"""


@pytest.mark.skipif(not may_mount(), reason="a mount of one's own needs root")
def test_a_disk_that_is_really_full_says_so_and_goes_on_when_there_is_room(tmp_path: Path):
    said = in_a_place_of_its_own(f"mount -t tmpfs -o size=1500k tmpfs {tmp_path}", FULL, str(tmp_path))
    full, after, later = said.splitlines()
    assert "the disk is full; nothing was changed; free some space and try again" in full
    assert after == "80 [] person 001"
    assert later == "120 [] now"


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
