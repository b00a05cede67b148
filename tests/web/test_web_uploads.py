"""Uploaded pictures: what is good is read the right way up, what is bad is refused in a sentence, in time."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from shoal.errors import InputError
from shoal.web.uploads import Limits, decode

LIMITS = Limits()


def encoded(image: Image.Image, kind: str, **how: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def colours() -> Image.Image:
    return Image.fromarray(np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3) * 3)


@pytest.mark.parametrize("kind", ["PNG", "BMP"])
def test_pixels_arrive_as_they_are(kind: str) -> None:
    assert np.array_equal(decode(encoded(colours(), kind), LIMITS), np.asarray(colours()))


def test_orientation_transparency_and_palettes() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    assert decode(encoded(colours(), "JPEG", exif=exif), LIMITS).shape == (6, 4, 3)
    clear = Image.new("RGBA", (2, 2), (255, 0, 0, 0))
    assert decode(encoded(clear, "PNG"), LIMITS).tolist() == [[[255] * 3] * 2] * 2
    assert decode(encoded(colours().convert("P"), "GIF"), LIMITS).shape == (4, 6, 3)


def test_large_pictures_are_scaled_down() -> None:
    wide = Image.new("RGB", (3000, 30))
    assert decode(encoded(wide, "PNG"), LIMITS).shape == (10, 1024, 3)


def bomb(side: int) -> bytes:
    """A PNG of few bytes that says it has side × side pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


BAD = {
    "empty": (b"", "expected a file, got none"),
    "text": (b"no picture at all", "expected PNG, JPEG, WebP, BMP or GIF, got another kind of file"),
    "torn": (encoded(colours(), "PNG")[:50], "got a damaged one"),
    "bomb": (bomb(50_000), "got one of 50000 × 50000 pixels, more than 40 million"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "got another kind of file"),
    "tiff": (encoded(colours(), "TIFF"), "got another kind of file"),
    "large": (b"\0" * (LIMITS.most_bytes + 1), "expected at most 10 MB, got more"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_used_is_refused_in_a_sentence(name: str) -> None:
    content, said = BAD[name]
    with pytest.raises(InputError) as refused:
        decode(content, LIMITS, "your picture")
    assert str(refused.value).startswith("your picture: expected ")
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_decoding_may_take_no_longer_than_it_may() -> None:
    with pytest.raises(InputError, match=r"expected one that is read within 0.001 s"):
        decode(encoded(colours(), "PNG"), Limits(seconds=0.001))
