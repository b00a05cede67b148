"""Load faces by name or from a folder, or the best at hand.

faces = load_faces("lfw", image_size=64)
faces = load_faces("photos/")                          # people's folders, or photos of whoever
faces = load_faces("party/", boxes="boxes.csv")        # as many faces of a photo as it has boxes
choice = find_best_faces()                             # for a demonstration: whatever is there
choice.faces, choice.why, choice.better
"""

from dataclasses import dataclass, replace
from pathlib import Path

from shoal.data.faces.at_hand import olivetti_file, read_digits_as_people, read_olivetti
from shoal.data.faces.boxes import read_boxes
from shoal.data.faces.folders import Boxes, list_faces, read_listing
from shoal.data.faces.images import MOST_PIXELS
from shoal.data.faces.lfw import find_lfw, read_lfw
from shoal.data.faces.reading import Progress, Reading
from shoal.data.faces.regions import Size
from shoal.data.faces.sets import FaceSet
from shoal.data.faces.specs import DIGITS_AS_PEOPLE, FACE_SPECS, LFW, OLIVETTI, FaceSpec, match_face_spec
from shoal.data.find import search_folders
from shoal.errors import InputError, ShoalError, unknown_name, wrong

DEFAULT_SIZE = 96  # of LFW and of folders; the other sets have a size of their own


@dataclass(frozen=True, eq=False, kw_only=True)
class FaceChoice:
    """What `find_best_faces` took.

    Attributes:
        faces: the set.
        why: a sentence on why this one.
        better: a sentence on how to get a better one; empty if this is as good as it gets.
        data: the name or path that leads to the same set again.
    """

    faces: FaceSet
    why: str
    better: str
    data: str


def load_faces(
    name_or_folder: str | Path | None = None,
    *,
    root: str | Path | None = None,
    image_size: Size | None = None,
    crop: float = 1.0,
    boxes: Boxes | str | Path | None = None,
    offline: bool = True,
    max_pixels: int = MOST_PIXELS,
    progress: Progress | None = None,
) -> FaceSet:
    """Load faces: LFW, the Olivetti faces, digits in place of faces, or a folder of one's own.

    Nothing is kept on disk. LFW takes three bytes a pixel: 163 MB at 64 pixels a side, 366 MB at 96.

    Args:
        name_or_folder: "lfw", "olivetti", "digits" (which are not faces, and whose name says so), or a path: to
            a folder of people's folders, of photos of whoever, or of LFW. What is spelled like a name is one;
            write ./lfw for a folder of that name. None takes `find_best_faces`'s choice.
        root: the only folder to look for LFW in. By default the folder that the environment variable SHOAL_DATA
            names, then the cache.
        image_size: pixels a side, or (height, width). None means 96 for LFW and folders, and the size that the
            others have: 64 (olivetti), 8 (digits).
        crop: see `read_face`; of LFW and of folders. LFW's is a share of the central 160 × 160 pixels.
        boxes: where faces are on the photos of a folder: a CSV file, see `read_boxes`, or what that returns.
        offline: False lets scikit-learn fetch the Olivetti faces.
        max_pixels: photos of more are skipped.
        progress: called with (images read, images in all).

    Returns:
        The faces. Photos that cannot be read are in `skipped`.

    Raises:
        InputError: if the name is unknown, the set is not found, or a folder holds nothing that can be read.
        ShoalError: if a set cannot be read.

    Example:
        >>> print(load_faces("digits"))
        scikit-learn's handwritten digits, not faces: 1,797 images 8×8 of 10 people
    """
    how = Reading(size=image_size or DEFAULT_SIZE, crop=crop, max_pixels=max_pixels, progress=progress)
    if name_or_folder is None:
        best = find_best_faces(root=root, image_size=image_size, crop=crop, offline=offline, progress=progress)
        return best.faces
    spec = match_face_spec(name_or_folder) if isinstance(name_or_folder, str) else None
    if spec is not None:
        if boxes is not None:
            raise wrong("boxes", expected="a folder of photos that they belong to", got=f"the set {spec.name}")
        return _named(spec, root, image_size, how, offline)
    folder = _existing(name_or_folder)
    if boxes is None and (images := find_lfw(folder)):
        return read_lfw(images, how)
    listing = list_faces(folder)
    how.check(boxes=boxes is not None)
    if isinstance(boxes, str | Path):
        boxes = read_boxes(boxes)
    return read_listing(listing, how, boxes=boxes)


