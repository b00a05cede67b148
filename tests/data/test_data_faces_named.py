"""Sets by name: digits that say they are no faces, Olivetti from scikit-learn's folder, the best at hand."""

from pathlib import Path

import joblib
import numpy as np
import pytest
import torch

from shoal.data.faces import fetch_faces, find_best_faces, list_face_sets, load_faces, match_face_spec, verify_faces
from shoal.errors import InputError, ShoalError
from tests.data.test_data_faces_lfw import make_lfw
from tests.data.test_data_folders import fill


@pytest.fixture(autouse=True)
def nothing_here(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No SHOAL_DATA, an empty cache, nothing of scikit-learn's."""
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "sklearn"))


@pytest.fixture
def olivetti(tmp_path: Path) -> np.ndarray:
    """400 made-up pictures, where scikit-learn keeps the Olivetti faces, and in its form."""
    made = np.random.default_rng(0).random((400, 4096)).astype(np.float32)
    made[0, :2] = (0, 1)
    (tmp_path / "sklearn").mkdir()
    joblib.dump(made, tmp_path / "sklearn" / "olivetti_py3.pkz", compress=6)
    return made


class TestDigits:
    def test_they_say_that_they_are_no_faces(self):
        digits = load_faces("digits")
        assert not digits.are_faces
        for text in (digits.name, digits.title, digits.source, str(digits), repr(digits)):
            assert "not" in text
            assert "faces" in text
        assert digits.images.shape == (1797, 3, 8, 8)
        assert len(digits.people) == 10
        assert len(set(digits.names)) == 1797
        assert int(digits.images.max()) == 255

    def test_they_come_in_any_size(self):
        assert load_faces("digits", image_size=32).images.shape[2:] == (32, 32)
        assert load_faces("digits", image_size=(20, 10)).images.shape[2:] == (20, 10)
        with pytest.raises(InputError, match="image size: expected"):
            load_faces("digits", image_size=-2)

    def test_they_are_verified(self):
        assert [check.ok for check in verify_faces("digits")] == [True]


class TestOlivetti:
    def test_it_is_read_as_scikit_learn_keeps_it(self, olivetti: np.ndarray):
        faces = load_faces("olivetti")
        assert faces.are_faces
        assert faces.images.shape == (400, 3, 64, 64)
        assert torch.bincount(faces.labels).tolist() == [10] * 40
        assert len(set(faces.names)) == 400
        expected = torch.from_numpy((olivetti[17].reshape(64, 64).T * 255).round())
        assert (faces.images[17, 0].float() - expected).abs().max() <= 1
        assert load_faces("olivetti", image_size=32).images.shape[2:] == (32, 32)
        assert [check.ok for check in verify_faces("olivetti")] == [True]

    def test_where_it_is_not_nothing_is_fetched_unasked(self, tmp_path: Path):
        with pytest.raises(ShoalError, match=r"the Olivetti faces are not in .*; shoal data fetch olivetti"):
            load_faces("olivetti")
        assert not (tmp_path / "sklearn").exists()
        assert [check.ok for check in verify_faces("olivetti")] == [False]

    def test_a_broken_file_is_an_error(self, tmp_path: Path):
        (tmp_path / "sklearn").mkdir()
        (tmp_path / "sklearn" / "olivetti_py3.pkz").write_bytes(b"no pickle")
        with pytest.raises(ShoalError, match="the Olivetti faces cannot be read"):
            load_faces("olivetti")


class TestFetching:
    def test_what_is_there_is_not_fetched_again(self, olivetti: np.ndarray, tmp_path: Path):
        assert fetch_faces("olivetti") == tmp_path / "sklearn"

    def test_what_cannot_be_fetched_says_how_it_is_had(self):
        with pytest.raises(InputError, match=r"data set lfw: expected one that can be fetched, got .*; get it"):
            fetch_faces("lfw")
        with pytest.raises(InputError, match="not faces; nothing has to be fetched"):
            fetch_faces("digits")
        with pytest.raises(InputError, match="unknown set of faces 'olivetty'; did you mean 'olivetti'"):
            fetch_faces("olivetty")


class TestNames:
    def test_names_are_known_in_any_spelling(self):
        assert list_face_sets() == ("lfw", "olivetti", "digits")
        spec = match_face_spec("L-F_W")
        assert spec is not None
        assert spec.name == "lfw"
        assert match_face_spec("lfv") is None


class TestBest:
    def test_what_is_asked_for(self, tmp_path: Path):
        fill(tmp_path / "mine", {"ann": 2, "bob": 2})
        choice = find_best_faces(tmp_path / "mine", image_size=6)
        assert choice.why == f"{tmp_path / 'mine'}, as asked for"
        assert (choice.better, choice.data) == ("", str(tmp_path / "mine"))
        with pytest.raises(InputError, match="unknown set of faces"):
            find_best_faces("nothing")

    def test_digits_where_there_is_nothing(self):
        choice = find_best_faces(offline=True)
        assert choice.why == "scikit-learn's handwritten digits, not faces, since no faces are here"
        assert choice.better.startswith("these are not faces; 13,233 photos of 5,749 people: get LFW")
        assert load_faces(choice.data).names == choice.faces.names
        assert load_faces(offline=True).name == "digits (not faces)"

    def test_in_order(self, olivetti: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        choice = find_best_faces(offline=True)
        assert choice.data == "olivetti"
        assert choice.why == "the Olivetti faces, found in the folder of scikit-learn"
        assert "13,233 photos" in choice.better
        monkeypatch.setenv("SHOAL_DATA", str(tmp_path / "mine"))
        make_lfw(tmp_path / "mine" / "lfw")
        choice = find_best_faces(image_size=6)
        assert choice.why == "Labeled Faces in the Wild, found in SHOAL_DATA"
        assert (choice.better, choice.data) == ("", "lfw")
        assert len(load_faces(choice.data, image_size=6)) == len(choice.faces) == 10

    def test_folders_of_anything_are_not_people(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        pets = fill(tmp_path / "pets", dict.fromkeys(("cat", "dog", "hen", "cow"), 3))
        monkeypatch.setenv("SHOAL_DATA", str(pets))
        assert not find_best_faces(offline=True).faces.are_faces

    def test_what_fails_is_passed_over_and_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("SHOAL_DATA", "/nowhere")
        assert "(SHOAL_DATA: expected an existing folder" in find_best_faces(offline=True).why
        with pytest.raises(InputError, match="data root: expected an existing folder"):
            find_best_faces(root="/nowhere", offline=True)
        (tmp_path / "sklearn").mkdir()
        (tmp_path / "sklearn" / "olivetti_py3.pkz").write_bytes(b"no pickle")
        assert "(the Olivetti faces cannot be read" in find_best_faces(offline=True).why
