"""Folders of images: layouts, shapes, orientation, transparency, greys, and everything that can be wrong."""

import contextlib
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from shoal.data.folders import looks_like_images, read_folder
from shoal.data.pictures import read_picture
from shoal.errors import InputError, ShoalError


def picture(height: int, width: int, *, grey: bool = False, seed: int = 0) -> Image.Image:
    shape = (height, width) if grey else (height, width, 3)
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def fill(folder: Path, counts: dict[str, int], *, size: tuple[int, int] = (6, 6), grey: bool = False) -> Path:
    for number, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            picture(*size, grey=grey, seed=100 * number + i).save(folder / name / f"{i:02}.png")
    return folder


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds nothing."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"")


class TestLayouts:
    def test_class_folders_become_classes_in_order(self, tmp_path: Path):
        data = read_folder(fill(tmp_path / "pets", {"dog": 3, "cat": 2}))
        assert (data.train.name, data.train.classes, data.test) == ("pets", ("cat", "dog"), None)
        assert data.train.labels.tolist() == [0, 0, 1, 1, 1]
        assert data.train.files[2] == str(Path("dog/00.png"))
        expected = np.asarray(picture(6, 6, seed=1)).transpose(2, 0, 1)
        assert np.array_equal(data.train.images[3].numpy(), expected)

    @pytest.mark.parametrize(
        ("folders", "sizes"),
        [
            (("train", "test"), {"train": 8, "test": 4}),
            (("Train", "val"), {"train": 8, "test": 4}),  # what is held out is what is reported on
            (("train", "validation", "test"), {"train": 8, "validation": 4, "test": 4}),
        ],
    )
    def test_their_own_division_is_kept(self, tmp_path: Path, folders: tuple[str, ...], sizes: dict[str, int]):
        for name in folders:
            fill(tmp_path / name, {"a": 4, "b": 4} if name.lower() == "train" else {"a": 2, "b": 2})
        data = read_folder(tmp_path)
        assert {k: len(v) for k, v in vars(data).items() if v is not None} == sizes
        assert data.train.files[0] == str(Path(folders[0]) / "a" / "00.png")

    def test_classes_named_train_and_plane_are_just_classes(self, tmp_path: Path):
        assert read_folder(fill(tmp_path, {"train": 2, "plane": 2})).train.classes == ("plane", "train")

    def test_a_test_class_that_is_not_trained_on_is_refused(self, tmp_path: Path):
        fill(tmp_path / "train", {"a": 2, "b": 2})
        fill(tmp_path / "test", {"a": 2, "c": 2})
        with pytest.raises(InputError, match=r"test: expected only class folders .* got c"):
            read_folder(tmp_path)

    def test_hidden_and_other_files_are_passed_over(self, tmp_path: Path):
        fill(tmp_path, {"a": 2, "b": 2, ".hidden": 1, "__MACOSX": 1})
        for name in (".x.png", "._0.png", "Thumbs.db", "notes.txt"):
            (tmp_path / "a" / name).write_text("no image")
        (tmp_path / "README.md").write_text("no class")
        assert len(read_folder(tmp_path).train) == 4

    @pytest.mark.parametrize("counts", [{}, {"only": 5}])
    def test_fewer_than_two_classes_are_refused(self, tmp_path: Path, counts: dict[str, int]):
        with pytest.raises(InputError, match=rf"expected at least 2 class folders, got {len(counts)}"):
            read_folder(fill(tmp_path, counts))

    @pytest.mark.parametrize("few", [0, 1])
    def test_a_class_with_too_few_images_is_named(self, tmp_path: Path, few: int):
        with pytest.raises(InputError, match=rf"rare: expected at least 2 images a class .*, got {few}"):
            read_folder(fill(tmp_path, {"common": 5, "rare": few}))

    def test_folders_of_images_are_told_from_others(self, tmp_path: Path):
        fill(tmp_path / "one", {"a": 2})
        fill(tmp_path / "two", {"a": 1, "b": 1, "c": 0})
        fill(tmp_path / "divided" / "train", {"a": 1, "b": 1})
        fill(tmp_path / "divided" / "test", {"a": 1})
        looks = {path.name: looks_like_images(path) for path in (tmp_path, *tmp_path.iterdir())}
        assert looks == {tmp_path.name: False, "one": False, "two": True, "divided": True}


