"""Many photos into one tensor, on several threads; one that is broken is named, and the others go on."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

from shoal.data.faces.images import MOST_PIXELS, read_face
from shoal.data.faces.regions import Box, Size, check_crop, image_shape
from shoal.errors import ShoalError, wrong

Progress = Callable[[int, int], None]  # called with (images read, images in all)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How photos are read.

    Attributes:
        size: see `read_face`.
        crop: see `read_face`.
        max_pixels: see `read_face`.
        progress: called from the calling thread after each image.
    """

    size: Size
    crop: float = 1.0
    max_pixels: int = MOST_PIXELS
    progress: Progress | None = None

    def check(self, *, boxes: bool) -> None:
        """Refuse what cannot be, before a photo is opened.

        Args:
            boxes: whether boxes are taken.

        Raises:
            InputError: naming the setting.
        """
        image_shape(self.size)
        check_crop(self.crop, boxes=boxes)
        if self.max_pixels < 1:
            raise wrong("max_pixels", expected="at least 1", got=self.max_pixels)


class Wanted(NamedTuple):
    """A face to be read: which file, and which part of it."""

    path: Path
    box: Box | None = None


def read_faces(wanted: Sequence[Wanted], how: Reading) -> tuple[Tensor, list[int], list[tuple[int, str]]]:
    """Read every face that can be read.

    Args:
        wanted: the faces.
        how: size and the rest.

    Returns:
        The images (uint8 [m, 3, height, width]), the numbers of those of `wanted` that they are, in order, and
        (number, why) of each of the others.

    Raises:
        InputError: if a setting is out of range.
    """
    how.check(boxes=any(face.box is not None for face in wanted))
    images = torch.empty(len(wanted), 3, *image_shape(how.size), dtype=torch.uint8)

    def read(number: int) -> str:
        path, box = wanted[number]
        try:
            images[number] = read_face(path, how.size, box=box, crop=how.crop, max_pixels=how.max_pixels)
        except ShoalError as error:
            return str(error).removeprefix(f"{path}: ").removeprefix(f"{path}, ")
        return ""

    reasons = list(_each(read, len(wanted), how.progress))
    kept = [number for number, why in enumerate(reasons) if not why]
    if len(kept) < len(wanted):
        for row, number in enumerate(kept):  # moved in place: there may not be room for them twice
            images[row] = images[number]
        images = images[: len(kept)]
    return images, kept, [(number, why) for number, why in enumerate(reasons) if why]


def _each(read: Callable[[int], str], count: int, progress: Progress | None) -> Iterator[str]:
    """Call for every number; decoding releases the interpreter's lock."""
    pool = ThreadPoolExecutor()
    try:
        with quiet_pillow():
            for done, why in enumerate(pool.map(read, range(count)), start=1):
                if progress is not None:
                    progress(done, count)
                yield why
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silence Pillow's warnings about large and odd images; for the main thread, since all others go silent."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield
