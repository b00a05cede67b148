"""Read IDX files, the format of MNIST and of the sets made in its image, gzipped or not.

A folder holds four files, each under its plain name or with .gz: train-images-idx3-ubyte,
train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte. A file is a magic number that says
the type and the number of dimensions, then the dimensions (big-endian 32 bits each), then the bytes.

Source: LeCun, Cortes & Burges, "The MNIST database", section "File formats".
"""

import gzip
import hashlib
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from shoal.data.sets import ImageSet
from shoal.data.specs import FASHION_MNIST, IDX_NAMES, MNIST, DataSpec
from shoal.data.splits import PublishedSet
from shoal.data.streams import Readable, read_into
from shoal.errors import ShoalError, wrong

_GZIP = b"\x1f\x8b"
_MOST_INFLATION = 1032  # deflate cannot expand a byte to more than this


def read_idx_folder(folder: str | Path, spec: DataSpec | None = None, *, source: str = "") -> PublishedSet:
    """Read a folder of four IDX files.

    Args:
        folder: where they lie.
        spec: what the folder must hold; None reads any set of this form, with classes named "0", "1", ...
            (MNIST and Fashion-MNIST are recognised by their test labels).
        source: a sentence on where it was found; made from the folder if empty.

    Returns:
        Training and test rows; images [n, 1, height, width].

    Raises:
        InputError: if the folder holds another set than `spec` says.
        ShoalError: if a file is missing, truncated or corrupt.
    """
    folder = Path(folder)
    spec = spec or recognise_idx(folder)
    arrays = [read_idx(find_idx_file(folder, name), dims=3 if "idx3" in name else 1) for name in IDX_NAMES]
    (train_x, train_y), (test_x, test_y) = arrays[:2], arrays[2:]
    classes = spec.classes if spec else tuple(str(c) for c in range(1 + max(int(y.max()) for y in (train_y, test_y))))
    for images, labels, rows in (
        (train_x, train_y, spec.train if spec else None),
        (test_x, test_y, spec.test if spec else None),
    ):
        _check(folder, images, labels, rows, spec, len(classes))

    def part(images: UInt8[Tensor, "n h w"], labels: UInt8[Tensor, "n"]) -> ImageSet:
        return ImageSet(
            name=spec.name if spec else folder.name,
            images=images[:, None],
            labels=labels.long(),
            classes=classes,
            source=source or f"{spec.title if spec else 'IDX files'} in {folder}",
        )

    return PublishedSet(train=part(train_x, train_y), test=part(test_x, test_y))


def read_idx(path: str | Path, *, dims: int) -> UInt8[Tensor, "..."]:
    """Read one IDX file of bytes.

    Args:
        path: gzipped or not; the content decides, not the name.
        dims: the number of dimensions that it must have.

    Returns:
        A tensor of the dimensions that the header gives.

    Raises:
        ShoalError: if the header is another, or the data are shorter or longer than it says.
    """
    path = Path(path)
    with open_content(path) as (file, most):
        header = file.read(4 + 4 * dims)
        magic = 0x0800 + dims
        if len(header) < 4 + 4 * dims or struct.unpack(">I", header[:4])[0] != magic:
            raise _corrupt(path, f"magic number 0x{magic:08x} and {dims} dimensions", header[:4].hex() or "nothing")
        shape = struct.unpack(f">{dims}I", header[4:])
        size = math.prod(shape)
        if not size or size > most:
            raise _corrupt(path, f"between 1 and {most:,} bytes of data", f"{' × '.join(map(str, shape))}")
        data = bytearray(size)
        done = read_into(file, memoryview(data))
        if done < size or file.read(1):
            raise _corrupt(path, f"{size:,} bytes of data", f"{done:,}" if done < size else "more")
    return torch.frombuffer(data, dtype=torch.uint8).view(shape)


def find_idx_file(folder: Path, name: str) -> Path:
    """The file of this name in the folder: plain, with .gz, or with a dot for the last-but-one dash.

    Raises:
        ShoalError: if there is none.
    """
    candidates = idx_candidates(folder, name)
    for path in candidates:
        if path.is_file():
            return path
    raise ShoalError(
        f"{folder}: expected {name} or {name}.gz, got no such file; see `shoal data list` for how to fetch the set"
    )


def idx_candidates(folder: Path, name: str) -> tuple[Path, ...]:
    """All paths under which `find_idx_file` looks."""
    dotted = name.replace("-idx", ".idx")
    return tuple(folder / f"{stem}{suffix}" for stem in (name, dotted) for suffix in ("", ".gz"))


def recognise_idx(folder: Path) -> DataSpec | None:
    """Which of the known sets lies in the folder, by the content of its smallest file; None if another."""
    digest = content_digest(find_idx_file(folder, IDX_NAMES[3]), "sha256")
    return next((spec for spec in (FASHION_MNIST, MNIST) if spec.files[3].checksum.digest == digest), None)


def content_digest(path: Path, algorithm: str) -> str:
    """Digest of what is in the file, after gunzip if it is gzipped.

    Raises:
        ShoalError: if it cannot be read to its end.
    """
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open_content(path) as (file, _):
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def open_content(path: Path) -> Iterator[tuple[Readable, int]]:
    """Open a file, gunzipping on the way if its first bytes say so; reading errors become one line.

    Yields:
        The open file, and the most bytes that it can hold.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as raw:
            gzipped = raw.read(2) == _GZIP
            raw.seek(0)
            if gzipped:
                with gzip.open(raw) as file:
                    yield file, size * _MOST_INFLATION
            else:
                yield raw, size
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise _corrupt(path, "a whole gzip file", str(error)) from error
    except OSError as error:
        raise ShoalError(f"cannot read {path}: {error.strerror or error}") from error


def _check(
    folder: Path,
    images: UInt8[Tensor, "n h w"],
    labels: Int64[Tensor, "m"] | UInt8[Tensor, "m"],
    rows: int | None,
    spec: DataSpec | None,
    classes: int,
) -> None:
    """The parts must fit each other and the set that they are said to be."""
    if len(images) != len(labels):
        raise ShoalError(f"{folder}: expected a label an image, got {len(labels):,} for {len(images):,}")
    if spec and (len(images), *images.shape[1:]) != (rows, *spec.shape[1:]):
        got = " × ".join(map(str, images.shape))
        expected = " × ".join(map(str, (rows, *spec.shape[1:])))
        raise wrong(f"{folder} as {spec.title}", expected=expected, got=got, fix="name the folder itself instead")
    if int(labels.max()) >= classes:
        raise ShoalError(f"{folder}: expected labels 0 to {classes - 1}, got {int(labels.max())}; fetch it again")


def _corrupt(path: Path, expected: str, got: str) -> ShoalError:
    return ShoalError(f"{path}: expected {expected}, got {got}; the file is corrupt or incomplete, fetch it again")
