"""A folder of photos into a gallery: people's folders, or photos of whoever; what cannot be read is named and left out.

    enrol_folder(gallery, "photos")

    photos/ann/1.jpg, photos/bob/a.png …         each folder is a person
    photos/1.jpg, photos/2.jpg …                 nobody is known

Interrupted and started again, it goes on: photos that are in the gallery are not embedded again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shoal.data.faces.folders import Listing, list_faces, shown_path
from shoal.data.faces.regions import Box
from shoal.engine import Progress, Silent
from shoal.errors import InputError
from shoal.gallery.gallery import Gallery

AT_ONCE = 64  # photos that are embedded together


@dataclass(frozen=True)
class Enrolled:
    """What came of a folder.

    Attributes:
        photos: that were looked at.
        faces: of these photos that are in the gallery now.
        new: of these, that were not there before.
        skipped: photos that were left out, and why.
    """

    photos: int
    faces: int
    new: int
    skipped: tuple[tuple[str, str], ...]

    def lines(self) -> list[str]:
        """The same to read."""
        left_out = f"; {len(self.skipped):,} left out" if self.skipped else ""
        return [f"{self.faces:,} faces of {self.photos:,} photos, {self.new:,} of them new{left_out}"]


def enrol_folder(
    gallery: Gallery,
    folder: str | Path,
    *,
    person: str | None = None,
    boxes: Mapping[str, Sequence[Box]] | None = None,
    keep_photos: bool = False,
    progress: Progress | None = None,
) -> Enrolled:
    """Enrol every photo of a folder that can be read.

    Args:
        gallery: to enrol into.
        folder: of people's folders of photos, or of photos.
        person: whose photos they are, where they lie in no folders.
        boxes: of the faces on each photo, by its path relative to the folder; others are taken whole, and photos that
            have an empty list are passed over.
        keep_photos: see `Gallery.enrol`.
        progress: told how it goes, and of every photo that is left out.

    Returns:
        What came of it.

    Raises:
        InputError: if there is no such folder, or no photo in it.
        ShoalError: if the gallery cannot be written.
    """
    progress = progress or Silent()
    listing, before = list_faces(folder), len(gallery)
    progress.start("enrolling")
    faces: list[int] = []
    skipped = [(f"{name}/", "no images in it") for name in listing.empty]
    done = 0
    for name, paths in _parts(listing):
        owner = person if name is None else name
        found, failed = _enrol(gallery, owner, listing, paths, boxes, keep_photos=keep_photos)
        faces += found
        skipped += failed
        done += len(paths)
        for photo, why in failed:
            progress.say(f"left out: {photo}: {why}")
        progress.update(done / len(listing.paths), f"{done:,} of {len(listing.paths):,} photos")
    progress.finish(f"{len(faces):,} faces")
    return Enrolled(done, len(faces), len(gallery) - before, tuple(skipped))


def _parts(listing: Listing) -> Iterator[tuple[str | None, list[Path]]]:
    """Photos of one person each, as many as are embedded at once."""
    by_person: dict[int, list[Path]] = {}
    for path, label in zip(listing.paths, listing.labels, strict=True):
        by_person.setdefault(label, []).append(path)
    for label, paths in by_person.items():
        for begin in range(0, len(paths), AT_ONCE):
            yield (listing.people[label] if label >= 0 else None), paths[begin : begin + AT_ONCE]


def _enrol(
    gallery: Gallery,
    person: str | None,
    listing: Listing,
    paths: Sequence[Path],
    boxes: Mapping[str, Sequence[Box]] | None,
    *,
    keep_photos: bool,
) -> tuple[list[int], list[tuple[str, str]]]:
    """Enrol some photos together; if one of them cannot be, one by one."""

    def enrol(some: Sequence[Path]) -> list[int]:
        on_them = [(boxes or {}).get(shown_path(path, listing.folder), (None,)) for path in some]
        return gallery.enrol(person, list(some), boxes=on_them, keep_photos=keep_photos)

    try:
        return enrol(paths), []
    except InputError:
        found: list[int] = []
        failed: list[tuple[str, str]] = []
        for path in paths:
            try:
                found += enrol([path])
            except InputError as error:
                failed.append((shown_path(path, listing.folder), str(error).removeprefix(f"{path.name}: ")))
        return found, failed
