"""Pages that the tests of this folder look at, each rendered once."""

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from shoal.report import render
from tests.report.browsing import ARGUMENTS
from tests.report.fabricate import fabricate, fabricate_small
from tests.report.outline import Element, outline

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")  # not of the session: while it runs, nothing else can have an event loop of its own
def browser() -> Iterator["Browser"]:
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if not executable:
        pytest.skip("needs Chromium: no executable named chromium or google-chrome is on the path")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: install the extra shoal[test]")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def single_page() -> str:
    return render([fabricate()])


@pytest.fixture(scope="session")
def several_page() -> str:
    return render([fabricate(), fabricate_small()])


@pytest.fixture(scope="session")
def single(single_page: str) -> Element:
    return outline(single_page)


@pytest.fixture(scope="session")
def several(several_page: str) -> Element:
    return outline(several_page)
