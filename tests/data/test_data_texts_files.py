"""The user's own files: what is read, what is left out with its reason, and what is refused in one line."""

import csv
import gzip
import io
import json
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.data.texts import load_texts, read_documents, read_pairs
from shoal.errors import InputError, ShoalError

GOOD = {"document": "A long text.", "summary": "a text"}


def write_jsonl(path: Path, rows: list[object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, bytes) else json.dumps(row, ensure_ascii=False).encode() for row in rows]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def rows_of(n: int, start: int = 0) -> list[object]:
    return [{"document": f"text of row {i}", "summary": f"row {i}"} for i in range(start, start + n)]


class TestPairs:
    @given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1)), min_size=1, max_size=8))
    def test_what_was_written_is_read(self, tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]):
        rows = [(d.strip(), s.strip()) for d, s in rows if d.strip() and s.strip()] or [("a", "b")]
        folder = tmp_path_factory.mktemp("texts")
        one = write_jsonl(folder / "a.jsonl", [{"document": d, "summary": s} for d, s in rows])
        table = io.StringIO(newline="")
        csv.writer(table).writerows([("summary", "document"), *((s, d) for d, s in rows)])
        (folder / "a.csv.gz").write_bytes(gzip.compress(table.getvalue().encode()))
        for pairs in (read_pairs(one), read_pairs(folder / "a.csv.gz")):
            assert list(zip(pairs.documents, pairs.summaries, strict=True)) == rows
            assert (pairs.name, pairs.skipped) == ("a", ())

    def test_rows_that_cannot_be_used_are_listed_with_their_lines(self, tmp_path: Path):
        path = write_jsonl(
            tmp_path / "a.jsonl",
            [
                b'\xef\xbb\xbf{"document": "With a mark.", "summary": "mark"}',
                b"",
                {"document": " ", "summary": "empty"},
                {"document": "No summary."},
                {"document": "A number.", "summary": 3},
                {"document": None, "summary": "null"},
                b'{"document": "cut off',
                b'{"document": "\xff", "summary": "latin"}',
                ["a", "list"],
                b'{"document": "half \\ud800", "summary": "a surrogate"}',
                b"[" * 100_000,
                GOOD,
            ],
        )
        pairs = read_pairs(path)
        assert pairs.documents == ("With a mark.", "A long text.")
        reasons = dict(pairs.skipped)
        assert list(reasons) == [3, 4, 5, 6, 7, 8, 9, 10, 11]
        assert [reasons[n] for n in (3, 4, 5, 6, 9)] == [
            "empty 'document'",
            "no field 'summary'",
            "'summary' is no text",
            "'document' is no text",
            "not a JSON object but a list",
        ]
        assert reasons[7].startswith("broken JSON (Unterminated string")
        assert reasons[8] == "not UTF-8 (byte 15 of the line)"
        assert reasons[10] == "'document' holds half of a Unicode character"

    def test_strict_stops_at_the_first_one(self, tmp_path: Path):
        path = write_jsonl(tmp_path / "a.jsonl", [GOOD, {"document": "No summary."}, GOOD])
        with pytest.raises(InputError, match=r"a.jsonl, line 2: expected texts 'document' and 'summary', got no field"):
            read_pairs(path, strict=True)

    def test_csv_rows_that_cannot_be_used(self, tmp_path: Path):
        path = tmp_path / "a.csv"
        path.write_bytes(
            b"\xef\xbb\xbfdocument,summary\r\n"
            b'"two\nlines, and ""quotes""",fine\r\n'
            b"a comma, unquoted,summary\r\n"
            b"\xff\xfe,latin\r\n"
            b"alone\r\n"
            b"\r\n"
            b'bad "quote" inside,is fine\r\n'
            b'"never closed,summary\r\nand,so on\r\n'
        )
        pairs = read_pairs(path)
        assert pairs.documents == ('two\nlines, and "quotes"', 'bad "quote" inside')
        assert [line for line, _ in pairs.skipped] == [4, 5, 6, 9]
        reasons = [why for _, why in pairs.skipped]
        assert reasons[0] == "3 fields where the first line names 2; quote those that hold the separator"
        assert reasons[1:3] == ["not UTF-8", "no field 'summary'"]
        assert reasons[3].startswith("broken CSV (unexpected end of data")

    def test_long_documents_fit_into_csv(self, tmp_path: Path):
        long = "word " * 100_000
        (tmp_path / "a.csv").write_text(f"document,summary\n{long},long\n")
        before = csv.field_size_limit()
        assert read_pairs(tmp_path / "a.csv").documents == (long.strip(),)
        assert csv.field_size_limit() == before

    def test_tabs(self, tmp_path: Path):
        (tmp_path / "a.tsv").write_text("document\tsummary\none, two\tthree\n")
        assert read_pairs(tmp_path / "a.tsv").documents == ("one, two",)

    @pytest.mark.parametrize(
        ("row", "message"),
        [
            (
                {"text": "x", "title": "y"},
                "expected a field 'document' and a field 'summary', got 'text', 'title'; "
                "pass --document text --summary title$",
            ),
            (
                {"document": "x", "sumary": "y"},
                "expected a field 'summary', got 'document', 'sumary'; pass --summary sumary$",
            ),
            ({"document": "x", "q": "y"}, "got 'document', 'q'; pass --summary NAME$"),
            ({"document": "", "summary": "y"}, r"got none in 1 \(line 1: empty 'document'\)$"),
        ],
    )
    def test_a_file_without_a_usable_row_names_its_fields(self, tmp_path: Path, row: object, message: str):
        with pytest.raises(InputError, match=message):
            read_pairs(write_jsonl(tmp_path / "a.jsonl", [row]))

    def test_other_fields_further_references_and_groups(self, tmp_path: Path):
        row = {"body": "x y", "subject": "x", "others": ["y", 3, "", "z"], "thread": 7}
        path = write_jsonl(tmp_path / "a.jsonl", [row, {"body": "v w", "subject": "v"}])
        pairs = read_pairs(path, document="body", summary="subject", references="others", group="thread")
        assert (pairs.references, pairs.groups) == ((("x", "y", "z"), ("v",)), ("7", ""))

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("none.jsonl", None, "expected a file, got no such file"),
            ("a.txt", b"x", "expected a file that ends in .jsonl or .csv .*got .txt"),
            ("a.json", b"[]", r"got .json; jq -c '.\[\]' .*a.json > a.jsonl"),
            ("a.jsonl", b"\n\n", "expected rows of document and summary, got an empty file"),
            ("a.csv", b"", "expected rows of document and summary, got an empty file"),
            ("a.jsonl.gz", b"no gzip", "a.jsonl.gz: cannot be unpacked .*copy it again"),
        ],
    )
    def test_files_that_cannot_be_read(self, tmp_path: Path, name: str, content: bytes | None, message: str):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(ShoalError, match=message) as caught:
            read_pairs(tmp_path / name)
        assert "\n" not in str(caught.value)

    def test_a_compressed_file_that_is_cut_off_is_not_half_read(self, tmp_path: Path):
        letters = random.Random(0).choices("abcdefghij ", k=200_000)
        content = gzip.compress(json.dumps({**GOOD, "document": "".join(letters)}).encode())
        for cut in (len(content) // 2, len(content) - 4):
            (tmp_path / "a.jsonl.gz").write_bytes(content[:cut])
            with pytest.raises(ShoalError, match="cannot be unpacked"):
                read_pairs(tmp_path / "a.jsonl.gz")

    def test_many_rows(self, tmp_path: Path):
        assert len(read_pairs(write_jsonl(tmp_path / "a.jsonl", rows_of(30_000)))) == 30_000


class TestDocuments:
    def test_rows_or_one_plain_text(self, tmp_path: Path):
        path = write_jsonl(tmp_path / "a.jsonl", [{"text": "One."}, {"text": "Two.", "summary": ""}])
        assert read_documents(path, document="text") == ("One.", "Two.")
        with path.open("rb") as file:
            assert read_documents(file, document="text") == ("One.", "Two.")
        (tmp_path / "a.txt").write_text("\ufeff{Not JSON}\n\nat all.\n")
        assert read_documents(tmp_path / "a.txt") == ("{Not JSON}\n\nat all.",)
        assert read_documents(io.BytesIO("grün\n".encode())) == ("grün",)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "the input: expected a text, got an empty one"),
            (b"a\0b", "expected a text, got bytes that are no text"),
            (b"gr\xfcn", "expected text in UTF-8, got a byte 0xfc at 2"),
            (b'{"text": "x"}', "line 1: expected a text 'document', got no field 'document'; pass --document text"),
            (b'{"document": "x"}\n{"document": ""}', "line 2: expected a text 'document', got empty 'document'$"),
        ],
    )
    def test_what_is_no_document_is_refused(self, content: bytes, message: str):
        with pytest.raises(InputError, match=message):
            read_documents(io.BytesIO(content))


