"""Read pairs of document and summary, or documents alone, from the user's own files.

pairs = read_pairs("pairs.jsonl")                                       # {"document": ..., "summary": ...} a line
pairs = read_pairs("mails.csv.gz", document="body", summary="subject")
pairs.skipped                                                           # ((17, "empty summary"), ...)
documents = read_documents("article.txt")
"""

import difflib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

from shoal.data.texts.pairs import TextPairs
from shoal.data.texts.rows import Row, json_rows, kind_of, open_bytes, read_rows
from shoal.errors import ShoalError, wrong

_OTHER_NAMES = {
    "document": ("text", "body", "article", "content", "source", "input", "dialogue", "description"),
    "summary": ("subject", "title", "headline", "highlights", "abstract", "synopsis", "target", "output", "tldr"),
}
_MOST_NAMES = 12


@runtime_checkable
class Readable(Protocol):
    """An open stream of text or bytes, such as sys.stdin."""

    def read(self) -> str | bytes:
        """All that it holds."""
        ...


def read_pairs(
    path: str | Path,
    *,
    document: str = "document",
    summary: str = "summary",
    references: str = "references",
    group: str = "",
    strict: bool = False,
) -> TextPairs:
    r"""Read documents and their summaries from a JSONL or CSV file.

    A row with a field that is missing, empty or no text, and a line that is broken or not UTF-8, is left out, and
    told of in `skipped`. Empty lines do not count.

    Args:
        path: .jsonl or .csv (or .tsv, .ndjson; also with .gz), in UTF-8; CSV names its fields in the first line.
        document: the field of the document.
        summary: the field of the summary.
        references: the field of a list of further summaries that count as right; a row need not have it.
        group: the field of what a row belongs to (see `TextPairs.groups`); "" for none. A row need not have it.
        strict: stop at the first row that would be left out.

    Returns:
        The pairs, named like the file.

    Raises:
        InputError: if there is no such file, or no row can be used, or with `strict` a row cannot; the message
            names the fields that the file has.
        ShoalError: if the file cannot be read.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "mails.csv"
        ...     _ = path.write_text("body,subject\nAre we still on for lunch?,lunch\nNothing to say,\n")
        ...     pairs = read_pairs(path, document="body", summary="subject")
        >>> pairs.summaries, pairs.skipped
        (('lunch',), ((3, "empty 'subject'"),))
    """
    path = Path(path).expanduser()
    documents: list[str] = []
    summaries: list[str] = []
    further: list[tuple[str, ...]] = []
    groups: list[str] = []
    skipped: list[tuple[int, str]] = []
    names: dict[str, None] = {}
    for line, row in read_rows(path):
        names.update(dict.fromkeys(row) if isinstance(row, dict) and len(names) < _MOST_NAMES else ())
        why = _unfit(row, (document, summary))
        if why or isinstance(row, str):
            if strict:
                raise wrong(f"{path}, line {line}", expected=f"texts '{document}' and '{summary}'", got=why)
            skipped.append((line, why))
            continue
        documents.append(str(row[document]).strip())
        summaries.append(str(row[summary]).strip())
        further.append(_texts(row.get(references)))
        groups.append(str(row.get(group) or ""))
    if not documents:
        raise _unusable(path, {"document": document, "summary": summary}, list(names), skipped)
    return TextPairs(
        documents=tuple(documents),
        summaries=tuple(summaries),
        name=path.name.removesuffix(".gz").rsplit(".", 1)[0],
        source=str(path),
        references=tuple((own, *other) for own, other in zip(summaries, further, strict=True)),
        groups=tuple(groups) if any(groups) else (),
        skipped=tuple(skipped),
    )


