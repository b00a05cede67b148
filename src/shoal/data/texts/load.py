"""Load texts with summaries by name or path, or the best at hand.

splits = load_texts("debian-descriptions")
splits = load_texts("mine/")                   # train.jsonl, validation.jsonl, test.jsonl
splits = load_texts("git-log", root="~/src/linux")
splits = find_best_texts()                     # for a demonstration: whatever is there
splits.why, splits.better
"""

import os
from dataclasses import replace
from pathlib import Path

from shoal.data.texts.docstrings import read_docstrings
from shoal.data.texts.fetch import fetch_texts
from shoal.data.texts.folders import existing_path, read_own, text_files
from shoal.data.texts.git_log import read_git_log
from shoal.data.texts.pairs import TextPairs, TextSplits
from shoal.data.texts.specs import DEBIAN, DOCSTRINGS, GIT_LOG, TextSpec, match_text_spec
from shoal.data.texts.splits import split_pairs
from shoal.data.texts.stored import find_stored, locate_stored, read_stored, recognise_stored
from shoal.errors import InputError, ShoalError

Size = int | float | None


def load_texts(
    name_or_path: str | Path | None = None,
    *,
    root: str | Path | None = None,
    offline: bool = True,
    validation: Size = None,
    test: Size = None,
    seed: int = 0,
    document: str = "document",
    summary: str = "summary",
) -> TextSplits:
    """Load documents with summaries, divided into training, validation and test rows.

    "debian-descriptions" and "aeslc" come divided. AESLC's published development rows are its validation rows, with
    three more subjects each in `references`; its test rows are not here, so `test` is empty, and results are
    reported on `held_out`, the development rows. Its parts are as published: 8 documents of the development rows
    occur in the training rows, and so do 280 subjects (`deduplicate(train, against=validation)` drops them).

    Args:
        name_or_path: "debian-descriptions", "aeslc", "docstrings", "git-log", or a path: to a JSONL or CSV file, to
            a folder with train, validation and test files, or to a git repository. None takes `find_best_texts`'s
            choice.
        root: the only folder to look for names in. By default the folder that the environment variable SHOAL_DATA
            names, then the cache. For "git-log": the repository, by default that of the current folder.
        offline: False fetches "debian-descriptions" where they are not found, into `root` if given, else into the
            cache.
        validation: rows (int) or share (float), where the set comes without; None takes a tenth, at most 2,000.
        test: the same for test rows.
        seed: of the split.
        document: the field of the document, in files of one's own.
        summary: the field of the summary.

    Returns:
        The splits; nothing that hangs together is in two of them (see `split_pairs`) where they are drawn here.

    Raises:
        InputError: if the name is unknown, or the texts are not found or not usable.
        ShoalError: if a file is broken, or a fetch fails.

    Example:
        >>> load_texts("debian-description")
        Traceback (most recent call last):
        ...
        shoal.errors.InputError: unknown text set 'debian-description'; did you mean 'debian-descriptions'? known: ...

    Source: Zhang & Tetreault 2019 for AESLC (CC BY-NC-SA 4.0: load it, never ship it); Debian for the other.
    """
    if name_or_path is None:
        return find_best_texts(root=root, offline=offline, seed=seed)
    if spec := match_text_spec(name_or_path) if isinstance(name_or_path, str) else None:
        return _named(spec, root, offline, (validation, test, seed))
    path = existing_path(name_or_path)
    if spec := recognise_stored(path):
        return _stored(spec, path, "a folder of your own")
    if (path / ".git").exists() and not text_files(path):
        return _named(GIT_LOG, path, True, (validation, test, seed))
    return read_own(path, validation=validation, test=test, seed=seed, document=document, summary=summary)


def find_best_texts(
    data: str | Path | None = None, *, root: str | Path | None = None, offline: bool = False, seed: int = 0
) -> TextSplits:
    """Load the best texts at hand, and say why these and how to get better ones.

    In this order: what `data` names; the user's own texts, if SHOAL_DATA is a folder with train.jsonl or train.csv;
    Debian's descriptions in SHOAL_DATA or the cache; the same fetched now; docstrings of installed packages.

    Args:
        data: a name or a path; errors there are errors, nothing else is tried.
        root: used instead of SHOAL_DATA.
        offline: True forbids the fetch.
        seed: of the split.

    Returns:
        The splits, with `why` and `better`.

    Raises:
        InputError: if `data` or `root` cannot be used.
        ShoalError: if a file that `data` names is broken.

    Example:
        >>> find_best_texts("no-such.jsonl")
        Traceback (most recent call last):
        ...
        shoal.errors.InputError: data no-such.jsonl: expected a file, a folder, or one of debian-descriptions, ...
    """
    if data is not None:
        return replace(load_texts(data, root=root, offline=offline, seed=seed), why=f"{data}, as asked for")
    passed_over = ""
    mine = Path(root if root is not None else os.environ.get("SHOAL_DATA", "")).expanduser()
    try:
        if (root or mine.parts) and mine.is_dir() and "train" in text_files(mine):
            splits = load_texts(mine, seed=seed)
            return replace(splits, why=f"{splits.name}, found by {root or 'SHOAL_DATA'}")
        if found := find_stored(DEBIAN, root=root):
            return replace(_stored(DEBIAN, *found), why=f"{DEBIAN.title}, found in {found[1]}")
    except ShoalError as error:
        if root is not None and isinstance(error, InputError):
            raise
        passed_over += f" ({error})"
    if not offline:
        try:
            folder = fetch_texts(cache=root)
            return replace(_stored(DEBIAN, folder, "apt"), why=f"{DEBIAN.title}, fetched now{passed_over}")
        except ShoalError as error:
            passed_over += f" ({error})"
    splits = _named(DOCSTRINGS, None, True, (None, None, seed))
    return replace(splits, why=f"docstrings of what is installed, since nothing else is here{passed_over}")


def _named(spec: TextSpec, root: str | Path | None, offline: bool, split: tuple[Size, Size, int]) -> TextSplits:
    if spec is GIT_LOG:
        pairs = read_git_log(root if root is not None else ".")
        return _drawn(spec, pairs, split, spec.name if root is None else str(root))
    if spec is DOCSTRINGS:
        return _drawn(spec, read_docstrings(), split, spec.name)
    if spec is DEBIAN and not offline and find_stored(spec, root=root) is None:
        return _stored(spec, fetch_texts(spec, cache=root), "apt")
    return _stored(spec, *locate_stored(spec, root=root))


def _stored(spec: TextSpec, folder: Path, where: str) -> TextSplits:
    parts = read_stored(spec, folder)
    source = f"{spec.title} from {where} ({folder})"
    named = {part: replace(pairs, name=spec.name) for part, pairs in parts.items()}
    return _splits(spec, source, (named["train"], named["validation"], named["test"]), spec.name)


def _drawn(spec: TextSpec, pairs: TextPairs, split: tuple[Size, Size, int], data: str) -> TextSplits:
    validation, test, seed = split
    parts = split_pairs(pairs, validation=validation, test=test, seed=seed)
    return _splits(spec, pairs.source, parts, data)


def _splits(spec: TextSpec, source: str, parts: tuple[TextPairs, TextPairs, TextPairs], data: str) -> TextSplits:
    train, validation, test = parts
    return TextSplits(
        name=spec.name,
        source=source,
        train=train,
        validation=validation,
        test=test,
        terms=spec.terms,
        better=spec.better,
        data=data,
    )