class TestShapes:
    def test_equal_small_images_keep_their_size(self, tmp_path: Path):
        assert read_folder(fill(tmp_path, {"a": 2, "b": 2}, size=(6, 9))).train.shape == (3, 6, 9)

    def test_unequal_images_get_the_default_size(self, tmp_path: Path):
        fill(tmp_path, {"a": 2, "b": 2})
        picture(7, 6).save(tmp_path / "b" / "odd.png")
        assert read_folder(tmp_path).train.shape == (3, 64, 64)

    def test_large_images_get_the_default_size(self, tmp_path: Path):
        assert read_folder(fill(tmp_path, {"a": 2, "b": 2}, size=(129, 129))).train.shape == (3, 64, 64)

    def test_a_size_is_obeyed_without_distortion(self, tmp_path: Path):
        wide = np.zeros((20, 60, 3), dtype=np.uint8)
        wide[:, 20:40] = (255, 0, 0)  # the central square
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            for i in range(2):
                Image.fromarray(wide).save(tmp_path / name / f"{i}.png")
        images = read_folder(tmp_path, size=10).train.images
        assert images.shape == (4, 3, 10, 10)
        assert int(images[:, 0, :, 1:-1].min()) > 250
        assert int(images[:, 1:].max()) < 5

    def test_grey_stays_one_channel_only_if_all_are_grey(self, tmp_path: Path):
        fill(tmp_path, {"a": 2, "b": 2}, grey=True)
        grey = read_folder(tmp_path).train.images
        assert grey.shape == (4, 1, 6, 6)
        picture(6, 6).save(tmp_path / "b" / "coloured.png")
        colour = read_folder(tmp_path).train.images
        assert colour.shape == (5, 3, 6, 6)
        assert torch.equal(colour[:4], grey.expand(4, 3, 6, 6))

    @pytest.mark.parametrize("size", [0, -3])
    def test_a_size_that_cannot_be_is_refused(self, tmp_path: Path, size: int):
        with pytest.raises(InputError, match="size: expected at least 1 pixel"):
            read_folder(fill(tmp_path, {"a": 2, "b": 2}), size=size)


