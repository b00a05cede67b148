"""`shoal gallery` from photos to forgetting, on drawn faces and with a real network's file."""

import json
from pathlib import Path
from typing import Any

import pytest

from shoal.cli import main
from shoal.faces import create_network, save_network
from tests.gallery.made_up import picture, write_pictures

PEOPLE, EACH = 24, 2


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two models, people's photos, and one photo that is broken."""
    monkeypatch.chdir(tmp_path)
    for name, seed in (("first", 0), ("second", 1)):
        save_network(create_network("compact", 8, image_size=(16, 16), seed=seed), f"{name}.safetensors")
    write_pictures(tmp_path / "photos", PEOPLE, EACH)
    (tmp_path / "photos" / "person 003" / "broken.png").write_bytes(picture(3)[:100])
    (tmp_path / "loose").mkdir()
    for photo in range(3):
        (tmp_path / "loose" / f"{photo}.png").write_bytes(picture(90, photo))
    return tmp_path


def shoal(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    """Run `shoal gallery …` and give what it printed, or the error where it is to fail."""
    with pytest.raises(SystemExit) as left:
        main(["gallery", *words])
    told = capsys.readouterr()
    assert left.value.code == code, told.err
    return told.err if code else told.out


def told(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    return json.loads(shoal(capsys, *words, "--json"))


def test_a_folder_of_photos_becomes_a_gallery_that_answers(folder: Path, capsys: pytest.CaptureFixture[str]):
    first = told(capsys, "enrol", "faces.db", "photos", "--model", "first.safetensors")
    assert (first["faces"], first["new"]) == (PEOPLE * EACH, PEOPLE * EACH)
    assert first["skipped"][0][0] == "person 003/broken.png"
    assert told(capsys, "enrol", "faces.db", "photos")["new"] == 0  # remembers its model, and what is there
    assert shoal(capsys, "people", "faces.db").startswith("person 000   2 faces\n")
    found = told(capsys, "identify", "faces.db", "photos/person 007/1.png")
    assert found["matches"][0]["person"] == "person 007"
    assert found["matches"][0]["distance"] < 1e-6
    shoal(capsys, "enrol", "faces.db", "loose")
    assert len(told(capsys, "cluster", "faces.db", "--threshold", "4")[0]["faces"]) == 3
    faces = [str(face) for face in told(capsys, "cluster", "faces.db", "--threshold", "4")[0]["faces"]]
    assert "undo" in shoal(capsys, "assign", "faces.db", *faces, "--person", "newcomer")
    assert shoal(capsys, "cluster", "faces.db") == "no face is without a name\n"
    assert shoal(capsys, "undo", "faces.db") == "assign\n"
    shoal(capsys, "assign", "faces.db", *faces, "--person", "newcomer")
    shoal(capsys, "merge", "faces.db", "newcomer", "--into", "person 000")
    assert "5 faces" in shoal(capsys, "people", "faces.db")


def test_the_model_changes_and_a_person_is_forgotten(folder: Path, capsys: pytest.CaptureFixture[str]):
    shoal(capsys, "enrol", "faces.db", "photos", "--model", "first.safetensors", "--keep-photos")
    done = told(capsys, "upgrade", "faces.db", "second.safetensors", "--force")
    assert (done["kept"], done["added"]) == (PEOPLE * EACH, PEOPLE * EACH)
    assert done["gate"]["pairs"] > 0
    assert told(capsys, "identify", "faces.db", "photos/person 011/0.png")["matches"][0]["person"] == "person 011"
    assert shoal(capsys, "rollback", "faces.db") == "first\n"
    assert "faces.db" not in shoal(capsys, "verify", "faces.db", "person 004", "photos/person 004/0.png", code=2)
    assert told(capsys, "verify", "faces.db", "person 004", "photos/person 004/0.png", "--far", "0.2")["accepted"]
    erased = told(capsys, "forget", "faces.db", "person 004")
    assert (erased["faces"], erased["found"], erased["complete"]) == (EACH, 0, True)
    assert picture(4)[-60:-20] not in b"".join(path.read_bytes() for path in folder.glob("faces.db*"))
    log = told(capsys, "audit", "faces.db")
    assert log["intact"]
    assert [entry["what"] for entry in log["entries"]][-3:] == ["upgrade", "rollback", "forget"]
    assert "head: " + log["head"] in shoal(capsys, "audit", "faces.db", "--head", log["head"])
    assert "not as it was written" in shoal(capsys, "audit", "faces.db", "--head", "f" * 64, code=1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["identify", "none.db", "photos/person 001/0.png"], "none.db: expected a gallery, got no such file"),
        (["enrol", "faces.db", "nowhere", "--model", "first.safetensors"], "nowhere"),
        (["enrol", "faces.db", "photos", "--model", "nowhere.safetensors"], "nowhere.safetensors"),
        (["enrol", "first.safetensors", "photos"], "expected the file of a gallery, got a file of another kind"),
    ],
)
def test_wrong_use_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str):
    error = shoal(capsys, *words, code=2)
    assert said in error
    assert "Traceback" not in error
