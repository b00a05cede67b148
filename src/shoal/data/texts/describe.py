"""The named sets of texts, for people: what each is, whether it is here and right, how to get it, its terms."""

from pathlib import Path

from shoal.data.describe import DataRow
from shoal.data.texts.docstrings import read_docstrings
from shoal.data.texts.files import read_pairs
from shoal.data.texts.folders import existing_path, text_files
from shoal.data.texts.git_log import read_git_log
from shoal.data.texts.specs import DOCSTRINGS, GIT_LOG, TEXT_SPECS, TextSpec, match_text_spec
from shoal.data.texts.stored import find_stored, locate_stored, recognise_stored, verify_stored
from shoal.data.verify import FileCheck, attempt
from shoal.errors import InputError


def describe_texts(*, root: str | Path | None = None) -> list[DataRow]:
    """A row for each named set of texts: what it is, whether it is here, how to get it.

    Args:
        root: see `load_texts`.

    Example:
        >>> [row.name for row in describe_texts()]
        ['debian-descriptions', 'aeslc', 'docstrings', 'git-log']
    """
    return [_row(spec, root) for spec in TEXT_SPECS.values()]


def verify_texts(name_or_path: str | Path, *, root: str | Path | None = None) -> list[FileCheck]:
    """Check each file of a set of texts.

    Debian's and AESLC's files are compared with the SHA-256 of what is published, or of what `fetch_texts` made; of
    a folder or file of one's own, every row must be fit to be used.

    Args:
        name_or_path: a name that `load_texts` knows, or a path.
        root: where to look for names, see `load_texts`.

    Returns:
        A row for each file, wrong ones included.

    Raises:
        InputError: if there is no such set, or it is not found.

    Example:
        >>> verify_texts("aslc")
        Traceback (most recent call last):
        ...
        shoal.errors.InputError: unknown text set 'aslc'; did you mean 'aeslc'? known: ...
    """
    if spec := match_text_spec(name_or_path) if isinstance(name_or_path, str) else None:
        if spec is DOCSTRINGS:
            return [attempt("docstrings", "docstrings of installed packages", read_docstrings)]
        if spec is GIT_LOG:
            folder = root if root is not None else "."
            return [attempt(f"git log of {folder}", "commits with a body", lambda: read_git_log(folder))]
        return list(verify_stored(spec, locate_stored(spec, root=root)[0]))
    path = existing_path(name_or_path)
    if spec := recognise_stored(path):
        return list(verify_stored(spec, path))
    files = text_files(path).values() if path.is_dir() else [path]
    return [attempt(file, "pairs in every row", lambda file=file: read_pairs(file, strict=True)) for file in files]


def _row(spec: TextSpec, root: str | Path | None) -> DataRow:
    where = {DOCSTRINGS.name: "the installed packages", GIT_LOG.name: "any git repository"}.get(spec.name, "")
    if spec.files:
        try:
            found = find_stored(spec, root=root)
            where = str(found[0]) if found else ""
        except InputError:
            where = ""
    return DataRow(
        name=spec.name,
        found=bool(where),
        where=where,
        content=spec.content,
        fetch=spec.get or "nothing to fetch",
        terms=spec.terms,
        source=spec.source,
    )
