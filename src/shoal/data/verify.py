"""Check every byte of a data set against the published checksums, or every image of a folder.

for row in verify("cifar10"):
    print(row.file, row.ok, row.expected, row.got)
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from shoal.data.cifar import check_meta
from shoal.data.download import file_digest
from shoal.data.find import Place, locate
from shoal.data.folders import list_images
from shoal.data.idx import IDX_NAMES, content_digest, find_idx_file, read_idx
from shoal.data.pictures import read_picture
from shoal.data.specs import CIFAR10, DataFile
from shoal.errors import ShoalError


@dataclass(frozen=True)
class FileCheck:
    """What a check of one file found.

    Attributes:
        file: path as text.
        ok: whether it is as it should be.
        expected: for example a checksum.
        got: what was found instead, or the same.
    """

    file: str
    ok: bool
    expected: str
    got: str


def verify(name_or_path: str | Path, *, root: str | Path | None = None) -> list[FileCheck]:
    """Check each file of a data set.

    CIFAR-10's files are compared with the authors' SHA-1, its archive with the authors' MD5; IDX files by the
    SHA-256 of what they hold after gunzip, since Debian's copies are compressed anew; images are decoded.

    Args:
        name_or_path: a name that `load` knows, or a path.
        root: where to look for names, see `load`.

    Returns:
        A row for each file, wrong and missing ones included.

    Raises:
        InputError: if there is no such data set or it is not found.

    Example:
        >>> [row.ok for row in verify("digits")]
        [True]
    """
    place = locate(name_or_path, root=root)
    match place.kind:
        case "cifar":
            return _verify_archive(place.path) if place.path.is_file() else _verify_cifar(place.path)
        case "idx":
            return list(_verify_idx(place))
        case "images":
            return list(_verify_images(place.path))
        case "digits":
            return [_verify_digits()]


def _verify_cifar(folder: Path) -> list[FileCheck]:
    rows = [_compare(folder / file.name, file, content=False) for file in CIFAR10.files]
    meta = folder / "batches.meta.txt"
    if meta.is_file():
        rows.append(attempt(meta, "the ten classes", lambda: check_meta(meta.read_text(errors="replace"), "")))
    return rows


def _verify_archive(path: Path) -> list[FileCheck]:
    wanted = CIFAR10.downloads[0].checksum
    got = file_digest(path, wanted.algorithm)
    return [FileCheck(str(path), got == wanted.digest, str(wanted), f"{wanted.algorithm} {got}")]


def _verify_idx(place: Place) -> Iterator[FileCheck]:
    if place.spec is not None:
        for file in place.spec.files:
            try:
                path = find_idx_file(place.path, file.name)
            except ShoalError:
                path = place.path / file.name
            yield _compare(path, file, content=True)
        return
    for name in IDX_NAMES:
        path = find_idx_file(place.path, name)
        dims = 3 if "idx3" in name else 1
        yield attempt(path, "a whole IDX file", lambda path=path, dims=dims: read_idx(path, dims=dims))


def _verify_images(folder: Path) -> Iterator[FileCheck]:
    for listing in list_images(folder).values():
        for path in listing.paths:
            yield attempt(path, "a readable image", lambda path=path: read_picture(path, (3, 8, 8)))


def _verify_digits() -> FileCheck:
    from shoal.data.digits import read_digits

    path = "scikit-learn's digits"
    return attempt(path, "1,797 images", read_digits)


def _compare(path: Path, file: DataFile, *, content: bool) -> FileCheck:
    expected = f"{file.checksum}" + (" of the content" if content else "")
    if not path.is_file():
        return FileCheck(str(path), False, expected, "no such file")
    algorithm = file.checksum.algorithm
    try:
        digest = content_digest(path, algorithm) if content else file_digest(path, algorithm)
    except (ShoalError, OSError) as error:
        return FileCheck(str(path), False, expected, _short(path, error))
    got = f"{algorithm} {digest}" + (" of the content" if content else "")
    return FileCheck(str(path), digest == file.checksum.digest, expected, got)


def attempt(path: Path | str, expected: str, check: Callable[[], object]) -> FileCheck:
    """Whether something can be read.

    Args:
        path: that the check is about.
        expected: in words.
        check: raises where it is not so.
    """
    try:
        check()
    except (ShoalError, OSError) as error:
        return FileCheck(str(path), False, expected, _short(path, error))
    return FileCheck(str(path), True, expected, expected)


def _short(path: Path | str, error: Exception) -> str:
    return str(error).removeprefix(f"{path}: ")