def read_documents(path_or_stream: str | Path | Readable, *, document: str = "document") -> tuple[str, ...]:
    r"""Read documents alone: each row of a JSONL or CSV file, or a plain text file as one.

    Every row must be fit, so that what is made of them can be put beside them.

    Args:
        path_or_stream: a path, or an open stream such as sys.stdin; a stream is JSONL if its first line is a JSON
            object, else one plain text.
        document: the field of the document.

    Returns:
        The documents, at least one, in the order of the file.

    Raises:
        InputError: if there is no such file, or a row has no such text, or the file is empty or no text.
        ShoalError: if the file cannot be read.

    Example:
        >>> import io
        >>> read_documents(io.StringIO('{"document": "One."}\n{"document": "Two."}\n'))
        ('One.', 'Two.')
        >>> read_documents(io.StringIO("A plain\ntext.\n"))
        ('A plain\ntext.',)
    """
    if isinstance(path_or_stream, str | Path):
        path = Path(path_or_stream).expanduser()
        if kind_of(path):
            return _documents(str(path), read_rows(path), document)
        with open_bytes(path) as file:
            return (_plain(str(path), file.read()),)
    content = path_or_stream.read()
    content = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    name = str(getattr(path_or_stream, "name", "") or "the input")
    rows = json_rows(io.BytesIO(content))
    if isinstance(next(rows, (0, ""))[1], dict):
        return _documents(name, json_rows(io.BytesIO(content)), document)
    return (_plain(name, content),)


def _documents(name: str, rows: Iterator[tuple[int, Row]], document: str) -> tuple[str, ...]:
    found = []
    for line, row in rows:
        why = _unfit(row, (document,))
        if why or isinstance(row, str):
            fields = {"document": document} if isinstance(row, dict) and document not in row else {}
            fix = _advice(fields, list(row)) if isinstance(row, dict) else ""
            raise wrong(f"{name}, line {line}", expected=f"a text '{document}'", got=why, fix=fix)
        found.append(str(row[document]).strip())
    if not found:
        raise wrong(name, expected="at least one row", got="none")
    return tuple(found)


def _plain(name: str, content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise wrong(name, expected="text in UTF-8", got=f"a byte {content[error.start]:#x} at {error.start}") from error
    if not text or "\0" in text:
        raise wrong(name, expected="a text", got="an empty one" if not text else "bytes that are no text")
    return text


def _unfit(row: Row, fields: tuple[str, ...]) -> str:
    """Why a row cannot be used, or ""."""
    if isinstance(row, str):
        return row
    for field in fields:
        if field not in row:
            return f"no field '{field}'"
        text = row[field]
        if not isinstance(text, str):
            return f"'{field}' is no text"
        if not text.strip():
            return f"empty '{field}'"
        if not _encodable(text):
            return f"'{field}' holds half of a Unicode character"
    return ""


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _texts(value: object) -> tuple[str, ...]:
    values = value if isinstance(value, list) else ()
    return tuple(text.strip() for text in values if isinstance(text, str) and text.strip() and _encodable(text))


def _unusable(path: Path, fields: dict[str, str], names: list[str], skipped: list[tuple[int, str]]) -> ShoalError:
    """The error for a file without a single row that can be used: wrong field names are the usual cause."""
    missing = {role: field for role, field in fields.items() if field not in names}
    if names and missing:
        expected = " and ".join(f"a field '{field}'" for field in missing.values())
        got = ", ".join(f"'{name}'" for name in names[:_MOST_NAMES])
        return wrong(str(path), expected=expected, got=got, fix=_advice(missing, names))
    if not skipped:
        return wrong(str(path), expected="rows of document and summary", got="an empty file")
    line, why = skipped[0]
    got = f"none in {len(skipped):,} (line {line}: {why})"
    return wrong(str(path), expected="a row with a document and a summary", got=got)


def _advice(missing: dict[str, str], names: list[str]) -> str:
    """Which of the fields that are there are meant, as flags of the command line."""
    flags = []
    for role, field in missing.items():
        by_custom = [name for name in names if name.lower() in (role, *_OTHER_NAMES[role])]
        near = by_custom or difflib.get_close_matches(field, names, n=1)
        flags.append(f"--{role} {near[0] if near else 'NAME'}")
    return f"pass {' '.join(flags)}" if flags else ""
