"""The list of named data sets, for people: what each is, whether it is here, how to get it, its terms."""

from dataclasses import dataclass
from pathlib import Path

from shoal.data.find import find_named
from shoal.data.idx import idx_candidates
from shoal.data.specs import DIGITS, SPECS, DataSpec
from shoal.errors import InputError


@dataclass(frozen=True, kw_only=True)
class DataRow:
    """A line of `shoal data list`.

    Attributes:
        name: to use with `load`, `fetch` and `verify`.
        found: whether all of its files lie on this machine.
        where: the path, and what is missing there; or "".
        content: rows, image size and classes in a few words.
        fetch: the command that brings it and its size, or that there is nothing to fetch.
        terms: licence or terms.
        source: whom to cite.
    """

    name: str
    found: bool
    where: str
    content: str
    fetch: str
    terms: str
    source: str


def describe_all(*, root: str | Path | None = None) -> list[DataRow]:
    """A row for each named data set: what it is, whether it is here, how to get it.

    Args:
        root: see `load`.

    Example:
        >>> [row.name for row in describe_all()]
        ['cifar10', 'fashion-mnist', 'mnist', 'digits']
    """
    return [_row(spec, root) for spec in SPECS.values()]


def _row(spec: DataSpec, root: str | Path | None) -> DataRow:
    try:
        place = find_named(spec, root=root)
        where = str(place.path) if place else ""
    except InputError as error:  # pickles in its place: say so in the list
        place, where = None, str(error)
    if place and (missing := _missing(spec, place.path)):
        place, where = None, f"{where} lacks {', '.join(missing)}"
    channels, height, width = spec.shape
    count = f"{spec.train:,} + {spec.test:,}" if spec.test else f"{spec.train:,}"
    command = f"shoal data fetch {spec.name} ({spec.download_size / 1e6:.0f} MB)"
    return DataRow(
        name=spec.name,
        found=place is not None,
        where="scikit-learn" if spec is DIGITS else where,
        content=f"{count} images {height}×{width}×{channels}, {len(spec.classes)} classes",
        fetch=command if spec.downloads else "nothing to fetch",
        terms=spec.terms,
        source=spec.source,
    )


def _missing(spec: DataSpec, path: Path) -> list[str]:
    """Names of files that are not there; an archive is taken to hold all of them until it is read."""
    if not path.is_dir() or spec is DIGITS:
        return []
    here = (idx_candidates(path, file.name) if spec.kind == "idx" else [path / file.name] for file in spec.files)
    return [
        file.name
        for file, candidates in zip(spec.files, here, strict=True)
        if not any(candidate.is_file() for candidate in candidates)
    ]
