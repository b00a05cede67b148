"""Rows of JSONL and CSV files, one at a time, each with its line number; broken ones come as a reason.

for line, row in read_rows(Path("pairs.jsonl.gz")):
    ...    # row is a dict of the line's fields, or a str that says why there is none
"""

import csv
import gzip
import json
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from shoal.errors import ShoalError, wrong

JSONL = (".jsonl", ".ndjson")
CSV = (".csv", ".tsv")
SUFFIXES = tuple(suffix + packed for suffix in (*JSONL, *CSV) for packed in ("", ".gz"))

Row = dict[str, object] | str


def kind_of(path: Path) -> str:
    """The suffix that tells how a file is read (".jsonl", ".csv", ".tsv"), or "" for none of these."""
    name = path.name.lower().removesuffix(".gz")
    suffix = next((suffix for suffix in (*JSONL, *CSV) if name.endswith(suffix)), "")
    return JSONL[0] if suffix in JSONL else suffix


def read_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Each row of a file.

    Args:
        path: JSONL, CSV or TSV by its extension, gzipped or not, in UTF-8.

    Yields:
        (line number from 1, the fields or why they cannot be had); empty lines are passed over.

    Raises:
        InputError: if there is no such file, or its extension says nothing.
        ShoalError: if it cannot be read, or is cut off in the middle of its compressed bytes.
    """
    kind = kind_of(path)
    if not kind:
        fix = f"jq -c '.[]' {path} > {path.stem}.jsonl" if path.suffix == ".json" else ""
        expected = "a file that ends in .jsonl or .csv (or .jsonl.gz, .csv.gz)"
        raise wrong(f"data {path}", expected=expected, got=path.suffix or "no extension", fix=fix)
    with open_bytes(path) as file:
        yield from json_rows(file) if kind == JSONL[0] else _csv_rows(file, "\t" if kind == ".tsv" else ",")


@contextmanager
def open_bytes(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, unpacked; what goes wrong, also later, is told in one line.

    Raises:
        InputError: if there is no such file.
        ShoalError: if it cannot be read or unpacked.
    """
    if not path.is_file():
        raise wrong(f"data {path}", expected="a file", got="a folder" if path.is_dir() else "no such file")
    packed = path.name.lower().endswith(".gz")
    try:
        with cast(BinaryIO, gzip.open(path, "rb") if packed else path.open("rb")) as file:
            yield file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ShoalError(f"{path}: cannot be unpacked ({error}); it may be cut off, copy it again") from error
    except OSError as error:
        raise ShoalError(f"{path}: cannot be read: {error.strerror or error}") from error


def json_rows(file: Iterable[bytes]) -> Iterator[tuple[int, Row]]:
    """Each line of JSONL, as `read_rows`."""
    for number, line in enumerate(file, 1):
        line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if line.strip():
            yield number, _json_row(line)


def _json_row(line: bytes) -> Row:
    try:
        row = json.loads(line.rstrip(b"\r\n").decode())
    except UnicodeDecodeError as error:
        return f"not UTF-8 (byte {error.start + 1} of the line)"
    except (ValueError, RecursionError) as error:
        return f"broken JSON ({str(error) or 'too deep'})"
    return row if isinstance(row, dict) else f"not a JSON object but {_title(row)}"


def _title(value: object) -> str:
    names = {list: "a list", str: "a string", int: "a number", float: "a number", bool: "a truth value"}
    return names.get(type(value), "null")


def _csv_rows(file: Iterable[bytes], delimiter: str) -> Iterator[tuple[int, Row]]:
    """Bytes that are not UTF-8 pass through csv as lone surrogates, and are told of per row.

    Strict quoting, since otherwise a quote that is never closed swallows the rest of the file without a word.
    """
    lines = (line.decode("utf-8-sig" if i == 0 else "utf-8", "surrogateescape") for i, line in enumerate(file))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    header: list[str] | None = None
    with _fields_of_any_length():
        while True:
            start = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield start, f"broken CSV ({error})"
                continue
            if header is None:
                header = [cell.strip() for cell in cells]
            elif cells:
                yield start, _csv_row(header, cells)


def _csv_row(header: list[str], cells: list[str]) -> Row:
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return "not UTF-8"
    if len(cells) > len(header):
        return f"{len(cells)} fields where the first line names {len(header)}; quote those that hold the separator"
    return dict(zip(header, cells, strict=False))


@contextmanager
def _fields_of_any_length() -> Iterator[None]:
    """The csv module takes a document of more than 131,072 characters for a mistake."""
    before = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        yield
    finally:
        csv.field_size_limit(before)
