"""The user's own texts: a folder of train, validation and test files, or one file, which is split here.

mine/
    train.jsonl    validation.jsonl    test.jsonl      (or .csv, also with .gz; dev or valid will do)
"""

from pathlib import Path

from shoal.data.texts.files import read_pairs
from shoal.data.texts.pairs import TextPairs, TextSplits
from shoal.data.texts.rows import SUFFIXES, kind_of
from shoal.data.texts.specs import TEXT_SPECS
from shoal.data.texts.splits import split_pairs
from shoal.errors import unknown_name, wrong

_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test",),
}


def text_files(folder: Path) -> dict[str, Path]:
    """The files of a folder that hold pairs, by part ("train", "validation", "test"); only those that are there.

    Args:
        folder: to look in.

    Raises:
        InputError: if there are two files for one part.
    """
    found = {}
    for part, names in _NAMES.items():
        paths = [folder / (name + suffix) for name in names for suffix in SUFFIXES]
        here = [path for path in paths if path.is_file()]
        if len(here) > 1:
            raise wrong(f"data {folder}", expected=f"one file of {part} rows", got=" and ".join(p.name for p in here))
        if here:
            found[part] = here[0]
    return found


def existing_path(name_or_path: str | Path) -> Path:
    """What is there under a path.

    Args:
        name_or_path: a path, or a misspelled name.

    Raises:
        InputError: if nothing is there.
    """
    path = Path(name_or_path).expanduser()
    if path.exists():
        return path
    if isinstance(name_or_path, str) and len(path.parts) == 1 and not kind_of(path):
        raise unknown_name("text set", name_or_path, TEXT_SPECS)
    raise wrong(f"data {path}", expected=f"a file, a folder, or one of {', '.join(TEXT_SPECS)}", got="none there")


def holds_texts(path: Path) -> bool:
    """Whether a path looks like texts: a JSONL or CSV file, or a folder with one of training rows.

    Args:
        path: need not exist.
    """
    return "train" in text_files(path) if path.is_dir() else bool(kind_of(path))


def read_own(
    path: Path,
    *,
    validation: int | float | None = None,
    test: int | float | None = None,
    seed: int = 0,
    document: str = "document",
    summary: str = "summary",
) -> TextSplits:
    """Read a folder or a file of pairs. Parts that have no file are split off the training rows.

    A folder with validation rows and no test rows has none: `TextSplits.test` is empty then.

    Args:
        path: the folder or the file.
        validation: rows or share to split off where there is no file of them, see `split_pairs`.
        test: the same for test rows, where there are neither validation nor test rows.
        seed: of the split.
        document: the field of the document.
        summary: the field of the summary.

    Raises:
        InputError: if there is nothing to train on, or a file cannot be used.
    """
    files = text_files(path) if path.is_dir() else {"train": path}
    if "train" not in files:
        held = ", ".join(sorted(item.name for item in path.iterdir())[:5]) or "nothing"
        raise wrong(f"data {path}", expected="a folder with train.jsonl or train.csv", got=f"a folder of {held}")
    parts = {part: read_pairs(file, document=document, summary=summary) for part, file in files.items()}
    train, nothing = parts["train"], parts["train"].take(())
    if "validation" not in parts:
        size = 0 if "test" in parts else test
        train, held_out, tested = split_pairs(train, validation=validation, test=size, seed=seed)
        parts = {"validation": held_out, "test": tested, **parts, "train": train}
    return TextSplits(
        name=train.name if path.is_file() else path.resolve().name,
        source=f"your texts in {path}{_skipped(parts)}",
        train=train,
        validation=parts["validation"],
        test=parts.get("test", nothing),
        data=str(path),
    )


def _skipped(parts: dict[str, TextPairs]) -> str:
    """What was left out of the files, in a phrase."""
    skipped = {pairs.source: pairs.skipped for pairs in parts.values() if pairs.skipped}
    rows = sum(map(len, skipped.values()))
    if not rows:
        return ""
    source, ((line, why), *_) = next(iter(skipped.items()))
    return f" ({rows:,} rows left out; the first: line {line} of {Path(source).name}: {why})"
