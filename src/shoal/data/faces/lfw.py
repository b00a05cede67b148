"""LFW in its authors' layout: photos in people's folders, and the lists that say what is compared with what.

    lfw/Ann_Lee/Ann_Lee_0001.jpg …
    lfw/peopleDevTrain.txt, peopleDevTest.txt      View 1, to develop with: who to learn from, who to test on
    lfw/pairsDevTrain.txt, pairsDevTest.txt        View 1: pairs of either
    lfw/pairs.txt                                  View 2, for final reports only: ten folds

The lists may also lie above the people's folders, as scikit-learn keeps them.

Source: Huang, Ramesh, Berg & Learned-Miller 2007, "Labeled Faces in the Wild", protocols of both views.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

import torch

from shoal.data.faces.folders import Listing, list_people, read_listing
from shoal.data.faces.images import image_size
from shoal.data.faces.pairs import FacePairs, folds_in_order
from shoal.data.faces.reading import Reading
from shoal.data.faces.sets import FaceSet
from shoal.data.faces.specs import LFW
from shoal.errors import InputError, ShoalError, wrong

PEOPLE_LISTS = ("peopleDevTrain.txt", "peopleDevTest.txt")
PAIR_LISTS = {  # for the title of each
    "pairsDevTrain.txt": "View 1 of LFW, training",
    "pairsDevTest.txt": "View 1 of LFW, test",
    "pairs.txt": "View 2 of LFW",
}
CENTRE = 160  # pixels a side of the centre that is taken of LFW's photos of 250

Rows = Mapping[tuple[str, int], int]  # of (person, number of the image)


def find_lfw(folder: Path) -> Path | None:
    """The folder of people's folders, if LFW with at least one of its lists is in a folder or is it.

    Args:
        folder: to look in.
    """
    for path in (folder, *(folder / name for name in LFW.folders)):
        if path.is_dir() and (lists := _lists_of(path)) and _is_person(lists, path):
            return path
    return None


def find_list(folder: Path, name: str) -> Path | None:
    """A list of LFW, beside the people's folders or above them; None if it is not there.

    Args:
        folder: that the people's folders lie in.
        name: for example "pairs.txt".
    """
    return next((path for path in (folder / name, folder.parent / name) if path.is_file()), None)


def read_lfw(folder: Path, how: Reading, *, where: str = "") -> FaceSet:
    """Read the photos.

    Args:
        folder: that the people's folders lie in.
        how: size and the rest; `crop` is that of the central 160 × 160 pixels, where photos are larger.
        where: a phrase for people.

    Raises:
        InputError: if no image can be read.
    """
    people = {name: paths for name, paths in list_people(folder).items() if paths}
    paths = tuple(path for member in people.values() for path in member)
    labels = tuple(label for label, member in enumerate(people.values()) for _ in member)
    if not paths:
        raise wrong(f"data {folder}", expected="people's folders of images", got="none with an image")
    how.check(boxes=False)
    how = replace(how, crop=how.crop * min(1.0, CENTRE / _shorter_side(paths, how)))
    faces = read_listing(Listing(folder, paths, labels, tuple(people), ()), how, name=LFW.name)
    source = f"{LFW.title} from {where or 'a folder of your own'} ({folder})"
    return replace(faces, source=source, terms=LFW.terms, title=LFW.title)


def read_people_list(path: Path) -> dict[str, int]:
    """The people of a list of View 1, and how many images each has.

    Args:
        path: peopleDevTrain.txt or peopleDevTest.txt: how many lines, then "name count" in each.

    Raises:
        InputError: if a line is another.
        ShoalError: if it cannot be read.
    """
    lines = _lines(path)
    head = _numbers(path, lines, most=1)
    if len(lines) != 1 + head[0]:
        raise wrong(str(path), expected=f"{head[0]:,} people after the first line", got=f"{len(lines) - 1:,}")
    people = {}
    for number, line in enumerate(lines[1:], start=2):
        match line.split():
            case [name, count] if count.isdecimal():
                people[name] = int(count)
            case _:
                raise wrong(f"{path}, line {number}", expected="a name and how many images", got=repr(line))
    return people


def read_pair_list(path: Path, rows: Rows, *, name: str = "") -> FacePairs:
    r"""Read pairs in the form of View 1 or of View 2.

    After the first line come, for every part, as many matched pairs "name n1 n2" as it says, then as many
    mismatched pairs "name1 n1 name2 n2".

    Args:
        path: the list. Its first line is how many pairs of each kind there are (View 1), or how many parts and
            how many pairs of each kind in each (View 2: "10 300"). View 1 has no parts: ten are made, in the
            list's order, which is by name.
        rows: the row of every image that is there.
        name: for people.

    Raises:
        InputError: if a line is another, there are too few, or pairs name images that are not there.
        ShoalError: if it cannot be read.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "pairs.txt"
        ...     _ = path.write_text("1\t1\nAnn\t1\t2\nAnn\t2\tBob\t1\n")
        ...     pairs = read_pair_list(path, {("Ann", 1): 0, ("Ann", 2): 1, ("Bob", 1): 2})
        >>> pairs.a.tolist(), pairs.b.tolist(), pairs.same.tolist()
        ([0, 1], [1, 2], [True, False])
    """
    lines = _lines(path)
    head = _numbers(path, lines, most=2)
    folds, count = head if len(head) == 2 else (1, head[0])
    if len(lines) != 1 + 2 * folds * count:
        expected = f"{2 * folds * count:,} pairs after the first line"
        raise wrong(str(path), expected=expected, got=f"{len(lines) - 1:,}")
    kind = torch.arange(2 * folds * count) // count % 2 == 0  # count matched, count mismatched, and so on
    kinds = enumerate(zip(lines[1:], kind.tolist(), strict=True), start=2)
    ends = [_ends(line, same, path, number) for number, (line, same) in kinds]
    _check_there(ends, rows, path)
    a, b = torch.tensor([[rows[one], rows[other]] for one, other in ends]).T.contiguous()  # (p) each
    fold = torch.arange(len(ends)) // (2 * count) if len(head) == 2 else folds_in_order(kind)
    return FacePairs(a=a, b=b, same=kind, fold=fold, name=name or path.stem)


def lfw_rows(faces: FaceSet) -> dict[tuple[str, int], int]:
    """The row of every image of LFW, by person and number, from names such as "Ann_Lee/Ann_Lee_0001.jpg".

    Args:
        faces: from `read_lfw`, or rows of it.

    Example:
        >>> one = FaceSet(name="lfw", images=torch.zeros(1, 3, 4, 4, dtype=torch.uint8),
        ...               labels=torch.tensor([0]), people=("Ann_Lee",), names=("Ann_Lee/Ann_Lee_0007.jpg",),
        ...               source="made up")
        >>> lfw_rows(one)
        {('Ann_Lee', 7): 0}
    """
    rows = {}
    for row, name in enumerate(faces.names):
        person, _, number = PurePosixPath(name).stem.rpartition("_")
        if number.isdecimal():
            rows[person, int(number)] = row
    return rows


def lfw_pairs(faces: FaceSet, name: str) -> FacePairs:
    """Pairs of one of LFW's own lists, as rows of a set.

    Args:
        faces: LFW, or the part of it that the list is about.
        name: "pairsDevTrain.txt", "pairsDevTest.txt" or "pairs.txt".

    Raises:
        InputError: if the list is not there, or names images that are not.
        ShoalError: if it cannot be read.
    """
    path = find_list(Path(faces.folder), name) if faces.folder else None
    if path is None:
        expected = f"{name} beside the people's folders, or above them"
        raise wrong(
            "LFW's pairs", expected=expected, got=f"none in {faces.folder or 'no folder'}", fix=f"get {LFW.get}"
        )
    return read_pair_list(path, lfw_rows(faces), name=PAIR_LISTS.get(name, ""))


def _lists_of(folder: Path) -> list[Path]:
    found = (find_list(folder, name) for name in (*PEOPLE_LISTS, *PAIR_LISTS))
    return [path for path in found if path]


def _is_person(lists: list[Path], folder: Path) -> bool:
    """Whether somebody whom a list names has a folder there: lists may lie above a folder of something else."""
    try:
        return any((folder / line.split()[0]).is_dir() for line in _lines(lists[0])[1:9])
    except (ShoalError, IndexError):
        return False


def _shorter_side(paths: tuple[Path, ...], how: Reading) -> int:
    """Of the first photo that can be opened; all have one size."""
    for path in paths:
        try:
            return min(image_size(path, max_pixels=how.max_pixels))
        except InputError:
            continue
    return CENTRE


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ShoalError(f"cannot read {path}: {error}") from error


def _numbers(path: Path, lines: list[str], *, most: int) -> list[int]:
    head = lines[0].split() if lines else []
    if not 1 <= len(head) <= most or not all(word.isdecimal() and int(word) for word in head):
        expected = "how many there are" if most == 1 else 'how many pairs of each kind, or "10 300"'
        raise wrong(f"{path}, line 1", expected=expected, got=repr(lines[0]) if lines else "an empty file")
    return [int(word) for word in head]


def _ends(line: str, same: bool, path: Path, number: int) -> tuple[tuple[str, int], tuple[str, int]]:
    match line.split():
        case [name, first, second] if same and first.isdecimal() and second.isdecimal():
            return (name, int(first)), (name, int(second))
        case [name, first, other, second] if not same and first.isdecimal() and second.isdecimal():
            return (name, int(first)), (other, int(second))
    expected = "a matched pair: name n1 n2" if same else "a mismatched pair: name1 n1 name2 n2"
    raise wrong(f"{path}, line {number}", expected=expected, got=repr(line))


def _check_there(ends: list[tuple[tuple[str, int], tuple[str, int]]], rows: Rows, path: Path) -> None:
    missing = [(i, end) for i, pair in enumerate(ends) for end in pair if end not in rows]
    if missing:
        first, (name, number) = missing[0]
        pairs = len({i for i, _ in missing})
        got = f"image {number} of {name}, which is not"
        fix = f"{pairs:,} of {len(ends):,} pairs name missing images"
        raise wrong(f"{path}, line {first + 2}", expected="images that are there", got=got, fix=fix)
