"""Numbers on README and docs are those of the records: every table and every figure in a sentence is made again."""

import importlib
import json
import re
from pathlib import Path
from types import ModuleType

import pytest
from benchmarks import page_numbers

from tests.docs.pages import PAGES, ROOT

RECORDS = ROOT / "benchmarks" / "records"
TABLES = {  # page: what fills it, and what that is told
    "attention": (RECORDS,),
    "circuits": (RECORDS / "circuits.json",),
    "difficulty": (),
    "exits": (),
    "faces": (),
    "gallery": (),
    "summarize": (),
}


@pytest.mark.parametrize("system", TABLES)
def test_the_tables_of_a_page_are_those_of_the_records(
    system: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module: ModuleType = importlib.import_module(f"benchmarks.{system}_tables")
    page = ROOT / "docs" / f"{system}.md"
    before = page.read_text()
    copy = tmp_path / page.name
    copy.write_text(re.sub(r"(<!-- table: .*? -->\n).*?(<!-- end -->)", r"\1\2", before, flags=re.DOTALL))
    assert page == module.DOCS
    monkeypatch.setattr(module, "DOCS", copy)
    module.write_tables(*TABLES[system])
    assert copy.read_text() == before


def test_every_page_with_tables_is_held_to_them() -> None:
    with_tables = {page for page in PAGES if "<!-- table: " in (ROOT / page).read_text()} - {"docs/records.md"}
    assert with_tables == {f"docs/{system}.md" for system in TABLES}


def test_runs_on_pages_are_their_records() -> None:
    from benchmarks.records import markdown

    from shoal.studies.result import Result

    found = 0
    for page in PAGES:
        text = (ROOT / page).read_text()
        for name, shown in re.findall(r"<!-- record: (\S+) -->\n(.*?)<!-- end -->", text, re.DOTALL):
            assert shown == markdown(Result.load(RECORDS / f"{name}.json")), (page, name)
            found += 1
    assert found


@pytest.mark.parametrize("page", PAGES)
def test_numbers_in_sentences_are_those_of_the_records(page: str) -> None:
    text = (ROOT / page).read_text()
    assert page_numbers.filled(text) == text
    assert text.count("<!-- n: ") == text.count("<!-- /n -->") == len(page_numbers.NUMBER.findall(text))


def test_a_number_that_differs_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_numbers, "record", lambda name: {"rows": [{"a": 1, "b": "x y", "c": 2.345}]})
    path = "rows[a=1&b=x~y].c"
    assert (
        page_numbers.filled(f"<!-- n: any {path} .1f -->9.9<!-- /n --> ms")
        == f"<!-- n: any {path} .1f -->2.3<!-- /n --> ms"
    )
    with pytest.raises(ValueError, match="expected 1"):
        page_numbers.filled("<!-- n: any rows[a=2].c -->9.9<!-- /n -->")


def test_every_record_is_listed() -> None:
    text = (ROOT / "docs" / "records.md").read_text()
    for path in RECORDS.glob("*.json"):
        record = json.loads(path.read_text())
        assert f"`{path.stem}`" in text or path.stem in UNLISTED, path.name
        assert record


UNLISTED = {"attention-speed-2026-11-24", "circuits-epyc"}  # earlier ones, of other machines, that the lab log cites
