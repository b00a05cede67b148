"""What can be enrolled or asked about: photos as paths, bytes or pixels, and ready embeddings.

A photo is known by the SHA-256 of its file's bytes, or of its pixels where it came as such: the same photo twice is one
photo, under whatever name.
"""

import hashlib
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from shoal.errors import wrong

MOST_BYTES = 100_000_000  # of a photo's file
THUMBNAIL = 96  # pixels, the longer side


@dataclass(frozen=True)
class Photo:
    """A photo whose bytes are at hand.

    Attributes:
        digest: of its content.
        name: as it was given; empty for pixels.
        content: as a file of the format that it came in, PNG for pixels.
    """

    digest: str
    name: str
    content: bytes


def is_embeddings(faces: Any) -> bool:
    """Whether these are numbers to be taken as vectors, not photos."""
    if isinstance(faces, Tensor):
        return faces.is_floating_point()
    if isinstance(faces, np.ndarray):
        return faces.dtype.kind == "f"
    if isinstance(faces, list | tuple) and faces:
        return isinstance(faces[0], float) or is_embeddings(faces[0])
    return False


def read_photos(faces: Any) -> list[Photo]:
    """Photos of whatever form, one or several.

    Args:
        faces: a path, the bytes of a file, a Pillow image, pixels (uint8 [height, width, 3], or a tensor
            [3, height, width], or several [n, …] of either), a `Photo`, or a sequence of these.

    Returns:
        The photos; nothing is decoded yet.

    Raises:
        InputError: if one is missing, too large or of a form that is not known; names it.
    """
    if isinstance(faces, str | Path | bytes | Image.Image | Photo):
        return [_photo(faces)]
    if isinstance(faces, Tensor | np.ndarray):
        several = faces if faces.ndim == 4 else faces[None]
        return [_photo(image) for image in several]
    if isinstance(faces, Sequence):
        return [_photo(face) for face in faces]
    raise wrong("faces", expected="photos or embeddings", got=type(faces).__name__)


def find_photos(paths: Sequence[str | Path]) -> dict[str, Path]:
    """Files by the digests of what is in them, of which one at a time is in memory.

    Raises:
        InputError: if one is missing, too large, or cannot be read; names it.
    """
    return {_photo(path).digest: Path(path).expanduser() for path in paths}


def _photo(face: Any) -> Photo:
    if isinstance(face, Photo):
        return face
    if isinstance(face, str | Path):
        path = Path(face).expanduser()
        if not path.is_file():
            raise wrong(str(face), expected="a photo", got="a folder" if path.is_dir() else "no such file")
        if path.stat().st_size > MOST_BYTES:
            raise wrong(str(face), expected=f"at most {MOST_BYTES / 1e6:g} MB", got=f"{path.stat().st_size / 1e6:.0f}")
        try:
            content = path.read_bytes()
        except OSError as error:
            raise wrong(str(face), expected="a photo that can be read", got=error.strerror) from None
        name = os.fsencode(path.name).decode("utf-8", "replace")  # of any bytes, where a file system allows them
        return Photo(hashlib.sha256(content).hexdigest(), name, content)
    if isinstance(face, bytes):
        return Photo(hashlib.sha256(face).hexdigest(), "", face)
    pixels = _pixels(face)
    digest = hashlib.sha256(f"{pixels.shape}\n".encode() + pixels.tobytes()).hexdigest()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return Photo(digest, "", file.getvalue())


def _pixels(face: Any) -> NDArray[np.uint8]:
    if isinstance(face, Image.Image):
        return np.ascontiguousarray(face.convert("RGB"))
    if isinstance(face, Tensor) and face.ndim == 3:
        face = face.detach().cpu().numpy().transpose(1, 2, 0)
    if isinstance(face, np.ndarray) and face.dtype == np.uint8 and face.ndim == 3 and face.shape[2] == 3:
        return np.ascontiguousarray(face)
    shape = list(getattr(face, "shape", ()))
    got = f"{getattr(face, 'dtype', type(face).__name__)} {shape}" if shape else type(face).__name__
    raise wrong("faces", expected="paths, bytes, images, uint8 pixels or float embeddings", got=got)


def thumbnail(content: bytes) -> bytes | None:
    """A small JPEG of a photo, upright; None where it cannot be made."""
    from shoal.data.faces.reading import quiet_pillow

    try:
        with quiet_pillow(), Image.open(io.BytesIO(content)) as image:
            image.draft("RGB", (2 * THUMBNAIL, 2 * THUMBNAIL))
            from PIL import ImageOps

            small = ImageOps.exif_transpose(image)
            small = (small or image).convert("RGB")
            small.thumbnail((THUMBNAIL, THUMBNAIL))
            file = io.BytesIO()
            small.save(file, "JPEG", quality=85)  # without EXIF: no place, no camera
            return file.getvalue()
    except (OSError, ValueError, Image.DecompressionBombError):
        return None


def embedding_digest(model: str, row: NDArray[np.float32]) -> str:
    """What a ready embedding is known by: the same numbers of the same model are the same face."""
    return hashlib.sha256(f"{model}\n".encode() + np.ascontiguousarray(row, dtype="<f4").tobytes()).hexdigest()
