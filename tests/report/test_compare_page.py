"""The page of a comparison: what it says, and how it looks on a phone, a desktop and paper."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shoal.report.compare import Run, compare
from shoal.report.compare_page import render_comparison, write_comparison
from shoal.studies.result import Table
from tests.report.browsing import SCREENS
from tests.report.compared import before, claim, other_study, two_runs
from tests.report.test_report_browser import CONTRASTS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDE = Table(
    id="wide",
    title="A wide table",
    columns=("name", *(f"a long heading of column {i}" for i in range(12))),
    rows=tuple((f"row {row}", *(row * 1000.0 + i for i in range(12))) for row in range(20)),
)


@pytest.fixture(scope="module")
def page_text() -> str:
    runs = [replace(run, result=replace(run.result, tables=(*run.result.tables, WIDE))) for run in two_runs()]
    return render_comparison(compare([*runs, Run(name="runs/before", result=other_study())]))


def said(page: str) -> str:
    """The text of a page, on one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.partition("</style>")[2]).replace("\N{NO-BREAK SPACE}", " ").split())


def test_it_says_what_changed_and_what_cannot_be_told(page_text: str) -> None:
    text = said(page_text)
    assert "2 runs side by side A runs/before B runs/&lt;after&gt;" in text
    assert "41 % of the arithmetic It stops early." in text
    assert "38 % of the arithmetic It stops earlier." in text
    assert "versions · torch 2.13.0 2.13.1" in text
    assert "7 other settings, versions and facts are the same." in text
    assert "Verdict changed Moves , Stays about" in text
    assert "Effect differs Moves Not in all runs Goes , Comes" in text
    assert "B − A −4.0 points, 95 % interval −5.4 to −2.6: differs" in text
    assert "cannot be told: the interval of the difference holds 0" in text
    assert "A contradicted" not in text
    assert "B contradicted" in text
    assert "Only in one run, and so not compared: A: attention" in text
    assert "Zou and Donner 2008" in text


def test_all_text_is_escaped_and_anchors_lead_somewhere(page_text: str) -> None:
    assert "<stop>" not in page_text
    assert "<new>" not in page_text
    assert "<script" not in page_text
    anchors = re.findall(r' id="([^"]+)"', page_text)
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r'href="#([^"]+)"', page_text)) <= set(anchors)
    labelled = " ".join(re.findall(r'aria-labelledby="([^"]+)"', page_text)).split()
    assert set(labelled) <= set(anchors)


def test_changed_cells_are_marked_and_no_others(page_text: str) -> None:
    table = re.search(r'id="exits-table-networks".*?</details>', page_text, re.DOTALL)
    assert table is not None
    assert re.findall("<mark>(.*?)</mark>", table[0]) == ["92.10"]
    assert "3 of 4 rows changed" in table[0]
    assert 'id="exits-table-wide"' in page_text
    assert "nothing changed" in page_text


def test_bounds_that_changed_are_drawn_for_each_run() -> None:
    one = replace(before(), claims=(claim("a", 2.0, 1.0, 3.0),), tables=())
    two = replace(one, claims=(claim("a", 2.0, 1.0, 3.0, bound=2.5),))
    page = render_comparison(compare([Run(name="a", result=one), Run(name="b", result=two)]))
    assert page.count('class="bound"') == 2
    assert "needs at least 0 points" in said(page)
    assert "needs at least 2.5 points" in said(page)


def test_three_runs(tmp_path: Path) -> None:
    runs = [*two_runs(), Run(name="third", result=before())]
    write_comparison(runs, tmp_path / "new" / "page.html")
    text = said((tmp_path / "new" / "page.html").read_text())
    assert "3 runs side by side" in text
    assert "C − A the same numbers" in text


@pytest.fixture(scope="module")
def address(page_text: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("compare") / "page.html"
    path.write_text(page_text, encoding="utf-8")
    return path.as_uri()


@pytest.fixture(params=["phone light", "desktop dark"])
def page(request: pytest.FixtureRequest, browser: "Browser", address: str) -> Iterator["Page"]:
    screen, theme = request.param.split()
    width, height = SCREENS[screen]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
    page = context.new_page()
    page.set_default_timeout(60_000)
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.goto(address)
    yield page
    assert heard == []
    context.close()


def test_the_page_reads_well(page: "Page") -> None:
    width: int = page.evaluate("innerWidth")
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    contrasts: list[tuple[float, str]] = page.evaluate(CONTRASTS)
    assert len(contrasts) > 200
    assert [entry for entry in contrasts if entry[0] < 4.5] == []
    drawn = page.locator(".pair svg.interval")
    assert drawn.count() == 7  # all claims but the one whose units differ
    box, inner = drawn.first.bounding_box(), drawn.first.locator(".range").nth(1).bounding_box()
    assert box is not None
    assert inner is not None
    assert box["x"] <= inner["x"]
    assert inner["x"] + inner["width"] <= box["x"] + box["width"]


def test_it_prints_light_and_whole(browser: "Browser", address: str) -> None:
    context = browser.new_context(color_scheme="dark", viewport={"width": 665, "height": 980})
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(address)
    page.emulate_media(media="print", color_scheme="dark")
    ground: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert min(int(part) for part in re.findall(r"\d+", ground)[:3]) > 240
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 665
    folded = page.locator("#exits-table-wide td").first.bounding_box()
    assert folded is not None  # printed, though folded on the screen
    assert page.pdf(format="A4").startswith(b"%PDF")
    context.close()
