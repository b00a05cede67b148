"""One photo: formats, orientation, boxes, transparency, depth, and everything that can be wrong with a file."""

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from shoal.data.faces import read_face
from shoal.data.faces.images import image_suffixes
from shoal.data.faces.regions import choose_region, scale_region
from shoal.errors import InputError
from tests.data.test_data_folders import picture, png_header

STORED = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # how a camera stores it: the inverse transposition


FORMATS = ["PNG", "BMP", "WEBP", "GIF", "JPEG", "TIFF", "PPM", "TGA", "ICO", "JPEG2000"]


def content(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned(upright: Image.Image, orientation: int, kind: str) -> bytes:
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(STORED[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    return content(stored, kind, exif=exif, **({"quality": 95, "subsampling": 0} if kind == "JPEG" else {}))


def pixels(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)


class TestFormats:
    @pytest.mark.parametrize("kind", FORMATS)
    def test_every_format_is_read(self, kind: str):
        flat = Image.new("RGB", (16, 16), (200, 100, 50))
        read = read_face(content(flat, kind), 8)
        assert read.dtype == torch.uint8
        assert read.shape == (3, 8, 8)
        assert read.is_contiguous()
        assert (read.float() - torch.tensor([200.0, 100, 50]).view(3, 1, 1)).abs().max() <= 4

    def test_a_path_and_its_content_are_the_same(self, tmp_path: Path):
        path = tmp_path / "a.png"
        path.write_bytes(content(picture(9, 9)))
        assert torch.equal(read_face(path, 9), pixels(picture(9, 9)))
        assert torch.equal(read_face(str(path), 9), read_face(path.read_bytes(), 9))

    def test_the_content_decides_not_the_name(self, tmp_path: Path):
        (tmp_path / "a.jpg").write_bytes(content(picture(9, 9)))
        assert torch.equal(read_face(tmp_path / "a.jpg", 9), pixels(picture(9, 9)))

    @pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "LAB"])
    def test_other_colours_become_three_channels(self, mode: str):
        image = picture(8, 8).convert("RGB") if mode != "LAB" else Image.new("LAB", (8, 8), (255, 0, 0))
        image = image if mode == "LAB" else image.convert(mode)
        read = read_face(content(image, "TIFF"), 8)
        assert torch.equal(read, pixels(image))
        if mode in ("1", "L"):
            assert torch.equal(read[0], read[1])

    def test_what_is_transparent_shows_white(self):
        assert int(read_face(content(Image.new("RGBA", (4, 4), (255, 0, 0, 0))), 4).min()) == 255
        assert int(read_face(content(Image.new("LA", (4, 4), (0, 0))), 4).min()) == 255
        half = read_face(content(Image.new("RGBA", (4, 4), (0, 0, 0, 128))), 4)
        assert (half.int() - 127).abs().max() <= 1
        palette = Image.new("P", (4, 4), 1)
        palette.putpalette([0, 0, 0, 10, 20, 30])
        assert int(read_face(content(palette, transparency=1), 4).min()) == 255
        assert read_face(content(palette), 4)[:, 0, 0].tolist() == [10, 20, 30]

    def test_sixteen_bits_become_eight(self):
        deep = Image.fromarray(np.array([[0, 256], [32_768, 65_535]], dtype=np.uint16))
        for kind in ("PNG", "TIFF"):
            assert read_face(content(deep, kind), 2)[1].tolist() == [[0, 1], [128, 255]]
        wide = Image.fromarray(np.array([[-5, 256], [70_000, 65_535]], dtype=np.int32))
        assert read_face(content(wide, "TIFF"), 2)[0].tolist() == [[0, 1], [255, 255]]

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ([[0.0, 0.5], [1.0, np.nan]], [[0, 128], [255, 0]]),
            ([[0.0, 50.4], [300.0, -3.0]], [[0, 50], [255, 0]]),
        ],
    )
    def test_floats_become_bytes(self, values: list[list[float]], expected: list[list[int]]):
        image = Image.fromarray(np.array(values, dtype=np.float32))
        assert read_face(content(image, "TIFF"), 2)[2].tolist() == expected

    def test_of_several_frames_the_first(self):
        frames = [Image.new("L", (4, 4), grey) for grey in (10, 200)]
        moving = content(frames[0], "GIF", save_all=True, append_images=frames[1:])
        assert int(read_face(moving, 4).max()) == 10


