"""Checks of what users pass for texts: one string per row, or one and several of references."""

from collections.abc import Sequence

from shoal.errors import wrong

References = Sequence[str] | Sequence[Sequence[str]]  # one per row, or several


def check_texts(name: str, texts: Sequence[str]) -> list[str]:
    """The texts as a list.

    Args:
        name: of the argument.
        texts: one string per row.

    Raises:
        InputError: if they are one string, something else than strings, or none.
    """
    if not _is_list(texts):
        got = type(texts).__name__
        raise wrong(name, expected="a list of strings, one per row", got=got, fix="[text, ...]")
    found = list(texts)
    for at, text in enumerate(found):
        if not isinstance(text, str):
            raise wrong(f"{name}[{at}]", expected="a string", got=type(text).__name__)
    if not found:
        raise wrong(name, expected="at least one row", got=0)
    return found


def check_references(references: References, rows: int, *, beside: str) -> list[list[str]]:
    """A list of references for every row.

    Args:
        references: a string per row, or a list of strings per row.
        rows: how many there must be.
        beside: the argument that has as many.

    Raises:
        InputError: if there are too few or too many rows, or one has no reference, an empty one, or no string.
    """
    if not _is_list(references):
        got = type(references).__name__
        raise wrong("references", expected="a list of strings, or of lists of strings, one per row", got=got)
    found = [_check_row(f"references[{at}]", row) for at, row in enumerate(references)]
    check_rows("references", len(found), rows, beside=beside)
    return found


def check_rows(name: str, found: int, rows: int, *, beside: str) -> None:
    """Refuse another number of rows than the argument beside has."""
    if found != rows:
        raise wrong(name, expected=f"{rows} rows, as {beside}", got=found)


def _check_row(name: str, row: str | Sequence[str]) -> list[str]:
    texts = [row] if isinstance(row, str) or not _is_list(row) else list(row)
    strings = [text for text in texts if isinstance(text, str)]
    if len(strings) < len(texts):
        got = next(type(text).__name__ for text in texts if not isinstance(text, str))
        raise wrong(name, expected="a string, or a list of strings", got=got)
    if not strings or not all(text.strip() for text in strings):
        got = "an empty one" if strings else "none"
        raise wrong(name, expected="a text", got=got, fix="leave the row out everywhere")
    return strings


def _is_list(value: object) -> bool:
    return hasattr(value, "__iter__") and not isinstance(value, str | bytes)
