"""The named sets of faces, for people: what each is, whether it is here and right, how to get it, its terms."""

from collections.abc import Iterator
from pathlib import Path

from shoal.data.describe import DataRow
from shoal.data.faces.at_hand import olivetti_file, read_digits_as_people, read_olivetti
from shoal.data.faces.folders import list_faces, list_people
from shoal.data.faces.images import read_face
from shoal.data.faces.lfw import PEOPLE_LISTS, find_lfw, find_list, read_people_list
from shoal.data.faces.load import locate_lfw
from shoal.data.faces.reading import quiet_pillow
from shoal.data.faces.specs import FACE_SPECS, LFW, OLIVETTI, FaceSpec, match_face_spec
from shoal.data.verify import FileCheck, attempt
from shoal.errors import InputError, unknown_name


def describe_faces(*, root: str | Path | None = None) -> list[DataRow]:
    """A row for each named set of faces: what it is, whether it is here, how to get it.

    The digits are not among them: `describe_all` has them, and they are not faces.

    Args:
        root: see `load_faces`.

    Example:
        >>> [row.name for row in describe_faces()]
        ['lfw', 'olivetti']
    """
    return [_row(spec, root) for spec in FACE_SPECS.values() if spec.are_faces]


def verify_faces(name_or_folder: str | Path, *, root: str | Path | None = None) -> list[FileCheck]:
    """Check a set of faces: every photo is decoded, and LFW must have as many of everybody as its lists say.

    Args:
        name_or_folder: a name that `load_faces` knows, or a path.
        root: where to look for LFW, see `load_faces`.

    Returns:
        A row for each photo and each list, wrong ones included.

    Raises:
        InputError: if there is no such set, or it is not found.

    Example:
        >>> [row.ok for row in verify_faces("digits")]
        [True]
    """
    spec = match_face_spec(name_or_folder) if isinstance(name_or_folder, str) else None
    if spec is OLIVETTI:
        return [attempt(olivetti_file(), OLIVETTI.content, read_olivetti)]
    if spec is not None and spec is not LFW:
        return [attempt("scikit-learn's digits", spec.content, read_digits_as_people)]
    folder = locate_lfw(root)[0] if spec is LFW else Path(name_or_folder).expanduser()
    if not folder.exists() and len(folder.parts) == 1 and not folder.suffix:
        raise unknown_name("set of faces", str(name_or_folder), FACE_SPECS)
    if images := find_lfw(folder):
        paths = [path for member in list_people(images).values() for path in member]
        lists = list(_lists(images))
    else:
        paths, lists = list_faces(folder).paths, []
    with quiet_pillow():
        photos = [attempt(path, "a readable image", lambda path=path: read_face(path, 8)) for path in paths]
    return [*lists, *photos]


def _lists(folder: Path) -> Iterator[FileCheck]:
    for name in PEOPLE_LISTS:
        if path := find_list(folder, name):
            yield attempt(path, "as many images of each as it says", lambda path=path: _count(path, folder))


def _count(path: Path, folder: Path) -> None:
    here = list_people(folder)
    for person, images in read_people_list(path).items():
        if len(here.get(person, ())) != images:
            raise InputError(f"{images} of {person}, and {len(here.get(person, ()))} are here")


def _row(spec: FaceSpec, root: str | Path | None) -> DataRow:
    where = ""
    if spec is LFW:
        try:
            where = str(locate_lfw(root)[0])
        except InputError:
            where = ""
    elif olivetti_file().is_file():
        where = str(olivetti_file())
    return DataRow(
        name=spec.name,
        found=bool(where),
        where=where,
        content=spec.content,
        fetch=spec.get,
        terms=spec.terms,
        source=spec.source,
    )
