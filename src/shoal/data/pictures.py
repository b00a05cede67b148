"""One image file to one tensor, with care: size limits, orientation, transparency, errors that name the file."""

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from shoal.errors import ShoalError, wrong

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif")
MOST_PIXELS = 80_000_000  # more is taken for a decompression bomb; Pillow's own warning begins above it
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
_ORIENTATION = 0x0112  # EXIF tag; 5 to 8 turn the image by a quarter
_GREY = ("1", "L", "LA", "I;16", "I;16B", "I")


@dataclass(frozen=True)
class Header:
    """What an image file says about itself, the right way up."""

    height: int
    width: int
    grey: bool


def read_header(path: Path) -> Header:
    """Read size and kind of an image without decoding it.

    Raises:
        InputError: if it has more than 80 million pixels.
        ShoalError: if it is no image.
    """
    with _quiet(), _open(path) as image:
        width, height = image.size
        if image.getexif().get(_ORIENTATION, 1) >= 5:
            width, height = height, width
        return Header(height, width, image.mode in _GREY)


def read_picture(path: Path, shape: tuple[int, int, int]) -> UInt8[Tensor, "c h w"]:
    """Read an image, scale its shorter side (area-true), cut out the centre.

    Args:
        path: png, jpg, webp, bmp or gif.
        shape: (channels, height, width) of the result; 1 channel is grey, 3 are red, green and blue.

    Raises:
        InputError: if it has more than 80 million pixels.
        ShoalError: if it cannot be decoded.
    """
    channels, height, width = shape
    with _open(path) as image:
        if image.format == "JPEG":  # decode at a half, a quarter or an eighth where that is still enough
            image.draft(None, (2 * max(width, height), 2 * max(width, height)))
        picture = ImageOps.exif_transpose(image)
        picture = _flatten(picture, "L" if channels == 1 else "RGB")
        if picture.size != (width, height):
            picture = ImageOps.fit(picture, (width, height), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(picture))
    return pixels[None] if channels == 1 else pixels.permute(2, 0, 1)


def _flatten(image: Image.Image, mode: str) -> Image.Image:
    """Bring every kind of image to grey or RGB; what is transparent shows white."""
    if image.mode.startswith("I"):  # 16 bits of grey
        return Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)).convert(mode)
    if image.has_transparency_data:
        layered = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), layered).convert(mode)
    return image.convert(mode)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Pillow's warning about large images: `_open` refuses them. Not for use in threads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


@contextmanager
def _open(path: Path) -> Iterator[Image.Image]:
    """Open an image with all that can go wrong as one line that names the file."""
    try:
        with Image.open(path, formats=_FORMATS) as image:
            if image.width * image.height > MOST_PIXELS:
                raise Image.DecompressionBombError(f"{image.width}×{image.height} pixels")
            yield image
    except Image.DecompressionBombError as error:
        expected = f"an image of at most {MOST_PIXELS // 10**6} megapixels"
        raise wrong(str(path), expected=expected, got=error, fix="scale it down or remove it") from error
    except UnidentifiedImageError as error:
        raise ShoalError(f"{path}: expected an image, got something else; replace or remove it") from error
    except (OSError, SyntaxError, ValueError, LookupError, TypeError, EOFError, struct.error, zlib.error) as error:
        if isinstance(error, ShoalError):
            raise
        raise ShoalError(f"{path}: the image is corrupt ({error}); replace or remove it") from error
