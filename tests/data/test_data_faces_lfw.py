"""LFW in its authors' layout: a made-up one in miniature, and the real one where it is."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from shoal.data.faces import (
    describe_faces,
    lfw_pairs,
    lfw_rows,
    list_people,
    load_faces,
    read_face,
    read_pair_list,
    read_people_list,
    split_faces,
    verify_faces,
)
from shoal.data.faces.lfw import find_lfw
from shoal.errors import InputError

TRAIN = {"Ann_Lee": 3, "Bob_Al-Hakim": 2, "Cy_Po": 1}
TEST = {"Dee_Day": 2, "Eve_Fox": 2}
MATCHED = "Ann_Lee\t1\t3\nBob_Al-Hakim\t1\t2\n"
MISMATCHED = "Ann_Lee\t1\tCy_Po\t1\nBob_Al-Hakim\t2\tAnn_Lee\t2\n"
VIEW_1 = {
    "pairsDevTrain.txt": f"2\n{MATCHED}{MISMATCHED}",
    "pairsDevTest.txt": "1\nDee_Day\t1\t2\nDee_Day\t2\tEve_Fox\t1",  # as published, without a last line end
}
VIEW_2 = "2\t1\nAnn_Lee\t1\t2\nAnn_Lee\t3\tCy_Po\t1\nDee_Day\t1\t2\nDee_Day\t1\tEve_Fox\t2\n"


def person(name: str) -> np.ndarray:
    return np.random.default_rng(len(name) + ord(name[0])).integers(0, 256, (8, 8, 3), dtype=np.uint8)


def make_lfw(folder: Path, *, side: int = 160, lists: Path | None = None) -> Path:
    """Two parts of people, with flat squares for faces, and the lists of both views."""
    for name, count in {**TRAIN, **TEST}.items():
        (folder / name).mkdir(parents=True)
        for i in range(1, count + 1):
            centre = Image.fromarray(person(name)).resize((160, 160), Image.Resampling.NEAREST)
            photo = Image.new("RGB", (side, side))
            photo.paste(centre, ((side - 160) // 2, (side - 160) // 2))
            photo.save(folder / name / f"{name}_{i:04}.jpg", quality=95)
    lists = lists or folder
    for name, people in (("peopleDevTrain.txt", TRAIN), ("peopleDevTest.txt", TEST)):
        lines = "".join(f"{person}\t{count}\n" for person, count in people.items())
        (lists / name).write_text(f"{len(people)}\n{lines}")
    for name, text in {**VIEW_1, "pairs.txt": VIEW_2}.items():
        (lists / name).write_text(text)
    return folder


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return make_lfw(tmp_path / "data" / "lfw")


class TestSmall:
    def test_it_is_found_by_name_and_by_path(self, small: Path):
        for faces in (load_faces("LFW", root=small.parent, image_size=16), load_faces(small, image_size=16)):
            assert (faces.name, faces.title, faces.terms) == (
                "lfw",
                "Labeled Faces in the Wild",
                "research only; never redistribute",
            )
            assert (len(faces), len(faces.people)) == (10, 5)
            assert faces.names[3] == "Bob_Al-Hakim/Bob_Al-Hakim_0001.jpg"
            assert str(small) in faces.source

    @pytest.mark.parametrize("place", ["lfw-deepfunneled", "lfw_home/lfw_funneled"])
    def test_other_layouts_are_found(self, tmp_path: Path, place: str):
        folder = tmp_path / place
        folder.mkdir(parents=True)
        make_lfw(folder, lists=folder.parent)
        assert len(load_faces("lfw", root=tmp_path, image_size=8)) == 10

    def test_lists_beside_other_people_are_not_lfw(self, small: Path):
        other = small.parent / "mine"
        (other / "Zoe").mkdir(parents=True)
        for name in VIEW_1:
            (small.parent / name).write_text(VIEW_1[name])
        assert find_lfw(other) is None

    def test_photos_of_250_pixels_are_cut_like_those_of_160(self, tmp_path: Path, small: Path):
        large = load_faces(make_lfw(tmp_path / "large" / "lfw", side=250), image_size=40)
        few = load_faces(small, image_size=40)
        assert (large.images.float() - few.images.float()).abs().mean() < 8
        assert torch.equal(few.images[0], read_face(small / few.names[0], 40))

    def test_a_share_of_the_centre(self, small: Path):
        faces = load_faces(small, image_size=32, crop=0.5)
        assert torch.equal(faces.images[0], read_face(small / faces.names[0], 32, box=(40, 40, 120, 120)))

    def test_view_1_divides_people_and_pairs(self, small: Path):
        splits = split_faces(load_faces(small, image_size=8))
        assert (splits.train.people, splits.test.people) == (tuple(TRAIN), tuple(TEST))
        assert splits.train.labels.tolist() == [0, 0, 0, 1, 1, 2]
        assert splits.test.labels.tolist() == [0, 0, 1, 1]
        pairs = splits.train_pairs
        assert list(zip(pairs.a.tolist(), pairs.b.tolist(), pairs.same.tolist(), strict=True)) == [
            (0, 2, True),
            (3, 4, True),
            (0, 5, False),
            (4, 1, False),
        ]
        assert (splits.test_pairs.a.tolist(), splits.test_pairs.b.tolist()) == ([0, 1], [1, 2])
        assert "View 1" in str(splits)
        for part, pairs in ((splits.train, splits.train_pairs), (splits.test, splits.test_pairs)):
            assert torch.equal(part.labels[pairs.a] == part.labels[pairs.b], pairs.same)

    def test_view_2_has_its_own_folds(self, small: Path):
        pairs = lfw_pairs(load_faces(small, image_size=8), "pairs.txt")
        assert pairs.name == "View 2 of LFW"
        assert pairs.same.tolist() == [True, False, True, False]
        assert pairs.fold.tolist() == [0, 0, 1, 1]
        assert pairs.a.tolist() == [0, 2, 6, 6]
        assert pairs.b.tolist() == [1, 5, 7, 9]

    def test_a_broken_photo_is_skipped_and_pairs_that_need_it_refused(self, small: Path):
        (small / "Dee_Day" / "Dee_Day_0002.jpg").write_bytes(b"")
        faces = load_faces(small, image_size=8)
        assert [name for name, _ in faces.skipped] == ["Dee_Day/Dee_Day_0002.jpg"]
        message = r"Test\.txt, line 2: expected images that are there, got image 2 of Dee_Day, .*; 2 of 2 pairs"
        with pytest.raises(InputError, match=message):
            split_faces(faces)

    def test_verify_decodes_every_photo_and_counts_everybody(self, small: Path):
        assert [check.ok for check in verify_faces("lfw", root=small.parent)] == [True] * 12
        (small / "Ann_Lee" / "Ann_Lee_0003.jpg").write_bytes(b"no image")
        (small / "Eve_Fox" / "Eve_Fox_0002.jpg").unlink()
        bad = [check for check in verify_faces(small) if not check.ok]
        assert [Path(check.file).name for check in bad] == ["peopleDevTest.txt", "Ann_Lee_0003.jpg"]
        assert bad[0].got == "2 of Eve_Fox, and 1 are here"

    def test_what_is_there_is_described(self, small: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
        monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "none"))
        lfw, olivetti = describe_faces(root=small.parent)
        assert (lfw.found, lfw.where, olivetti.found) == (True, str(small), False)
        assert all(row.terms and row.source and row.content and row.fetch for row in (lfw, olivetti))
        assert not describe_faces(root=tmp_path)[0].found

    def test_where_it_is_not_the_message_says_how_to_get_it(self, tmp_path: Path):
        with pytest.raises(
            InputError, match=r"data set lfw: expected lfw/ with its lists in one of .*; get it from its"
        ):
            load_faces("lfw", root=tmp_path)


ROWS = {("Ann", 1): 0, ("Ann", 2): 1, ("Bob", 1): 2}


class TestLists:
    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "line 1: expected how many pairs .* got an empty file"),
            ("many\n", "line 1: expected how many pairs"),
            ("0\n", "line 1: expected how many pairs"),
            ("1 2 3\n", "line 1: expected how many pairs"),
            ("1\nAnn\t1\t2\n", "expected 2 pairs after the first line, got 1"),
            ("1\nAnn\t1\t2\nAnn\t1\t2\n", "line 3: expected a mismatched pair: name1 n1 name2 n2"),
            ("1\nAnn\t1\tBob\t1\nAnn\t1\tBob\t1\n", "line 2: expected a matched pair: name n1 n2"),
            ("1\nAnn\tone\t2\nAnn\t1\tBob\t1\n", "line 2: expected a matched pair"),
            (
                "1\nAnn\t1\t2\nAnn\t1\tBob\t7\n",
                "line 3: expected images that are there, got image 7 of Bob, .*; 1 of 2",
            ),
        ],
    )
    def test_a_wrong_line_is_named(self, tmp_path: Path, text: str, message: str):
        (tmp_path / "pairs.txt").write_text(text)
        with pytest.raises(InputError, match=message):
            read_pair_list(tmp_path / "pairs.txt", ROWS)

    def test_view_1_gets_ten_folds_in_order(self, tmp_path: Path):
        lines = ["20", *["Ann\t1\t2"] * 20, *["Ann\t1\tBob\t1"] * 20]
        (tmp_path / "pairs.txt").write_text("\n".join(lines))
        pairs = read_pair_list(tmp_path / "pairs.txt", ROWS)
        assert pairs.fold.tolist() == [i // 2 for i in range(20)] * 2

    @pytest.mark.parametrize("text", ["x\n", "2\nAnn\t1\n", "1\nAnn one\n", "1\nAnn\n"])
    def test_wrong_people_are_refused(self, tmp_path: Path, text: str):
        (tmp_path / "people.txt").write_text(text)
        with pytest.raises(InputError, match=r"people\.txt"):
            read_people_list(tmp_path / "people.txt")

    def test_a_set_without_lists_says_what_is_missing(self):
        faces = load_faces("digits")
        with pytest.raises(InputError, match=r"LFW's pairs: expected pairs\.txt beside"):
            lfw_pairs(faces, "pairs.txt")
        assert lfw_rows(faces) == {}


@pytest.fixture(scope="module")
def lfw(data_root: Path) -> Path:
    if not (data_root / "lfw").is_dir():
        pytest.skip(f"needs LFW: {data_root / 'lfw'} is missing")
    folder = find_lfw(data_root)
    assert folder is not None
    return folder


class TestReal:
    def test_it_is_as_published(self, lfw: Path):
        counts = torch.tensor([len(paths) for paths in list_people(lfw).values()])
        assert (len(counts), int(counts.sum())) == (5_749, 13_233)
        assert [int((counts >= n).sum()) for n in (2, 5, 10, 40)] == [1_680, 423, 158, 19]

    def test_view_1_is_as_published(self, lfw: Path):
        train, test = (read_people_list(lfw / f"peopleDev{part}.txt") for part in ("Train", "Test"))
        assert (len(train), sum(train.values())) == (4_038, 9_525)
        assert (len(test), sum(test.values())) == (1_711, 3_708)
        assert not set(train) & set(test)
        for people, part, count in ((train, "Train", 1_100), (test, "Test", 500)):
            ends = [(person, number) for person, images in people.items() for number in range(1, images + 1)]
            pairs = read_pair_list(lfw / f"pairsDev{part}.txt", {end: row for row, end in enumerate(ends)})
            assert (int(pairs.same.sum()), len(pairs)) == (count, 2 * count)
            who = [ends[a][0] == ends[b][0] for a, b in zip(pairs.a.tolist(), pairs.b.tolist(), strict=True)]
            assert who == pairs.same.tolist()
            assert torch.bincount(pairs.fold).tolist() == [2 * count // 10] * 10

    @pytest.mark.slow
    def test_every_photo_can_be_read(self, lfw: Path):
        faces = load_faces(lfw, image_size=8)
        assert (len(faces), faces.skipped) == (13_233, ())
        splits = split_faces(faces)
        assert (len(splits.train), len(splits.test)) == (9_525, 3_708)
        for part, pairs in ((splits.train, splits.train_pairs), (splits.test, splits.test_pairs)):
            assert torch.equal(part.labels[pairs.a] == part.labels[pairs.b], pairs.same)