class TestPictures:
    @pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp", ".gif", ".jpg", ".JPEG"])
    def test_every_format_is_read(self, tmp_path: Path, suffix: str):
        flat = Image.new("RGB", (8, 8), (200, 100, 50))
        path = tmp_path / f"x{suffix}"
        flat.save(path, lossless=True) if suffix == ".webp" else flat.save(path)
        read = read_picture(path, (3, 8, 8))
        assert (read.float() - torch.tensor([200.0, 100, 50]).view(3, 1, 1)).abs().max() <= 3

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_orientation_is_honoured(self, tmp_path: Path, orientation: int):
        upright = picture(4, 6)
        turns = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # how a camera stored it: the inverse transposition
        stored = upright if orientation == 1 else upright.transpose(Image.Transpose(turns[orientation]))
        exif = Image.Exif()
        exif[0x0112] = orientation
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
            for i in range(2):
                stored.save(tmp_path / name / f"{i}.png", exif=exif)
        images = read_folder(tmp_path).train.images
        assert np.array_equal(images[0].permute(1, 2, 0).numpy(), np.asarray(upright))

    def test_transparency_shows_white(self, tmp_path: Path):
        Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(tmp_path / "clear.png")
        Image.new("LA", (2, 2), (0, 0)).save(tmp_path / "grey.png")
        assert int(read_picture(tmp_path / "clear.png", (3, 2, 2)).min()) == 255
        assert int(read_picture(tmp_path / "grey.png", (1, 2, 2)).min()) == 255

    def test_sixteen_bits_become_eight(self, tmp_path: Path):
        Image.fromarray(np.array([[0, 256, 65535]], dtype=np.uint16)).save(tmp_path / "deep.png")
        assert read_picture(tmp_path / "deep.png", (1, 1, 3)).tolist() == [[[0, 1, 255]]]

    def test_a_moving_picture_shows_its_first_frame(self, tmp_path: Path):
        frames = [Image.new("L", (4, 4), grey) for grey in (10, 200)]
        frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
        assert int(read_picture(tmp_path / "x.gif", (1, 4, 4)).max()) == 10

    def test_a_large_photo_decoded_small_looks_as_if_decoded_large(self, tmp_path: Path):
        ramp = np.tile(np.linspace(0, 255, 800, dtype=np.uint8), (600, 1))
        Image.fromarray(ramp).convert("RGB").save(tmp_path / "x.jpg", quality=95)
        small = read_picture(tmp_path / "x.jpg", (3, 30, 40)).float()
        expected = torch.from_numpy(ramp.reshape(30, 20, 40, 20).mean((1, 3))).float()
        assert (small - expected).abs().max() < 6


class TestBroken:
    @pytest.mark.parametrize("content", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n", png_header(6, 6)])
    def test_a_corrupt_image_is_named(self, tmp_path: Path, content: bytes):
        fill(tmp_path, {"a": 2, "b": 2})
        (tmp_path / "b" / "01.png").write_bytes(content)
        with pytest.raises(ShoalError, match=r"b.01\.png: .*replace or remove it"):
            read_folder(tmp_path)

    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp"])
    def test_a_truncated_image_is_named(self, tmp_path: Path, suffix: str):
        fill(tmp_path, {"a": 2, "b": 2})
        path = tmp_path / "a" / f"cut{suffix}"
        picture(40, 40).save(path)
        path.write_bytes(path.read_bytes()[:-300])
        with pytest.raises(ShoalError, match=rf"cut\{suffix}: .*replace or remove it"):
            read_folder(tmp_path)

    @pytest.mark.parametrize("side", [9_000, 60_000])
    def test_a_decompression_bomb_is_refused_unopened(self, tmp_path: Path, side: int):
        fill(tmp_path, {"a": 2, "b": 2})
        (tmp_path / "a" / "bomb.png").write_bytes(png_header(side, side))
        with pytest.raises(InputError, match=r"bomb\.png: expected an image of at most 80 megapixels"):
            read_folder(tmp_path)

    def test_a_folder_that_is_not_there_is_refused(self, tmp_path: Path):
        with pytest.raises(InputError, match="expected a readable folder"):
            read_folder(tmp_path / "none")


@pytest.mark.parametrize("name", ["a\x01", "b\ufffe"])
def test_names_that_no_page_can_show_are_refused(tmp_path: Path, name: str):
    fill(tmp_path / "pets", {"cat": 2, name: 2})
    with pytest.raises(InputError, match="expected class folders with printable names"):
        read_folder(tmp_path / "pets")


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_every_damage_to_a_jpeg_is_one_line(tmp_path: Path):
    """Each byte of the header changed in turn: the image is read, or the file is named."""
    picture(24, 24).save(tmp_path / "a.jpg", exif=Image.Exif())
    good = (tmp_path / "a.jpg").read_bytes()
    for place in range(0, 620, 3):
        for value in (0, 255):
            (tmp_path / "b.jpg").write_bytes(good[:place] + bytes([value]) + good[place + 1 :])
            with contextlib.suppress(ShoalError):  # any other error fails the test
                assert read_picture(tmp_path / "b.jpg", (3, 8, 8)).shape == (3, 8, 8)
