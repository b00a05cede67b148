"""One photo, or a part of it, to one small picture of three channels, whatever it is stored as.

    read_face("ann.jpg", 96)                                  # the central square
    read_face("party.png", 96, box=(310, 80, 450, 220))       # left, top, right, bottom
    read_face(content, (140, 116))                            # bytes; height and width

EXIF orientation is applied first, so that boxes are those of the photo as people see it. Nothing is decoded
before its size is known to be bearable.
"""

import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from shoal.data.faces.regions import (
    Box,
    Extent,
    Region,
    Size,
    check_crop,
    choose_region,
    image_shape,
    scale_region,
)
from shoal.errors import InputError, ShoalError, wrong

MOST_PIXELS = 50_000_000  # 7,000 × 7,000; more is taken for a decompression bomb
UNREADABLE = (".heic", ".heif", ".jxl")  # photos, but not to Pillow: named, while other files are passed over
# EPS would have another program run; the others are told from their first bytes, and never decoded
_NOT_PICTURES = ("EPS", "MPEG", "HDF5", "GRIB", "BUFR", "WMF")
_COMMON = ("JPEG", "PNG", "BMP", "GIF")  # tried first: some of the others take long to say no
_SHRINKING = ("JPEG", "MPO")  # their decoder gives a half, a quarter or an eighth of the size in less time
_ORIENTATION = 0x0112  # EXIF tag
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_face(
    source: str | Path | bytes,
    size: Size,
    *,
    box: Box | None = None,
    crop: float = 1.0,
    max_pixels: int = MOST_PIXELS,
) -> UInt8[Tensor, "3 height width"]:
    """Read an image, cut out the centre or a box, and scale that (area-true) to a given size.

    Any format that Pillow reads by itself; of several frames the first. Grey and palettes become three
    channels, 16 bits become 8, what is transparent shows white.

    Args:
        source: a path, or the content of a file.
        size: pixels a side, or (height, width), each at least 1.
        box: (left, top, right, bottom) in pixels of the upright image. What is outside of the image is cut off;
            the rest is stretched to `size`, so that a box of its shape keeps proportions. None takes the
            largest centred part of that shape.
        crop: share of the side of that part, in (0, 1], or of the box, in (0, 4], that is taken about its
            centre: 0.8 leaves out a tenth at each edge, 1.2 of a box takes a tenth more at each.
        max_pixels: images of more are refused before they are decoded.

    Returns:
        uint8 [3, height, width].

    Raises:
        InputError: if it is no image, broken, cut off or too large, or the box is empty; names the file.

    Example:
        >>> file = io.BytesIO()
        >>> Image.new("L", (40, 30), 200).save(file, "PNG")
        >>> read_face(file.getvalue(), 8).shape
        torch.Size([3, 8, 8])
    """
    height, width = image_shape(size)
    check_crop(crop, boxes=box is not None)
    name = "image" if isinstance(source, bytes) else str(source)
    with _opened(io.BytesIO(source) if isinstance(source, bytes) else Path(source), name, max_pixels) as image:

        def region(full: Extent) -> Region:
            return choose_region(full, (width, height), box, crop, name)

        shrinks = image.format in _SHRINKING
        full = _shrink(image, region, (width, height)) if shrinks else None
        image.load()  # before the orientation is asked for: some formats keep it behind the pixels
        picture = _flatten(_upright(image))
        full = full or picture.size
        picture = picture.crop(scale_region(region(full), full, picture.size))
        if picture.size != (width, height):
            picture = picture.resize((width, height), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(picture))  # (h, w, 3)
    return pixels.permute(2, 0, 1).contiguous()


def image_suffixes() -> frozenset[str]:
    """Endings of files that count as images, in lower case and with the dot.

    Example:
        >>> {".jpg", ".png", ".webp"} <= image_suffixes()
        True
    """
    known = Image.registered_extensions().items()
    readable = {suffix for suffix, kind in known if kind in Image.OPEN and kind not in _NOT_PICTURES}
    return frozenset({*readable, *UNREADABLE})


def image_size(path: Path, *, max_pixels: int = MOST_PIXELS) -> tuple[int, int]:
    """(height, width) of an image as it is stored, without decoding it.

    Args:
        path: the file.
        max_pixels: see `read_face`.

    Raises:
        InputError: as `read_face`.
    """
    with _opened(path, str(path), max_pixels) as image:
        return image.height, image.width


def _shrink(image: Image.Image, region: Callable[[Extent], Region], target: Extent) -> Extent:
    """Have an image decoded small where that is enough.

    Returns:
        The (width, height) that it has at full size, upright.
    """
    turned = _orientation(image) >= 5
    full = _turned(image.size) if turned else image.size
    left, top, right, bottom = region(full)
    # twice what is needed, so that scaling still has something to average
    wanted = (
        math.ceil(2 * full[0] * target[0] / (right - left)),
        math.ceil(2 * full[1] * target[1] / (bottom - top)),
    )
    image.draft(None, _turned(wanted) if turned else wanted)
    return full


def _turned(extent: Extent) -> Extent:
    return extent[1], extent[0]


def _orientation(image: Image.Image) -> int:
    """1 to 8; what cannot be made out counts as upright."""
    try:
        turn = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # a slip in the EXIF data says nothing against the pixels
        return 1
    return turn if turn in _TURNS else 1


def _upright(image: Image.Image) -> Image.Image:
    turn = _orientation(image)
    return image.transpose(_TURNS[turn]) if turn in _TURNS else image


def _flatten(image: Image.Image) -> Image.Image:
    """Bring every kind of image to RGB; what is transparent shows white."""
    if image.mode.startswith("I"):  # 16 bits of grey, also where they are kept in 32
        deep = np.asarray(image).astype(np.int32).clip(0, 65_535)
        return Image.fromarray((deep >> 8).astype(np.uint8)).convert("RGB")
    if image.mode == "F":  # from 0 to 1, or else from 0 to 255
        values = np.nan_to_num(np.asarray(image, dtype=np.float64), nan=0.0)
        values = values * 255 if values.max(initial=0.0) <= 1 else values
        return Image.fromarray(values.clip(0, 255).round().astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), layered).convert("RGB")
    return image.convert("RGB")


@contextmanager
def _opened(source: io.BytesIO | Path, name: str, max_pixels: int) -> Iterator[Image.Image]:
    """Open an image with all that can go wrong as one line that names the file."""
    Image.init()
    others = [known for known in Image.ID if known not in (*_COMMON, *_NOT_PICTURES)]
    try:
        with Image.open(source, formats=[*_COMMON, *others]) as image:
            if image.width * image.height > max_pixels:
                raise Image.DecompressionBombError(f"{image.width}×{image.height} pixels")
            yield image
    except ShoalError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        expected = f"an image of at most {max_pixels / 1e6:g} megapixels"
        raise wrong(name, expected=expected, got=error, fix="scale it down or remove it") from error
    except FileNotFoundError as error:
        raise wrong(name, expected="an image", got="no such file") from error
    except UnidentifiedImageError as error:
        got = "something that is none, or none that Pillow reads"
        fix = "convert it to JPEG or PNG" if name.lower().endswith(UNREADABLE) else "replace or remove it"
        raise wrong(name, expected="an image", got=got, fix=fix) from error
    except Exception as error:  # decoders are many, and nobody promises what they raise about broken files
        raise InputError(f"{name}: the image is broken ({error}); replace or remove it") from error
