"""A user's own photos: a folder of people's folders, or one folder of photos of whoever.

    people/ann/1.jpg, people/bob/a.png …         each folder is a person
    photos/1.jpg, photos/2.jpg …                 nobody is known

Hidden files, and files that are no images by their name, are passed over. An image that cannot be read is named
in `skipped`, and the others go on.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from shoal.data.faces.images import image_suffixes
from shoal.data.faces.reading import Reading, Wanted, read_faces
from shoal.data.faces.regions import Box
from shoal.data.faces.sets import FaceSet
from shoal.errors import InputError, wrong

Boxes = Mapping[str, Sequence[Box]]


class Listing(NamedTuple):
    """The photos of a folder, found but not read."""

    folder: Path
    paths: tuple[Path, ...]
    labels: tuple[int, ...]  # −1 each where nobody is known
    people: tuple[str, ...]
    empty: tuple[str, ...]  # folders without a photo


def list_images(folder: str | Path) -> tuple[Path, ...]:
    """The photos that lie in a folder itself, by name.

    Args:
        folder: to look in.

    Returns:
        Paths, sorted.

    Raises:
        InputError: if it is no folder that can be read.
    """
    suffixes = image_suffixes()
    return tuple(
        path
        for path in _children(Path(folder).expanduser())
        if path.suffix.lower() in suffixes and not path.name.startswith(".") and path.is_file()
    )


def list_people(folder: str | Path) -> dict[str, tuple[Path, ...]]:
    """The photos in every folder that lies in a folder, by the names of those.

    Args:
        folder: to look in.

    Returns:
        Paths of each person, sorted; also of those that have none.

    Raises:
        InputError: if a folder cannot be read, or its name cannot be shown.
    """
    folder = Path(folder).expanduser()
    named = [child for child in _children(folder) if child.is_dir() and child.name != "__MACOSX"]
    people = {child.name: list_images(child) for child in named if not child.name.startswith(".")}
    for name in people:
        if any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
            fix = "rename the folder"
            raise wrong(str(folder), expected="folders with printable names", got=ascii(name), fix=fix)
    return people


def list_faces(folder: str | Path) -> Listing:
    """What a folder holds: people's folders, or photos of whoever.

    Args:
        folder: to look in.

    Raises:
        InputError: if it has no photos, or has them both ways.
    """
    folder = Path(folder).expanduser()
    loose = list_images(folder)
    found = list_people(folder)
    people = {name: paths for name, paths in found.items() if paths}
    if loose and people:
        got = f"{len(loose):,} images beside {len(people):,} folders of images"
        fix = "put the loose ones into a folder of their own, or name one folder"
        raise wrong(f"data {folder}", expected="images, or people's folders of images", got=got, fix=fix)
    if not loose and not people:
        deeper = any(paths for name in found for paths in _grandchildren(folder / name))
        fix = "name the folder that the people's folders lie in" if deeper else ""
        got = f"a folder of {_contents(folder)}"
        raise wrong(f"data {folder}", expected="images, or people's folders of images", got=got, fix=fix)
    if loose:
        return Listing(folder, loose, (-1,) * len(loose), (), ())
    labels = [label for label, paths in enumerate(people.values()) for _ in paths]
    paths = [path for paths in people.values() for path in paths]
    empty = tuple(name for name, paths in found.items() if not paths)
    return Listing(folder, tuple(paths), tuple(labels), tuple(people), empty)


def read_listing(listing: Listing, how: Reading, *, boxes: Boxes | None = None, name: str = "") -> FaceSet:
    """Read the photos of a listing, or the faces that boxes say are on them.

    Args:
        listing: from `list_faces`.
        how: size and the rest.
        boxes: of each file, relative to the folder and with "/"; a photo without a box is left out. None takes
            the centre of every photo.
        name: of the set; the folder's unless given.

    Returns:
        The faces, in the order of the listing; those of one photo share a number in `photos`, and are called
        "party.jpg#1", "party.jpg#2", … The people are those who have a face.

    Raises:
        InputError: if boxes name a photo that is not there, or no image can be read.
    """
    names = [shown_path(path, listing.folder) for path in listing.paths]
    if boxes is not None:
        check_boxes(boxes, names, listing.folder)
    numbers, called, wanted = [], [], []  # of each face: its photo, its name, what to read
    for number, (path, shown) in enumerate(zip(listing.paths, names, strict=True)):
        on_it = [None] if boxes is None else boxes.get(shown, ())
        for i, box in enumerate(on_it, start=1):
            numbers.append(number)
            called.append(shown if len(on_it) == 1 else f"{shown}#{i}")
            wanted.append(Wanted(path, box))
    images, kept, failed = read_faces(wanted, how)
    skipped = [(f"{folder}/", "no images in it") for folder in listing.empty]
    if boxes is not None:
        skipped += [(shown, "no box") for shown in names if not boxes.get(shown)]
    skipped += [(called[face], why) for face, why in failed]
    if not kept:
        got = f"none in {len(listing.paths):,} (the first: {': '.join(skipped[0])})"
        raise wrong(f"data {listing.folder}", expected="at least one image that can be read", got=got)
    photos = torch.tensor([numbers[face] for face in kept])
    faces = FaceSet(
        name=name or listing.folder.resolve().name,
        images=images,
        labels=torch.tensor([listing.labels[numbers[face]] for face in kept]),
        people=listing.people,
        names=tuple(called[face] for face in kept),
        source=f"your images in {listing.folder}",
        folder=str(listing.folder),
        photos=photos,
        skipped=tuple(skipped),
    )
    return faces.renumbered()


def check_boxes(boxes: Boxes, names: Sequence[str], folder: Path) -> None:
    """Refuse boxes of photos that are not there.

    Args:
        boxes: of each file.
        names: the files that are there.
        folder: where, for the message.

    Raises:
        InputError: naming the first such file.
    """
    if missing := sorted(set(boxes) - set(names)):
        got = f"{missing[0]}, which is not"
        fix = f"{len(missing):,} of {len(boxes):,} photos are missing; names are relative to the folder"
        raise wrong("boxes", expected=f"photos that are in {folder}", got=got, fix=fix)


def shown_path(path: Path, folder: Path) -> str:
    """The path below the folder, with "/", in characters that a file can be written with.

    Args:
        path: of a file in it.
        folder: any.
    """
    return path.relative_to(folder).as_posix().encode("utf-8", "backslashreplace").decode()


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"{folder}: expected a readable folder, got {error.strerror or error}") from error


def _grandchildren(folder: Path) -> list[tuple[Path, ...]]:
    return [list_images(child) for child in _children(folder) if child.is_dir()]


def _contents(folder: Path) -> str:
    names = [child.name for child in _children(folder) if not child.name.startswith(".")]
    return (", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")) or "nothing"