class TestRegions:
    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
    @pytest.mark.parametrize("orientation", list(range(1, 9)))
    def test_orientation_comes_first(self, kind: str, orientation: int):
        upright = picture(12, 20).resize((120, 72), Image.Resampling.BICUBIC)
        box = (50, 10, 110, 70)
        read = read_face(turned(upright, orientation, kind), 60, box=box)
        expected = pixels(upright.crop(box))
        off = (read.float() - expected.float()).abs()
        assert float(off.mean()) < (6 if kind in ("JPEG", "WEBP") else 1e-6)

    @pytest.mark.parametrize("orientation", [1, 6])
    def test_a_large_photo_decoded_small_looks_as_if_decoded_large(self, orientation: int):
        ramp = np.add.outer(np.linspace(0, 90, 600), np.linspace(0, 160, 800)).astype(np.uint8)
        upright = Image.fromarray(ramp).convert("RGB")
        read = read_face(turned(upright, orientation, "JPEG"), 20, box=(200, 100, 600, 500))
        expected = torch.from_numpy(ramp[100:500, 200:600].reshape(20, 20, 20, 20).mean((1, 3))).float()
        assert (read.float() - expected).abs().max() < 3

    def test_the_centre_is_cut_out_without_distortion(self):
        wide = np.zeros((20, 60, 3), dtype=np.uint8)
        wide[:, 20:40] = (255, 0, 0)
        read = read_face(content(Image.fromarray(wide)), 10)
        assert int(read[0].min()) == 255
        assert int(read[1:].max()) == 0

    def test_a_shape_that_is_no_square(self):
        upright = picture(40, 30)
        assert torch.equal(read_face(content(upright), (10, 30)), pixels(upright.crop((0, 15, 30, 25))))
        assert read_face(content(upright), (140, 116)).shape == (3, 140, 116)

    def test_scaling_is_an_average_of_areas(self):
        chequered = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
        read = read_face(content(Image.fromarray(chequered)), 8)
        assert (read.float() - 127.5).abs().max() < 2

    def test_a_box_is_that_part_and_nothing_else(self):
        image = picture(50, 50)
        box = (5, 7, 25, 27)
        assert torch.equal(read_face(content(image), 20, box=box), pixels(image.crop(box)))
        dark = np.full((40, 40), 255, dtype=np.uint8)
        dark[10:30, 10:30] = 0
        assert int(read_face(content(Image.fromarray(dark)), 7, box=(10, 10, 30, 30)).max()) == 0

    def test_a_box_partly_outside_is_clipped(self):
        image = picture(20, 20)
        clipped = read_face(content(image), 10, box=(-5, -5, 10, 10))
        assert torch.equal(clipped, pixels(image.crop((0, 0, 10, 10))))
        assert torch.equal(read_face(content(image), 20, box=(-9, -9, 99, 99)), pixels(image))

    @pytest.mark.parametrize(
        "box", [(5, 5, 5, 10), (9, 5, 5, 10), (30, 30, 40, 40), (-9, 0, 0, 9), (0, 0, float("nan"), 9)]
    )
    def test_an_empty_box_is_refused(self, box: tuple[float, float, float, float]):
        with pytest.raises(InputError, match="image, box: expected"):
            read_face(content(picture(20, 20)), 10, box=box)

    def test_a_share_of_the_centre_or_of_a_box(self):
        image = picture(50, 50)
        assert torch.equal(read_face(content(image), 40, crop=0.8), pixels(image.crop((5, 5, 45, 45))))
        larger = read_face(content(image), 24, box=(10, 10, 30, 30), crop=1.2)
        assert torch.equal(larger, pixels(image.crop((8, 8, 32, 32))))

    @pytest.mark.parametrize("crop", [0.0, -1.0, 1.2, 5.0, float("nan")])
    def test_a_share_that_cannot_be_is_refused(self, crop: float):
        with pytest.raises(InputError, match=r"crop: expected a share in \(0, 1\]"):
            read_face(content(picture(20, 20)), 10, crop=crop)

    @pytest.mark.parametrize("size", [0, -3, (10, 0), True])
    def test_a_size_that_cannot_be_is_refused(self, size: Any):
        with pytest.raises(InputError, match="image size: expected pixels a side >= 1"):
            read_face(content(picture(20, 20)), size)

    @given(
        full=st.tuples(st.integers(1, 500), st.integers(1, 500)),
        target=st.tuples(st.integers(1, 200), st.integers(1, 200)),
        crop=st.floats(0.01, 1),
        factor=st.sampled_from([2, 4, 8]),
    )
    def test_the_centre_is_inside_has_the_shape_and_survives_scaling(
        self, full: tuple[int, int], target: tuple[int, int], crop: float, factor: int
    ):
        left, top, right, bottom = part = choose_region(full, target, None, crop, "x")
        assert 0 <= left < right <= full[0]
        assert 0 <= top < bottom <= full[1]
        assert abs((left + right) - full[0]) <= 1
        assert abs((top + bottom) - full[1]) <= 1
        aspect = target[0] / target[1]
        assert abs((right - left) - (bottom - top) * aspect) <= 1 + aspect
        now = (-(-full[0] // factor), -(-full[1] // factor))
        a, b, c, d = scale_region(part, full, now)
        assert 0 <= a < c <= now[0]
        assert 0 <= b < d <= now[1]


class TestBroken:
    @pytest.mark.parametrize("bad", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n", png_header(6, 6)])
    def test_no_image_is_named(self, tmp_path: Path, bad: bytes):
        (tmp_path / "x.png").write_bytes(bad)
        with pytest.raises(InputError, match=r"x\.png: .*replace or remove it"):
            read_face(tmp_path / "x.png", 8)
        with pytest.raises(InputError, match=r"^image: "):
            read_face(bad, 8)

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF"])
    def test_a_truncated_image_is_named(self, kind: str):
        whole = content(picture(40, 40), kind)
        with pytest.raises(InputError, match=r"image: .*replace or remove it"):
            read_face(whole[: len(whole) * 2 // 3], 8)

    def test_what_is_not_there_is_named(self, tmp_path: Path):
        with pytest.raises(InputError, match=r"none\.png: expected an image, got no such file"):
            read_face(tmp_path / "none.png", 8)
        with pytest.raises(InputError, match="the image is broken"):
            read_face(tmp_path, 8)

    @pytest.mark.parametrize("side", [7_500, 9_500, 12_000, 60_000])
    def test_a_decompression_bomb_is_refused_unopened(self, side: int):
        """Above Shoal's limit, above Pillow's warning, above Pillow's own limit."""
        with pytest.raises(InputError, match=r"an image of at most 50 megapixels, got .*scale it down"):
            read_face(png_header(side, side), 8)

    def test_the_limit_can_be_set(self):
        image = content(picture(40, 30))
        assert read_face(image, 8, max_pixels=1200).shape == (3, 8, 8)
        with pytest.raises(InputError, match=r"at most 0\.001199 megapixels, got 30×40 pixels"):
            read_face(image, 8, max_pixels=1199)

    def test_no_other_program_is_run_for_a_picture(self):
        with pytest.raises(InputError, match="got something that is none, or none that Pillow reads"):
            read_face(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n", 8)

    def test_formats_that_need_more_than_pillow_are_named(self, tmp_path: Path):
        assert ".heic" in image_suffixes()
        assert not {".eps", ".txt", ".mpg", ".pdf", ".csv"} & image_suffixes()
        (tmp_path / "x.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(64))
        with pytest.raises(InputError, match=r"x\.heic: .*convert it to JPEG or PNG"):
            read_face(tmp_path / "x.heic", 8)

    def test_a_slip_in_the_exif_data_does_not_lose_the_image(self):
        good = turned(picture(24, 24), 6, "JPEG")
        at = good.index(b"Exif\0\0") + 6
        bad = good[:at] + b"\xff" * 8 + good[at + 8 :]
        assert read_face(bad, 8).shape == (3, 8, 8)

    @pytest.mark.filterwarnings("ignore::UserWarning:PIL")
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "GIF", "WEBP"])
    def test_every_damage_is_one_line(self, kind: str):
        """Each byte of the head changed in turn: the image is read, or refused in the one form."""
        good = content(picture(24, 24), kind, exif=Image.Exif())
        for place in range(0, min(len(good), 640), 5):
            for value in (0, 255):
                with contextlib.suppress(InputError):  # any other error fails the test
                    assert read_face(good[:place] + bytes([value]) + good[place + 1 :], 8).shape == (3, 8, 8)
