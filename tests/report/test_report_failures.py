"""Studies that failed stand on the page, with their errors and what runs them again."""

from pathlib import Path

from shoal.report import render, write_report
from shoal.studies.failure import Failure
from tests.report.fabricate import fabricate_small
from tests.report.outline import outline

FAILED = Failure(study="exits", error="out of <memory> after 3 epochs", command="shoal study exits --seed 1")


def test_a_failed_study_is_listed_and_has_a_section():
    page = outline(render([fabricate_small()], [FAILED]))
    (section,) = page.all("article", class_="failed")
    assert FAILED.error in section.text
    assert section.all("pre")[0].text == FAILED.command
    (link,) = (link for link in page.all("nav")[0].all("a") if link.attributes["href"] == "#exits")
    assert section.attributes["id"] == "exits"
    assert "failed" in page.all("nav")[0].text
    assert link.text


def test_where_all_failed_there_is_still_a_page():
    page = outline(render([], [FAILED]))
    assert page.all("h1")[0].text == "This study failed"
    assert FAILED.command in page.text


def test_a_study_that_failed_beside_its_own_result_keeps_an_anchor_of_its_own():
    failed = Failure(study="attention", error="stopped", command="shoal study attention")
    page = outline(render([fabricate_small()], [failed, failed]))
    assert [e.attributes["id"] for e in page.all("article", class_="study")] == [
        "attention", "attention-2", "attention-3",
    ]  # fmt: skip


def test_write_report_takes_failures(tmp_path: Path):
    path = tmp_path / "report.html"
    write_report([fabricate_small()], path, [FAILED])
    assert path.read_text(encoding="utf-8") == render([fabricate_small()], [FAILED])
