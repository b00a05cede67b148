"""A gallery: small images in a grid, by group, as the page's own markup rather than a drawing.

Rows are {"image", "caption", "group"}; an image is a PNG as base64. Groups and images keep their order. Rows that also
have a "choice" are shown one choice at a time: the reader opens another, without a script.

The page carries each image as WebP: of the same pixels where it was drawn or is noisy, and otherwise so close to them
that the difference cannot be seen. The result keeps the PNG.
"""

import base64
import binascii
import functools
import io
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal.errors import wrong
from shoal.studies.result import Picture

if TYPE_CHECKING:
    from PIL.Image import Image

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MOST_OFF = 5.0  # root of the mean square by which a pixel may differ, of 255
_QUALITY = 90
_LARGE = 96  # px: an image at least this wide is a photograph, and scaled smoothly


@dataclass(frozen=True, kw_only=True)
class Thumbnail:
    """One image of a gallery, ready for an `img` element."""

    source: str
    caption: str
    width: int
    height: int
    pixelated: bool


@dataclass(frozen=True, kw_only=True)
class Group:
    """Images that belong together."""

    name: str
    images: tuple[Thumbnail, ...]
    choice: str = ""


def gallery_groups(picture: Picture) -> tuple[Group, ...]:
    """Check and group the images of a picture of kind "gallery".

    Raises:
        InputError: if an image is not a PNG in base64.
    """
    images: dict[tuple[str, str], list[Thumbnail]] = {}
    for i, row in enumerate(picture.rows):
        place = str(row.get("choice") or ""), str(row.get("group") or "")
        images.setdefault(place, []).append(_thumbnail(picture.id, i, row))
    return tuple(Group(name=name, images=tuple(own), choice=choice) for (choice, name), own in images.items())


def _thumbnail(picture: str, index: int, row: dict[str, Any]) -> Thumbnail:
    text = row.get("image")
    try:
        content = base64.b64decode(text if isinstance(text, str) else "", validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if not content.startswith(_SIGNATURE) or len(content) < 24:
        shown = repr(text)[:40]
        raise wrong(f"picture {picture}, row {index}", expected="an image as a PNG in base64", got=shown)
    width, height = struct.unpack(">II", content[16:24])  # of the header chunk, which comes first
    caption = str(row.get("caption") or "")
    return Thumbnail(
        source=_source(content, str(text)),
        caption=caption,
        width=width,
        height=height,
        pixelated=width < _LARGE,
    )


@functools.lru_cache(maxsize=2048)
def _source(png: bytes, text: str) -> str:
    """The image as an address: the smallest of its form as PNG and as WebP."""
    smaller = _webp(png)
    if smaller is None or len(smaller) >= len(png):
        return f"data:image/png;base64,{text}"
    return f"data:image/webp;base64,{base64.b64encode(smaller).decode()}"


def _webp(png: bytes) -> bytes | None:
    """As WebP: with loss where that loses next to nothing, else without; None for what Pillow cannot read."""
    import numpy as np
    from PIL import Image, UnidentifiedImageError

    try:
        image = Image.open(io.BytesIO(png))
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    except (UnidentifiedImageError, OSError, SyntaxError):
        return None
    exact = _written(image, lossless=True)
    close = _written(image, quality=_QUALITY)
    off = np.asarray(Image.open(io.BytesIO(close)).convert(image.mode), dtype=float) - np.asarray(image)
    return min(exact, close, key=len) if float(np.sqrt((off**2).mean())) <= _MOST_OFF else exact


def _written(image: "Image", **settings: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", method=4, **settings)
    return buffer.getvalue()
