"""Read a user's own images: a folder with one sub-folder per class, or train/ and test/ folders of such.

    photos/cat/1.jpg, photos/dog/2.png ...                 one set; the splits are drawn
    photos/train/cat/1.jpg ... photos/test/cat/9.jpg ...   the folders' own division (also val/, validation/)

With train/ and val/ but no test/, val/ is what is reported on. Hidden files and files that are no images by
their name are passed over; an image that cannot be read is an error that names it.
"""

import unicodedata
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch

from shoal.data.pictures import SUFFIXES, Header, read_header, read_picture
from shoal.data.sets import ImageSet
from shoal.data.splits import PublishedSet
from shoal.errors import InputError, wrong

DEFAULT_SIZE = 64
_LARGEST_OWN_SIZE = 128
_FEWEST = 2
_TRAIN = ("train", "training")
_VALIDATION = ("val", "valid", "validation")
_TEST = ("test", "testing")


@dataclass(frozen=True)
class Listing:
    """The images of one part (all, or train/, or test/), found but not read: paths and class of each."""

    folder: Path
    classes: tuple[str, ...]
    paths: tuple[Path, ...]
    labels: tuple[int, ...]


def read_folder(folder: str | Path, *, size: int | None = None, source: str = "") -> PublishedSet:
    """Read a folder of class folders of images (png, jpg, webp, bmp, gif).

    EXIF orientation is honoured, transparency becomes white, of a moving picture the first frame is taken.
    Images have one channel if all of them are grey, else three.

    Args:
        folder: see the module's docstring.
        size: pixels a side; the shorter side is scaled to it and the centre cut out. None keeps the images as
            they are if all have one size of at most 128 pixels a side, and means 64 otherwise.
        source: a sentence on where it was found; made from the folder if empty.

    Returns:
        The rows in order of class and file name, with `files` relative to the folder.

    Raises:
        InputError: if there are fewer than two classes, a class without images or with a single one, a test
            class that is not among the training classes, or an image too large to open.
        ShoalError: if an image is corrupt.
    """
    folder = Path(folder)
    if size is not None and size < 1:
        raise wrong("size", expected="at least 1 pixel", got=size)
    listings = list_images(folder)
    headers = [[read_header(path) for path in listing.paths] for listing in listings.values()]
    shape = _choose_shape([header for part in headers for header in part], size)
    sets = {part: _read(listing, folder, shape, source or f"images in {folder}") for part, listing in listings.items()}
    return PublishedSet(**sets)


def list_images(folder: Path) -> dict[str, Listing]:
    """Find the images of a folder by part: "train", and "test" and "validation" where they have folders.

    Raises:
        InputError: as `read_folder`.
    """
    parts = _parts(folder)
    train = _list(parts["train"], folder, fewest=_FEWEST if len(parts) == 1 else 1)
    listings = {"train": train}
    for part in parts.keys() - {"train"}:
        listings[part] = _list(parts[part], folder, classes=train.classes)
    return listings


def looks_like_images(folder: Path) -> bool:
    """Whether this is a folder of class folders (at least two of them hold an image), or of train/ and test/."""
    if not folder.is_dir():
        return False
    root = _parts(folder)["train"]
    with_images = (True for child in _subfolders(root) if next(_images(child), None))
    return next(with_images, False) and next(with_images, False)


def _parts(folder: Path) -> dict[str, Path]:
    by_name = {child.name.lower(): child for child in _subfolders(folder)}

    def first(names: Sequence[str]) -> Path | None:
        return next((by_name[name] for name in names if name in by_name), None)

    train, validation, test = first(_TRAIN), first(_VALIDATION), first(_TEST)
    if train is None or (validation is None and test is None):
        return {"train": folder}
    if test is None:
        validation, test = None, validation
    found = {"train": train, "validation": validation, "test": test}
    return {part: path for part, path in found.items() if path is not None}


def _list(part: Path, root: Path, *, classes: tuple[str, ...] | None = None, fewest: int = 1) -> Listing:
    names = tuple(child.name for child in _subfolders(part))
    for name in names:
        _check_name(part, name)
    if classes is None and len(names) < 2:
        got = f"{len(names)}" + (f" ({names[0]})" if names else "")
        fix = "put the images of each class into a folder of its own"
        raise wrong(str(part), expected="at least 2 class folders", got=got, fix=fix)
    if classes and (extra := [name for name in names if name not in classes]):
        expected = f"only class folders that {root} trains on ({', '.join(classes[:5])}, ...)"
        raise wrong(str(part), expected=expected, got=", ".join(extra[:5]))
    paths, labels = [], []
    for name in names:
        members = list(_images(part / name))
        if len(members) < fewest:
            kinds = " ".join(SUFFIXES)
            expected = f"at least {fewest} image{'s' * (fewest > 1)} a class ({kinds})"
            raise wrong(str(part / name), expected=expected, got=len(members), fix="add some or remove the folder")
        paths += members
        labels += [(classes or names).index(name)] * len(members)
    return Listing(part, classes or names, tuple(paths), tuple(labels))


def _check_name(part: Path, name: str) -> None:
    """Class names end up in JSON, in the report and in its charts, which refuse control characters and broken UTF-8."""
    if any(unicodedata.category(character) in ("Cc", "Cs") or character in "\ufffe\uffff" for character in name):
        raise wrong(str(part), expected="class folders with printable names", got=ascii(name), fix="rename the folder")


def _subfolders(folder: Path) -> list[Path]:
    try:
        children = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: expected a readable folder, got {error.strerror or error}") from error
    return [
        child for child in children if child.is_dir() and not child.name.startswith(".") and child.name != "__MACOSX"
    ]


def _images(folder: Path) -> Iterator[Path]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: expected a readable folder, got {error.strerror or error}") from error
    for path in paths:
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file():
            yield path


def _choose_shape(headers: Sequence[Header], size: int | None) -> tuple[int, int, int]:
    """(channels, height, width) of all images."""
    channels = 1 if all(header.grey for header in headers) else 3
    own = {(header.height, header.width) for header in headers}
    if size is None and len(own) == 1 and max(own_size := own.pop()) <= _LARGEST_OWN_SIZE:
        return channels, *own_size
    side = size or DEFAULT_SIZE
    return channels, side, side


def _read(listing: Listing, root: Path, shape: tuple[int, int, int], source: str) -> ImageSet:
    images = torch.empty(len(listing.paths), *shape, dtype=torch.uint8)

    def read(row: int) -> None:
        images[row] = read_picture(listing.paths[row], shape)

    with ThreadPoolExecutor() as pool:  # decoding releases the interpreter's lock
        for _ in pool.map(read, range(len(images))):
            pass
    return ImageSet(
        name=root.resolve().name,
        images=images,
        labels=torch.tensor(listing.labels),
        classes=listing.classes,
        source=source,
        files=tuple(str(path.relative_to(root)) for path in listing.paths),
    )
