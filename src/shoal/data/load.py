"""Load a data set by name or path, or the best one at hand.

splits = load("cifar10", validation=5_000, seed=1)
choice = find_best()          # for a demonstration: whatever is there
choice.splits, choice.why, choice.better
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from shoal.data.cifar import read_cifar10
from shoal.data.digits import read_digits
from shoal.data.download import Report
from shoal.data.fetch import cache_folder, fetch
from shoal.data.find import Place, find_in, find_named, locate, recognise, search_folders
from shoal.data.folders import read_folder
from shoal.data.idx import read_idx_folder
from shoal.data.sets import ImageSplits
from shoal.data.specs import CIFAR10, DIGITS, FASHION_MNIST, MNIST, match_spec
from shoal.data.splits import DEFAULT_TEST, DEFAULT_VALIDATION, PublishedSet
from shoal.errors import InputError, ShoalError, wrong


@dataclass(frozen=True, eq=False, kw_only=True)
class Choice:
    """What `find_best` took.

    Attributes:
        splits: the data.
        why: a sentence on why these.
        better: a sentence on how to get better ones; empty if these are as good as it gets.
        data: the name or path that leads to the same data again.
    """

    splits: ImageSplits
    why: str
    better: str
    data: str


def load(
    name_or_path: str | Path | None = None,
    *,
    root: str | Path | None = None,
    size: int | None = None,
    offline: bool = True,
    validation: int | float | None = None,
    test: int | float = DEFAULT_TEST,
    train_rows: int | None = None,
    seed: int = 0,
    progress: Report | None = None,
) -> ImageSplits:
    """Load a data set, divided into training, validation and test rows.

    Sizes of the files are checked, checksums are not: `verify` does that.

    Args:
        name_or_path: "cifar10", "fashion-mnist", "mnist", "digits", or a path: to one of these, to a folder
            that holds one, or to a folder of class folders of images. None takes `find_best`'s choice.
        root: the only folder to look for names in. By default the folder that the environment variable
            SHOAL_DATA names, then the cache, then Debian's shared folder.
        size: pixels a side of the images; None keeps them as they are (for a folder see `read_folder`).
        offline: False fetches a named set that is not found, into `root` if given, else into the cache.
        validation: rows (int) or share (float) of the training data; 0 trains on all rows; None takes the
            published validation rows, or a tenth.
        test: the same for test rows, where none are published.
        train_rows: keep this many training rows, each class in its share.
        seed: of the splits.
        progress: of a fetch, see `fetch`.

    Returns:
        The splits, with normalisation constants of the training rows.

    Raises:
        InputError: if the name is unknown, or the data are not found or not usable.
        ShoalError: if a file is corrupt, or a fetch fails.

    Example:
        >>> print(load("digits", validation=0.1, train_rows=500))
        digits: 500 + 144 + 359 images 8×8×1 in 10 classes
    """
    if name_or_path is None:
        published = _choose(None, root, _Sizes(size, size), offline, progress)[1]
    else:
        spec = match_spec(name_or_path) if isinstance(name_or_path, str) else None
        if spec and not offline and find_named(spec, root=root) is None:
            place = Place(spec.kind, fetch(spec, cache=root, progress=progress), "fetched now", spec)
        else:
            place = locate(name_or_path, root=root)
        published = read_place(place, size=size)
    return published.split(validation=validation, test=test, train_rows=train_rows, seed=seed)


def find_best(
    data: str | Path | None = None,
    *,
    root: str | Path | None = None,
    size: int | None = None,
    offline: bool = False,
    validation: int | float | None = None,
    test: int | float = DEFAULT_TEST,
    train_rows: int | None = None,
    seed: int = 0,
    progress: Report | None = None,
    folder_size: int | None = None,
    default_validation: float = DEFAULT_VALIDATION,
) -> Choice:
    """Load the best data at hand, and say why these and how to get better ones.

    In this order: what `data` names; what SHOAL_DATA names (a data set, a folder of data sets, or a folder of
    class folders); the cache; Debian's package; Fashion-MNIST fetched now; scikit-learn's digits.

    Args:
        data: a name or a path; errors there are errors, nothing else is tried.
        root: used instead of SHOAL_DATA.
        size: see `load`.
        offline: True forbids the fetch.
        validation: see `load`.
        test: see `load`.
        train_rows: see `load`.
        seed: see `load`.
        progress: of the fetch.
        folder_size: as `size`, for folders of images alone.
        default_validation: share of the training data to hold out where `validation` is None and no validation
            rows are published.

    Raises:
        InputError: if `data`, `root` or SHOAL_DATA cannot be used.
        ShoalError: if a file there is corrupt.

    Example:
        >>> find_best("digits").why
        'digits, as asked for'
    """
    place, published, why = _choose(data, root, _Sizes(size, folder_size), offline, progress)
    splits = published.split(
        validation=validation, test=test, train_rows=train_rows, seed=seed, default_validation=default_validation
    )
    named = place.spec.name if place.spec else str(place.path)
    return Choice(splits=splits, why=why, better=_better(splits.name), data=named)


def read_place(place: Place, *, size: int | None = None) -> PublishedSet:
    """Read what was found.

    Args:
        place: from `locate`.
        size: see `load`.
    """
    if place.kind == "images":
        return read_folder(place.path, size=size)
    if place.kind == "cifar":
        return read_cifar10(place.path, source=_source(place)).resized(size)
    if place.kind == "idx":
        return read_idx_folder(place.path, place.spec, source=_source(place)).resized(size)
    return read_digits().resized(size)


def _source(place: Place) -> str:
    if place.spec is None or place.where == str(place.path):
        return ""
    return f"{place.spec.title} from {place.where} ({place.path})"


class _Sizes(NamedTuple):
    """What sides images are brought to; None keeps them."""

    every: int | None
    folder: int | None

    def read(self, place: Place) -> PublishedSet:
        return read_place(place, size=self.every or (self.folder if place.kind == "images" else None))


def _choose(
    data: str | Path | None,
    root: str | Path | None,
    sizes: _Sizes,
    offline: bool,
    progress: Report | None,
) -> tuple[Place, PublishedSet, str]:
    """Where the data are, the data, and why they were chosen."""
    if data is not None:
        place = locate(data, root=root)
        return place, sizes.read(place), f"{data}, as asked for"
    passed_over = ""
    if root is not None or os.environ.get("SHOAL_DATA"):
        try:
            place = _named_by_user(root)
        except InputError as error:
            if root is not None:
                raise
            passed_over = f" ({error})"
        else:
            where = "SHOAL_DATA" if root is None else place.where
            return place, sizes.read(place), f"{_title(place)}, found by {where}"
    for place in _at_hand():
        try:
            return place, sizes.read(place), f"{_title(place)}, found in {place.where}{passed_over}"
        except ShoalError as error:
            passed_over += f" ({error})"
    if not offline:
        try:
            place = Place("idx", fetch(FASHION_MNIST, progress=progress), "the cache", FASHION_MNIST)
            return place, sizes.read(place), f"Fashion-MNIST, fetched now{passed_over}"
        except ShoalError as error:
            passed_over += f" ({error})"
    place = locate(DIGITS.name)
    return place, sizes.read(place), f"scikit-learn's digits, since nothing else is here{passed_over}"


def _named_by_user(root: str | Path | None) -> Place:
    """What `root` or SHOAL_DATA names: a data set, a folder of data sets, or a folder of images."""
    configured = os.environ.get("SHOAL_DATA", "") if root is None else ""
    if (spec := match_spec(configured)) and not Path(configured).exists():
        found = (find_in(spec, cache_folder(), "the cache"), *(p for p in _at_hand() if p.spec is spec))
        place = locate(spec.name) if spec is DIGITS else next(filter(None, found), None)
        if place is None:
            raise wrong(
                "SHOAL_DATA", expected="data that are here", got=configured, fix=f"shoal data fetch {spec.name}"
            )
        return place
    folder, where = search_folders(root)[0]
    return recognise(folder, where)


def _at_hand() -> list[Place]:
    """Sets in the cache, the one that tells most first, then Debian's Fashion-MNIST."""
    cached = (find_in(spec, cache_folder(), "the cache") for spec in (CIFAR10, FASHION_MNIST, MNIST))
    places = [place for place in cached if place]
    debian = FASHION_MNIST.debian_folder
    if debian and debian.is_dir():
        package = f"Debian's package {FASHION_MNIST.debian_package}"
        places.append(Place("idx", debian, package, FASHION_MNIST))
    return places


def _title(place: Place) -> str:
    return place.spec.title if place.spec else f"your images in {place.path}"


def _better(name: str) -> str:
    """How to get data that tell more about a network than these do."""
    to_cifar10 = "colour photographs: `shoal data fetch cifar10` (170 MB), or name a folder of your own with --data"
    if name == DIGITS.name:
        return f"28×28 pixels: `shoal data fetch fashion-mnist` (31 MB); {to_cifar10}"
    return to_cifar10 if name in (FASHION_MNIST.name, MNIST.name) else ""
