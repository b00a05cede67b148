"""The site: it builds without a warning, and is read without a network, on a phone and on a desktop, light and dark."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import PAGES, ROOT
from tests.report.browsing import SCREENS
from tests.report.conftest import browser  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
LOOKED_AT = [
    "index",
    "tutorial",
    "exits",
    "attention",
    "how-to/faces",
    "alternatives",
    "reference/exits",
    "reference/commands",
]
ROOMS = ("attention", "circuits", "summarize", "difficulty", "exits", "faces", "measure", "data", "nets", "engine")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("sphinx", reason="needs the extra shoal[docs]: pip install 'shoal[docs]'")
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-d", str(target / "doctrees")]
    built = subprocess.run(
        [*command, "docs", str(target / "html")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr
    return target / "html"


@pytest.fixture(scope="module")
def reader(browser: "Browser") -> Iterator["Page"]:  # noqa: F811 - the fixture of that name
    page = browser.new_page()
    page.context.set_offline(True)
    yield page
    page.close()


def test_every_page_is_there(site: Path) -> None:
    for page in PAGES:
        if page.startswith("docs/"):
            assert (site / page.removeprefix("docs/")).with_suffix(".html").exists(), page


def test_nothing_is_loaded_from_anywhere(site: Path) -> None:
    loaded = re.compile(
        r"<(?:script|img|iframe|source)[^>]*\ssrc=\"(?:https?:)?//|<link[^>]*rel=\"(?!canonical)[^\"]*\"[^>]*href=\"(?:https?:)?//"
    )
    for page in site.rglob("*.html"):
        assert not loaded.search(page.read_text()), page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import\s*)[\"']?(?:https?:)?//", sheet.read_text()), sheet


@pytest.mark.parametrize("screen", ["phone", "desktop"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_read_without_a_network(site: Path, reader: "Page", screen: str, scheme: str) -> None:
    asked: list[str] = []
    wrong: list[str] = []
    reader.on("request", lambda request: asked.append(request.url))
    reader.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    reader.on("pageerror", lambda error: wrong.append(str(error)))
    width, height = SCREENS[screen]
    reader.set_viewport_size({"width": width, "height": height})
    reader.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for name in LOOKED_AT:
        reader.goto((site / f"{name}.html").as_uri())
        assert reader.evaluate("document.documentElement.scrollWidth") <= width, (name, screen)
        paper = reader.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", paper)[:3])) < 200) == (scheme == "dark"), name
    assert wrong == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_mathematics_is_typeset(site: Path, reader: "Page") -> None:
    reader.goto((site / "attention.html").as_uri())
    box = reader.locator("math[display=block]").first.bounding_box()
    assert box is not None
    assert box["height"] > 30  # a fraction stands on two lines
    assert reader.locator("merror").count() == 0


def test_functions_are_shown_from_their_source(site: Path) -> None:
    for page in ("attention", "circuits", "difficulty", "exits", "faces", "summarize"):
        assert re.search(r'class="highlight-(?:default|python) notranslate"', (site / f"{page}.html").read_text())
        assert "{literalinclude} ../src" in (ROOT / "docs" / f"{page}.md").read_text()


def test_search_works_from_files(site: Path, reader: "Page") -> None:
    reader.goto((site / "search.html").as_uri() + "?q=calibrate")
    reader.wait_for_selector("#search-results li a", timeout=30_000)
    found = reader.locator("#search-results li a").all_inner_texts()
    assert any("calibrate" in text or "early" in text for text in found), found


@pytest.mark.parametrize("room", ROOMS)
def test_the_reference_has_every_public_name(room: str, site: Path) -> None:
    import importlib

    text = (site / "reference" / f"{room}.html").read_text()
    for name in importlib.import_module(f"shoal.{room}").__all__:
        assert f'id="shoal.{room}.{name}"' in text, name


def test_the_reference_has_every_command_and_flag(site: Path) -> None:
    text = (site / "reference" / "commands.html").read_text()
    for words in (
        "shoal exits fit",
        "shoal study faces",
        "shoal demo",
        "--max-accuracy-drop",
        "--num-beams",
        "--target-error",
    ):
        assert words in text, words
