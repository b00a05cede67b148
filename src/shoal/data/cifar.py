"""Read CIFAR-10's binary release: the folder cifar-10-batches-bin, or cifar-10-binary.tar.gz as it is.

A row is one byte of label and 3,072 bytes of pixels (red, green, blue planes of 32×32). Pickles are never
opened: the "python version" of the release is refused with the name of the right file.

Source: https://www.cs.toronto.edu/~kriz/cifar.html, section "Binary version".
"""

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from shoal.data.sets import ImageSet
from shoal.data.specs import CIFAR10
from shoal.data.splits import PublishedSet
from shoal.data.streams import Readable, read_into
from shoal.errors import ShoalError, wrong

_ROW = 1 + 3 * 32 * 32
_ROWS_A_FILE = 10_000
_META = "batches.meta.txt"


def read_cifar10(path: str | Path, *, source: str = "") -> PublishedSet:
    """Read the 50,000 training and 10,000 test images, in the official order.

    Args:
        path: the folder of the six .bin files, or the .tar.gz that holds it.
        source: a sentence on where it was found; made from the path if empty.

    Returns:
        Training and test rows; images [n, 3, 32, 32].

    Raises:
        InputError: if the folder is not the binary release.
        ShoalError: if a file is missing, truncated or corrupt.
    """
    path = Path(path)
    refuse_python_release(path)
    read = _read_archive if path.is_file() else _read_folder
    images = torch.empty(60_000, 3, 32, 32, dtype=torch.uint8)
    labels = torch.empty(60_000, dtype=torch.int64)
    for name, rows in read(path):
        place = slice(start := _ROWS_A_FILE * _file_names().index(name), start + _ROWS_A_FILE)
        labels[place] = rows[:, 0]
        images[place] = rows[:, 1:].view(-1, 3, 32, 32)
        if int(rows[:, 0].max()) >= len(CIFAR10.classes):
            raise ShoalError(f"{path / name}: a label above 9, so the file is corrupt; fetch CIFAR-10 again")

    def part(rows: slice) -> ImageSet:
        return ImageSet(
            name=CIFAR10.name,
            images=images[rows],
            labels=labels[rows],
            classes=CIFAR10.classes,
            source=source or f"CIFAR-10's binary release in {path}",
        )

    return PublishedSet(train=part(slice(50_000)), test=part(slice(50_000, None)))


def refuse_python_release(path: Path) -> None:
    """Raise if path is the release that holds pickles, which can run any code when they are opened.

    Raises:
        InputError: naming the file to use instead.
    """
    names = {path.name} | ({child.name for child in path.iterdir()} if path.is_dir() else set())
    python = {"data_batch_1", "test_batch", "batches.meta", "cifar-10-batches-py", "cifar-10-python.tar.gz"}
    binary = {"test_batch.bin", CIFAR10.folder, CIFAR10.downloads[0].name}
    if names & python and not names & binary:
        raise wrong(
            str(path),
            expected="CIFAR-10's binary release, cifar-10-binary.tar.gz (folder cifar-10-batches-bin)",
            got="the Python release, whose pickles can run any code",
            fix="fetch the right one with `shoal data fetch cifar10`",
        )


def check_meta(text: str, where: str) -> None:
    """Raise unless batches.meta.txt lists CIFAR-10's classes in order."""
    if tuple(text.split()) != CIFAR10.classes:
        raise wrong(f"{where}", expected=" ".join(CIFAR10.classes), got=" ".join(text.split()[:10]) or "nothing")


def archive_members(archive: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, Readable]]:
    """The .bin files and batches.meta.txt of the release, wherever the archive claims that they belong.

    Only regular files with exactly these names in exactly this folder are handed out, so that a member cannot
    name a place outside of the folder.

    Raises:
        InputError: if the archive holds the Python release.
    """
    wanted = {f"{CIFAR10.folder}/{name}" for name in (*_file_names(), _META)}
    for member in archive:
        if member.name.startswith("cifar-10-batches-py"):
            refuse_python_release(Path("cifar-10-python.tar.gz"))
        if member.name.removeprefix("./") in wanted and member.isreg():
            file = archive.extractfile(member)
            assert file is not None  # it is a regular file
            yield member, file


@contextmanager
def open_archive(path: Path) -> Iterator[tarfile.TarFile]:
    """Open a .tar.gz for one pass; what is wrong with it becomes one line.

    Raises:
        ShoalError: if it is truncated, corrupt or no such archive.
    """
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r|gz") as archive:
            yield archive
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ShoalError(
            f"{path}: expected a whole .tar.gz, got {error}; fetch it again with `shoal data fetch cifar10`"
        ) from error


def _file_names() -> list[str]:
    return [file.name for file in CIFAR10.files]


def _read_folder(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    for file in CIFAR10.files:
        path = folder / file.name
        if not path.is_file():
            raise _broken(path, file.size, "no such file")
        if (size := path.stat().st_size) != file.size:
            raise _broken(path, file.size, f"{size:,} bytes")
    meta = folder / _META
    if meta.is_file():
        check_meta(meta.read_text(errors="replace"), str(meta))
    buffer = torch.empty(_ROWS_A_FILE, _ROW, dtype=torch.uint8)
    for file in CIFAR10.files:
        with (folder / file.name).open("rb") as opened:
            _fill(buffer, opened, folder / file.name)
        yield file.name, buffer


def _read_archive(path: Path) -> Iterator[tuple[str, torch.Tensor]]:
    buffer = torch.empty(_ROWS_A_FILE, _ROW, dtype=torch.uint8)
    missing = set(_file_names())
    with open_archive(path) as archive:
        for member, file in archive_members(archive):
            name = Path(member.name).name
            if name == _META:
                check_meta(file.read(10_000).decode(errors="replace"), f"{path}: {name}")
                continue
            if member.size != buffer.numel():
                raise _broken(path / name, buffer.numel(), f"{member.size:,} bytes")
            _fill(buffer, file, path / name)
            missing.discard(name)
            yield name, buffer
    if missing:
        raise ShoalError(
            f"{path}: expected CIFAR-10's binary release, got another or a truncated archive without "
            f"{', '.join(sorted(missing))}; fetch it again with `shoal data fetch cifar10`"
        )


def _fill(buffer: torch.Tensor, file: Readable, path: Path) -> None:
    """Read exactly one file's rows into the buffer, without a second copy."""
    view = buffer.numpy().data.cast("B")
    if (done := read_into(file, view)) < len(view):
        raise _broken(path, len(view), f"{done:,} bytes")


def _broken(path: Path, size: int, got: str) -> ShoalError:
    return ShoalError(f"{path}: expected {size:,} bytes, got {got}; fetch it again with `shoal data fetch cifar10`")
