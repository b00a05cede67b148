"""Small images in pages and forms: thumbnails, pictures that were uploaded, and these as text in a form.

An uploaded picture lives in the reader's page: the page carries it, scaled down, as text, and sends it back with the
next question. The server keeps none.
"""

import base64
import binascii
import io

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps
from torch import Tensor

from shoal.errors import wrong

TINY = 16  # pixels: images so small are kept as they are, larger ones lose what is not seen
SIDE = 40  # of a thumbnail, at most
_QUALITY = 85


def thumbnail(image: UInt8[Tensor, "channels height width"], side: int = SIDE) -> str:
    """An image as an address that holds it; a kilobyte or less.

    Args:
        image: one channel (grey) or three (RGB).
        side: pixels, at most; smaller images stay as small.

    Example:
        >>> thumbnail(torch.zeros(1, 8, 8, dtype=torch.uint8))[:22]
        'data:image/png;base64,'
    """
    picture = _picture_of(image)
    picture.thumbnail((side, side))
    kind, file = ("PNG" if max(picture.size) <= TINY else "WEBP"), io.BytesIO()
    picture.save(file, kind, quality=_QUALITY)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def shown_size(side: int, most: int = SIDE) -> int:
    """Pixels that an image takes on a page: a whole multiple of its own, so that small ones stay crisp.

    Example:
        >>> shown_size(8), shown_size(28), shown_size(200)
        (40, 28, 40)
    """
    return side * (most // side) if side <= most else most


def fitted(pixels: np.ndarray, shape: tuple[int, int, int]) -> UInt8[Tensor, "channels height width"]:
    """Scale a picture (area-true) and cut out its centre, as images of folders are.

    Args:
        pixels: uint8 [height, width, 3].
        shape: (channels, height, width) of the result; 1 channel is grey.
    """
    channels, height, width = shape
    picture = Image.fromarray(pixels).convert("L" if channels == 1 else "RGB")
    if picture.size != (width, height):
        picture = ImageOps.fit(picture, (width, height), Image.Resampling.BILINEAR)
    found = torch.from_numpy(np.array(picture))
    return found[None] if channels == 1 else found.permute(2, 0, 1).contiguous()


def squared(pixels: np.ndarray, side: int) -> np.ndarray:
    """The centre of a picture, uint8 [height, width, 3], as a square of so many pixels."""
    return fitted(pixels, (3, side, side)).permute(1, 2, 0).contiguous().numpy()


def as_text(pixels: np.ndarray) -> str:
    """A square picture, uint8 [side, side, 3], as text for a form.

    Example:
        >>> from_text(as_text(np.zeros((8, 8, 3), np.uint8)), 8).shape
        (8, 8, 3)
    """
    return base64.b64encode(pixels.tobytes()).decode()


def from_text(text: str, side: int) -> np.ndarray:
    """What `as_text` wrote.

    Args:
        text: out of a form.
        side: pixels.

    Raises:
        InputError: if it is something else.
    """
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if len(content) != side * side * 3:
        raise wrong("picture", expected=f"one of {side} × {side} pixels", got="another", fix="choose it again")
    return np.frombuffer(content, np.uint8).reshape(side, side, 3).copy()


def _picture_of(image: Tensor) -> Image.Image:
    array = image.permute(1, 2, 0).contiguous().numpy()  # [h, w, c]
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array[:, :, :3])
