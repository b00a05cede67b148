"""Tables sort by any column, in a real browser: numbers as numbers, three presses back to where it was."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shoal.report import render
from shoal.studies.result import Result, Table

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

COLUMNS = {  # what a column holds, as it stands, and the order of its cells upwards
    "plain": ((10, 9, 1234, -3), (3, 1, 0, 2)),
    "text": (("width 16", "Width 2", "plain", "edge"), (3, 2, 1, 0)),
    "interval": (("0.5 [0.4, 0.6]", "0.41 [0.4, 0.42]", "−0.2 ± 0.1", "1.2×10⁻⁵"), (2, 3, 1, 0)),
    "gaps": ((None, 2.5, None, 1.0), (3, 1, 0, 2)),
    "per cent": (("47 %", "5 %", "100 %", "–"), (1, 0, 2, 3)),
    "times": (("1 min 15 s", "9.0 s", "4.2 ms", "2 h 05 min"), (2, 1, 0, 3)),
    "alike": ((1, 0, 1, 0), (1, 3, 0, 2)),
    "mixed": (("3", "none", "20", "1"), (3, 0, 2, 1)),
}


@pytest.fixture(scope="module")
def page(browser: "Browser", tmp_path_factory: pytest.TempPathFactory):
    rows = tuple(zip("abcd", *(cells for cells, _ in COLUMNS.values()), strict=True))
    table = Table(id="t", title="Anything", columns=("row", *COLUMNS), rows=rows)
    one = Table(id="one", title="One row", columns=("row", "value"), rows=(("a", 1),))
    path: Path = tmp_path_factory.mktemp("sorting") / "report.html"
    path.write_text(render([Result(study="s", title="S", summary=("One.",), command="c", tables=(table, one))]))
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.set_default_timeout(120_000)
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.goto(path.as_uri())
    yield page
    assert heard == []
    page.close()


def order(page: "Page") -> str:
    return "".join(page.locator("#s-table-t tbody tr > :first-child").all_inner_texts())


@pytest.mark.parametrize("name", COLUMNS)
def test_three_presses_sort_up_down_and_back(page: "Page", name: str):
    button = page.get_by_role("button", name=name, exact=True)
    head = page.locator("#s-table-t th", has=button)
    up = "".join("abcd"[i] for i in COLUMNS[name][1])
    found = []
    for _ in range(3):
        button.click()
        found.append((order(page), head.get_attribute("aria-sort")))
    assert found[0] == (up, "ascending")
    assert found[2] == ("abcd", "none")
    assert found[1][1] == "descending"
    if name == "gaps":
        assert found[1][0] == "bdac"  # nothing comes last either way
    elif name == "per cent":
        assert found[1][0] == "cabd"
    elif name == "alike":
        assert found[1][0] == "acbd"  # equal ones keep their order
    else:
        assert found[1][0] == up[::-1]


def test_it_works_by_keyboard_and_one_column_at_a_time(page: "Page"):
    page.get_by_role("button", name="plain", exact=True).focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")  # of the next column
    sorts = page.locator("#s-table-t thead th").evaluate_all("heads => heads.map(head => head.ariaSort)")
    assert sorts == ["none", "none", "ascending", *["none"] * 6]
    page.keyboard.press("Space")
    page.keyboard.press("Space")
    assert order(page) == "abcd"


def test_a_table_of_one_row_has_nothing_to_sort(page: "Page"):
    assert page.locator("#s-table-one button").count() == 0


def test_without_the_script_the_table_reads_the_same(browser: "Browser", page: "Page"):
    still = browser.new_page(java_script_enabled=False)
    still.goto(page.url)
    assert still.locator("#s-table-t thead th").all_inner_texts() == ["row", *COLUMNS]
    assert still.get_by_role("button").count() == 0
    still.close()