class TestFolders:
    def test_three_files(self, tmp_path: Path):
        write_jsonl(tmp_path / "mine" / "train.jsonl", [*rows_of(5), {"document": "x"}])
        (tmp_path / "mine" / "dev.csv").write_text("document,summary\na b,a\n")
        write_jsonl(tmp_path / "mine" / "test.jsonl", rows_of(2, 10))
        splits = load_texts(tmp_path / "mine")
        assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [5, 1, 2]
        assert splits.name == "mine"
        assert "(1 rows left out; the first: line 6 of train.jsonl: no field 'summary')" in splits.source

    def test_what_has_no_file_is_split_off(self, tmp_path: Path):
        write_jsonl(tmp_path / "train.jsonl", rows_of(100))
        splits = load_texts(tmp_path, validation=7, test=3)
        assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [90, 7, 3]
        assert load_texts(tmp_path / "train.jsonl", validation=7, test=3).test.summaries == splits.test.summaries
        write_jsonl(tmp_path / "test.jsonl", rows_of(4, 200))
        splits = load_texts(tmp_path, validation=7, test=3)
        assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [93, 7, 4]
        write_jsonl(tmp_path / "val.jsonl", rows_of(6, 300))
        (tmp_path / "test.jsonl").unlink()
        splits = load_texts(tmp_path)
        assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [100, 6, 0]

    def test_what_cannot_be_used_is_refused(self, tmp_path: Path):
        with pytest.raises(
            InputError, match=r"expected a folder with train.jsonl or train.csv, got a folder of nothing"
        ):
            load_texts(tmp_path)
        write_jsonl(tmp_path / "train.jsonl", rows_of(9))
        (tmp_path / "train.csv").write_text("")
        with pytest.raises(InputError, match=r"expected one file of train rows, got train.jsonl and train.csv"):
            load_texts(tmp_path)
        with pytest.raises(InputError, match=r"expected a file, a folder, or one of .*, got none there"):
            load_texts(tmp_path / "none")
