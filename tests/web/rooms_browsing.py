"""Rooms in Chromium: a page with everything noted that goes wrong on it, and what holds of every room."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.report.browsing import SCREENS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PATIENCE = 60_000  # ms: the machine may be busy
MOST_BYTES = 500_000
# by how much the layout has moved without the reader's doing, as browsers count it
SHIFTS = """() => new Promise((done) => {
  let sum = 0;
  new PerformanceObserver((list) => { for (const one of list.getEntries()) if (!one.hadRecentInput) sum += one.value; })
    .observe({type: "layout-shift", buffered: true});
  setTimeout(() => done(sum), 100);
})"""


@contextlib.contextmanager
def opened(browser: "Browser", screen: str, *, scripts: bool = True) -> Iterator["Page"]:
    """A page on a phone or a desktop; afterwards nothing may have been said on the console, or sent elsewhere."""
    width, height = SCREENS[screen]
    context = browser.new_context(viewport={"width": width, "height": height}, java_script_enabled=scripts)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url) if not _is_own(request.url) else None)
    try:
        yield page
        # a form that is refused is an answer with status 422, which Chromium notes
        assert [text for text in said if "422" not in text] == []
    finally:
        context.close()


def check_page(page: "Page") -> None:
    """A page that fits its screen, is small, and has not jumped."""
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert len(page.content().encode()) < MOST_BYTES
    assert page.evaluate(SHIFTS) < 0.1  # "good" by the web's common measure
    unlabelled = (
        "[...document.querySelectorAll('input:not([type=hidden]), select, textarea')].filter(x => !x.labels.length)"
    )
    assert page.evaluate(f"{unlabelled}.length") == 0


def _is_own(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "data:"))