def find_best_faces(
    data: str | Path | None = None,
    *,
    root: str | Path | None = None,
    image_size: Size | None = None,
    crop: float = 1.0,
    offline: bool = False,
    progress: Progress | None = None,
) -> FaceChoice:
    """Load the best faces at hand, and say why these and how to get better ones.

    In this order: what `data` names; LFW in SHOAL_DATA or the cache; the Olivetti faces, if scikit-learn has
    them or may fetch them; scikit-learn's digits, which are not faces. A folder of folders in SHOAL_DATA is not
    taken for people: it may be of anything.

    Args:
        data: a name or a path; errors there are errors, nothing else is tried.
        root: used instead of SHOAL_DATA.
        image_size: see `load_faces`.
        crop: see `load_faces`.
        offline: True forbids the fetch.
        progress: see `load_faces`.

    Raises:
        InputError: if `data` or `root` cannot be used.
        ShoalError: if what `data` names cannot be read.

    Example:
        >>> choice = find_best_faces("digits")
        >>> choice.why, choice.faces.are_faces
        ('digits, as asked for', False)
    """
    how = Reading(size=image_size or DEFAULT_SIZE, crop=crop, progress=progress)
    if data is not None:
        size = image_size
        faces = load_faces(data, root=root, image_size=size, crop=crop, offline=offline, progress=progress)
        return FaceChoice(faces=faces, why=f"{data}, as asked for", better=_better(faces), data=str(data))
    passed_over = ""
    for look in (lambda: _stored(root, how), lambda: _fetched(image_size, offline)):
        try:
            if choice := look():
                return replace(choice, why=f"{choice.why}{passed_over}")
        except ShoalError as error:
            if root is not None and isinstance(error, InputError):
                raise
            passed_over += f" ({error})"
    return FaceChoice(
        faces=read_digits_as_people(image_size),
        why=f"{DIGITS_AS_PEOPLE.title}, since no faces are here{passed_over}",
        better=DIGITS_AS_PEOPLE.better,
        data=DIGITS_AS_PEOPLE.name,
    )


def locate_lfw(root: str | Path | None = None) -> tuple[Path, str]:
    """The folder of LFW's photos, and a phrase for where that is.

    Args:
        root: see `load_faces`.

    Raises:
        InputError: if it is not there.
    """
    if found := _stored_lfw(root):
        return found
    looked = ", ".join(str(folder) for folder, _ in search_folders(root))
    expected = f"{LFW.folders[0]}/ with its lists in one of {looked}"
    raise wrong(f"data set {LFW.name}", expected=expected, got="none", fix=f"get it {LFW.get}")


def _stored_lfw(root: str | Path | None) -> tuple[Path, str] | None:
    for folder, where in search_folders(root):
        if images := find_lfw(folder):
            return images, where
    return None


def _named(spec: FaceSpec, root: str | Path | None, size: Size | None, how: Reading, offline: bool) -> FaceSet:
    if spec is LFW:
        folder, where = locate_lfw(root)
        return read_lfw(folder, how, where=where)
    if spec is OLIVETTI:
        return read_olivetti(size, offline=offline or olivetti_file().is_file())
    return read_digits_as_people(size)


def _existing(name_or_folder: str | Path) -> Path:
    path = Path(name_or_folder).expanduser()
    if not path.exists() and isinstance(name_or_folder, str) and len(path.parts) == 1 and not path.suffix:
        raise unknown_name("set of faces", name_or_folder, FACE_SPECS)
    if not path.is_dir():
        got = "a file" if path.exists() else "none there"
        raise wrong(f"data {path}", expected=f"a folder, or one of {', '.join(FACE_SPECS)}", got=got)
    return path


def _stored(root: str | Path | None, how: Reading) -> FaceChoice | None:
    if found := _stored_lfw(root):
        faces = read_lfw(found[0], how, where=found[1])
        return FaceChoice(faces=faces, why=f"{LFW.title}, found in {found[1]}", better="", data=LFW.name)
    return None


def _fetched(size: Size | None, offline: bool) -> FaceChoice | None:
    here = olivetti_file().is_file()
    if offline and not here:
        return None
    faces = read_olivetti(size, offline=here)
    why = f"{OLIVETTI.title}, {'found in the folder of scikit-learn' if here else 'fetched now'}"
    return FaceChoice(faces=faces, why=why, better=OLIVETTI.better, data=OLIVETTI.name)


def _better(faces: FaceSet) -> str:
    """How to get faces that tell more than these do."""
    return next((spec.better for spec in FACE_SPECS.values() if spec.title == faces.title), "")
