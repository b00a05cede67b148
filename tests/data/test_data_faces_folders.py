"""Folders of people, folders of whoever, boxes; broken photos are named, and nothing is lost without a word."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from shoal.data.faces import FaceSet, list_images, list_people, load_faces, read_boxes
from shoal.errors import InputError
from tests.data.test_data_folders import fill, picture, png_header


class TestPeople:
    def test_each_folder_is_a_person(self, tmp_path: Path):
        faces = load_faces(fill(tmp_path / "friends", {"bob": 3, "ann": 2}), image_size=6)
        assert (faces.name, faces.people, faces.labels.tolist()) == ("friends", ("ann", "bob"), [0, 0, 1, 1, 1])
        assert faces.names[2] == "bob/00.png"
        assert faces.folder == str(tmp_path / "friends")
        assert faces.photos.tolist() == [0, 1, 2, 3, 4]
        assert np.array_equal(faces.images[3].permute(1, 2, 0).numpy(), np.asarray(picture(6, 6, seed=1)))
        assert str(faces) == "friends: 5 images 6×6 of 2 people"

    def test_one_person_is_enough(self, tmp_path: Path):
        assert load_faces(fill(tmp_path, {"ann": 1}), image_size=6).people == ("ann",)

    def test_a_folder_of_photos_has_nobody_that_is_known(self, tmp_path: Path):
        fill(tmp_path, {"loose": 3})
        faces = load_faces(tmp_path / "loose", image_size=6)
        assert (faces.people, faces.labels.tolist()) == ((), [-1, -1, -1])
        assert faces.names == ("00.png", "01.png", "02.png")
        assert "unknown people" in str(faces)

    def test_sizes_are_brought_to_one(self, tmp_path: Path):
        fill(tmp_path, {"ann": 2})
        picture(30, 90, grey=True).save(tmp_path / "ann" / "wide.jpg")
        Image.new("RGBA", (7, 5)).save(tmp_path / "ann" / "clear.webp")
        assert load_faces(tmp_path).images.shape == (4, 3, 96, 96)
        assert load_faces(tmp_path, image_size=(14, 10)).images.shape == (4, 3, 14, 10)

    def test_hidden_and_other_files_are_passed_over(self, tmp_path: Path):
        fill(tmp_path, {"ann": 2, ".hidden": 1, "__MACOSX": 1})
        for name in (".x.png", "Thumbs.db", "notes.txt"):
            (tmp_path / "ann" / name).write_text("no image")
        (tmp_path / "README.md").write_text("no person")
        assert len(load_faces(tmp_path, image_size=6)) == 2
        assert [path.name for path in list_images(tmp_path / "ann")] == ["00.png", "01.png"]
        assert list(list_people(tmp_path)) == ["ann"]

    def test_photos_beside_folders_of_photos_are_refused(self, tmp_path: Path):
        fill(tmp_path, {"ann": 2})
        picture(6, 6).save(tmp_path / "loose.png")
        with pytest.raises(InputError, match="expected images, or people's folders of images, got 1"):
            load_faces(tmp_path)

    def test_folders_too_deep_are_not_taken_for_people(self, tmp_path: Path):
        fill(tmp_path / "train", {"ann": 2, "bob": 2})
        with pytest.raises(InputError, match="a folder of train; name the folder that the people's folders"):
            load_faces(tmp_path)

    def test_a_folder_without_images_is_refused(self, tmp_path: Path):
        with pytest.raises(InputError, match="got a folder of nothing"):
            load_faces(tmp_path)
        (tmp_path / "notes.txt").write_text("x")
        with pytest.raises(InputError, match=r"got a folder of notes\.txt"):
            load_faces(tmp_path)

    def test_what_is_not_there_is_refused(self, tmp_path: Path):
        with pytest.raises(InputError, match="expected a folder, or one of lfw, olivetti, digits, got none"):
            load_faces(tmp_path / "none")
        (tmp_path / "file.png").write_bytes(b"")
        with pytest.raises(InputError, match="got a file"):
            load_faces(tmp_path / "file.png")
        with pytest.raises(InputError, match=r"unknown set of faces 'lfv'; did you mean 'lfw'\?"):
            load_faces("lfv")

    def test_a_name_that_no_page_can_show_is_refused(self, tmp_path: Path):
        with pytest.raises(InputError, match="expected folders with printable names"):
            load_faces(fill(tmp_path, {"ann": 2, "a\x01": 2}))

    @pytest.mark.parametrize(
        ("setting", "value"), [("image_size", -1), ("crop", 0.0), ("crop", 1.5), ("max_pixels", 0)]
    )
    def test_wrong_settings_are_refused(self, tmp_path: Path, setting: str, value: Any):
        fill(tmp_path, {"ann": 2})
        with pytest.raises(InputError, match=rf"{setting.replace('image_size', 'image size')}: expected"):
            load_faces(tmp_path, **{setting: value})


class TestBroken:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        fill(tmp_path, {"ann": 2, "bob": 3, "cy": 1, "nobody": 0})
        (tmp_path / "ann" / "0.png").write_bytes(b"no image")
        (tmp_path / "bob" / "01.png").write_bytes(png_header(9_500, 9_500))
        (tmp_path / "cy" / "00.png").write_bytes(b"")
        (tmp_path / "bob" / "x.heic").write_bytes(b"\0\0\0\x18ftypheic")
        return tmp_path

    def test_broken_photos_are_named_and_the_others_read(self, folder: Path):
        faces = load_faces(folder, image_size=6)
        assert faces.names == ("ann/00.png", "ann/01.png", "bob/00.png", "bob/02.png")
        assert (faces.people, faces.labels.tolist()) == (("ann", "bob"), [0, 0, 1, 1])
        assert np.array_equal(faces.images[3].permute(1, 2, 0).numpy(), np.asarray(picture(6, 6, seed=102)))
        why = dict(faces.skipped)
        assert set(why) == {"nobody/", "ann/0.png", "bob/01.png", "bob/x.heic", "cy/00.png"}
        assert why["bob/01.png"].startswith("expected an image of at most 50 megapixels")
        assert "convert it" in why["bob/x.heic"]
        assert all(str(folder) not in reason for reason in why.values())

    def test_all_broken_is_an_error(self, tmp_path: Path):
        (tmp_path / "a.png").write_bytes(b"no image")
        with pytest.raises(InputError, match=r"at least one image that can be read, got none in 1 .*a\.png"):
            load_faces(tmp_path)

    def test_progress_counts_every_photo(self, folder: Path):
        seen: list[tuple[int, int]] = []
        load_faces(folder, image_size=6, progress=lambda done, all_: seen.append((done, all_)))
        assert seen == [(i + 1, 8) for i in range(8)]

    def test_an_interrupt_goes_through(self, folder: Path):
        def interrupt(done: int, _: int) -> None:
            if done == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            load_faces(folder, progress=interrupt)


class TestBoxes:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "photos").mkdir()
        for i, name in enumerate(("party.png", "alone.png", "empty.png")):
            picture(40, 60, seed=i).save(tmp_path / "photos" / name)
        lines = ["file,score,left,top,right,bottom", "party.png,1,0,0,10,10", "./alone.png,1,5.5,6,20,20.5"]
        lines += ["party.png,1,20,20,30,30"]
        (tmp_path / "boxes.csv").write_text("\n".join(lines) + "\n")
        return tmp_path

    def test_a_face_for_each_box(self, folder: Path):
        faces = load_faces(folder / "photos", image_size=10, boxes=folder / "boxes.csv")
        assert faces.names == ("alone.png", "party.png#1", "party.png#2")
        assert len(faces.photos.unique()) == 2
        assert faces.photos[1] == faces.photos[2]
        expected = picture(40, 60, seed=0).crop((20, 20, 30, 30))
        assert np.array_equal(faces.images[2].permute(1, 2, 0).numpy(), np.asarray(expected))
        assert faces.skipped == (("empty.png", "no box"),)

    def test_boxes_need_no_file(self, folder: Path):
        boxes = read_boxes(folder / "boxes.csv")
        assert boxes["alone.png"] == ((5.5, 6.0, 20.0, 20.5),)
        assert len(load_faces(folder / "photos", image_size=10, boxes={"empty.png": [(0, 0, 9, 9)]})) == 1

    def test_a_box_outside_of_its_photo_is_skipped(self, folder: Path):
        boxes = {"alone.png": [(0, 0, 9, 9), (100, 100, 120, 120)]}
        faces = load_faces(folder / "photos", image_size=10, boxes=boxes)
        assert faces.names == ("alone.png#1",)
        assert dict(faces.skipped)["alone.png#2"].startswith("box: expected a part of 60×40 pixels")

    def test_boxes_of_a_photo_that_is_not_there_are_refused(self, folder: Path):
        with pytest.raises(
            InputError, match=r"boxes: expected photos that are in .*, got gone\.png, which is not; 1 of"
        ):
            load_faces(folder / "photos", boxes={"gone.png": [(0, 0, 9, 9)]})
        with pytest.raises(InputError, match="boxes: expected a folder of photos that they belong to"):
            load_faces("digits", boxes={})

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", r"line 1: expected columns file, left, top, right, bottom, got an empty file"),
            ("file,left,top\na,1,2\n", "missing right, bottom"),
            ("file,left,top,right,bottom\na.png,1,2,3\n", "line 2: expected four numbers of pixels"),
            ("file,left,top,right,bottom\na.png,1,2,x,4\n", "line 2: expected four numbers of pixels"),
            ("file,left,top,right,bottom\na.png,1,2,3,4\na.png,5,2,3,4\n", "line 3: expected left < right"),
            ("file,left,top,right,bottom\na.png,1,2,inf,4\n", "line 2: expected left < right"),
        ],
    )
    def test_a_wrong_line_is_named(self, tmp_path: Path, text: str, message: str):
        (tmp_path / "boxes.csv").write_text(text)
        with pytest.raises(InputError, match=message):
            read_boxes(tmp_path / "boxes.csv")

    def test_a_file_that_cannot_be_read_is_named(self, tmp_path: Path):
        with pytest.raises(InputError, match="expected a CSV file of boxes, got no such file"):
            read_boxes(tmp_path / "none.csv")
        (tmp_path / "bad.csv").write_bytes(b"file,left,top,right,bottom\n\xff\xfe,1,2,3,4\n")
        with pytest.raises(InputError, match="got one that cannot be read"):
            read_boxes(tmp_path / "bad.csv")


class TestFaceSet:
    @staticmethod
    def some(labels: list[int], people: tuple[str, ...] = ("ann", "bob", "cy")) -> FaceSet:
        images = torch.arange(len(labels), dtype=torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 2, 2)
        names = tuple(f"{i}.png" for i in range(len(labels)))
        return FaceSet(
            name="toy", images=images, labels=torch.tensor(labels), people=people, names=names, source="made up"
        )

    def test_rows_and_people_can_be_taken(self):
        faces = self.some([0, 2, 0, 1])
        assert faces.counts.tolist() == [2, 1, 1]
        assert faces.take(torch.tensor([3, 1])).names == ("3.png", "1.png")
        assert faces.take(torch.tensor([3, 1])).people == faces.people
        two = faces.of_people({"cy", "ann"})
        assert (two.people, two.labels.tolist(), two.photos.tolist()) == (("ann", "cy"), [0, 1, 0], [0, 1, 2])
        assert len(faces.take(torch.empty(0, dtype=torch.int64)).renumbered()) == 0

    def test_who_or_what_is_not_there_is_refused(self):
        with pytest.raises(InputError, match="people: expected people of toy, got dan"):
            self.some([0, 1]).of_people(["ann", "dan"])
        with pytest.raises(InputError, match="rows: expected 0 to 1, got 0 to 2"):
            self.some([0, 1]).take(torch.tensor([0, 2]))

    def test_parts_that_do_not_fit_are_refused(self):
        for labels, people in (([0, 3], ("ann", "bob")), ([0, -1], ("ann", "bob")), ([0, 0], ())):
            with pytest.raises(InputError, match="labels: expected"):
                self.some(labels, people)
        with pytest.raises(InputError, match=r"images: expected uint8 \[n, 3, height, width\]"):
            FaceSet(
                name="toy",
                images=torch.zeros(1, 1, 2, 2, dtype=torch.uint8),
                labels=torch.tensor([0]),
                people=("ann",),
                names=("a",),
                source="",
            )

    def test_a_notebook_shows_no_photo(self):
        html = self.some([0, 1, 2])._repr_html_()
        assert "3 images" in html
        assert "<img" not in html
