"""Damaged pictures: a thousand of them, and none makes decoding fail in a way that nobody foresaw, or the service fail.

All go through the code of the decoding process, here; a part goes through the service, with a process for each.
"""

import io
import random
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shoal.gallery import Gallery
from shoal.web.decoding import _decoded, _RefusedError
from tests.gallery.made_up import EYE, Place, picture
from tests.gallery.service import API, asked, fault_of, photo, photos

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
FEW = 50
MANY = pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])


def originals() -> list[bytes]:
    """Pictures of every format that is taken, in several modes."""
    found = []
    drawn = Image.open(io.BytesIO(picture(3)))
    for kind in FORMATS:
        for mode in ("RGB", "L", "P") if kind not in ("JPEG", "WEBP") else ("RGB", "L"):
            file = io.BytesIO()
            drawn.convert(mode).save(file, kind)
            found.append(file.getvalue())
    file = io.BytesIO()
    drawn.convert("CMYK").save(file, "JPEG", progressive=True)
    return [*found, file.getvalue()]


def damaged(rng: random.Random, pictures: list[bytes]) -> bytes:
    """A picture with a few bytes changed, taken out, put in, or its end or middle gone."""
    content = bytearray(rng.choice(pictures))
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        at, length = rng.randrange(len(content)), rng.choice((1, 1, 4, 16, 200))
        how = rng.randrange(6)
        if how < 2:
            content[at] = rng.randrange(256)
        elif how == 2:
            content[at : at + length] = rng.randbytes(length)
        elif how == 3 and len(content) > length + 1:
            del content[at : at + length]
        elif how == 4:
            content[at:at] = rng.choice((rng.randbytes(length), b"\xff" * length, b"\0" * length, content[:length]))
        else:
            start = rng.randrange(min(60, len(content)))  # numbers of the header
            content[start : start + 4] = rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"))
    return bytes(content[: rng.randrange(1, len(content) + 1)] if rng.random() < 0.2 else content)


@pytest.fixture
def as_in_the_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Decoding sets what holds of a whole process."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
    with warnings.catch_warnings():
        yield


@pytest.mark.parametrize("count", [FEW, MANY])
@pytest.mark.usefixtures("as_in_the_process")
def test_damaged_pictures_are_decoded_or_refused(count: int):
    rng, pictures, read = random.Random(count), originals(), 0
    for number in range(count):
        try:
            height, width, pixels = _decoded(damaged(rng, pictures), 1_000_000, 1_000_000)
        except _RefusedError:
            continue
        assert len(pixels) == height * width * 3 <= 3_000_000, number
        read += 1
    assert 0 < read < count  # some are harmless, and some are not


@pytest.mark.usefixtures("as_in_the_process")
def test_pictures_as_they_are_can_be_read():
    for content in originals():
        height, width, pixels = _decoded(content, 1_000_000, 1_000_000)
        assert np.frombuffer(pixels, np.uint8).reshape(height, width, 3).std() > 10


@pytest.mark.parametrize("count", [10, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])])
def test_damaged_pictures_never_make_the_service_fail(file: Place, tmp_path: Path, count: int):
    rng, pictures, said, faces = random.Random(count + 1), originals(), [], 0
    with asked(file.where) as client:
        for number in range(0, count, 10):
            batch = [damaged(rng, pictures) for _ in range(10)]
            found = client.post(f"{API}/faces", files=photos(*batch), data={"person": f"batch {number}"})
            said.append(found.text)
            if found.status_code in (200, 207):
                faces += sum(len(one["faces"]) for one in found.json()["photos"])
            else:
                assert fault_of(found) == (422, "refused")
            one = client.post(f"{API}/identify", files=photo(batch[0]))
            said.append(one.text)
            assert one.status_code == 200 or fault_of(one) == (422, "refused")
        assert client.get("/health").status_code == 200
    for text in said:
        for secret in (str(tmp_path), "Traceback", "site-packages", "shoal.web", ".py"):
            assert secret not in text
    with Gallery.open(file.where, model=EYE) as gallery:
        assert gallery.check() == []
        assert len(gallery) <= faces  # the same damage twice is one photo
