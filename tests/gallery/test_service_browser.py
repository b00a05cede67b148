"""The gallery's pages in Chromium: a whole story by keyboard alone, every page on every screen, and without scripts."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shoal.gallery import Gallery
from shoal.web.gallery.keys import KeyRing, make_key
from tests.gallery.made_up import EYE, picture
from tests.gallery.service import served
from tests.report.conftest import browser  # noqa: F401 - a fixture
from tests.web.rooms_browsing import check_page, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FileChooser, Page

PAGES = ["", "/identify", "/enrol", "/unnamed", "/log", "/person?name=Ann+%26+Bob", "/forget?name=Ann+%26+Bob"]
# controls that a finger would miss
TOO_LOW = """[...document.querySelectorAll("main button, main select, main .field input")]
    .filter((e) => e.offsetParent && e.getBoundingClientRect().height < 43.5).map((e) => e.outerHTML)"""
UNSEEN = "[...document.images].filter((i) => !i.complete || !i.naturalWidth).map((i) => i.src)"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gallery that has everything, and its address."""
    where = tmp_path_factory.mktemp("shown") / "faces.db"
    with Gallery.open(where, model=EYE) as gallery:
        for number in range(14):
            name = "Ann & Bob" if number == 0 else f"person {number} with a name that is rather long, as some are"
            gallery.enrol(name, [picture(number, at) for at in range(1 + number % 4 * 2)])
        for number in range(20, 25):
            gallery.enrol(None, [picture(number, at) for at in range(3)])
        gallery.enrol(None, [picture(30, at) for at in range(25)])
        gallery.enrol("Ann & Bob", [picture(0, at) for at in range(1, 9)])
    with served(where) as address:
        yield address


def focus(page: "Page", wanted: str) -> None:
    """Press Tab until a control has the focus."""
    for _ in range(120):
        if page.evaluate("wanted => document.activeElement.matches(wanted)", wanted):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{wanted} cannot be reached by keyboard")


def choose(page: "Page", wanted: str, *files: Path) -> None:
    """Choose files by keyboard; the browser has to know that its dialog is waited for before it opens one."""
    focus(page, wanted)
    dialogs: list[FileChooser] = []
    page.once("filechooser", lambda dialog: dialogs.append(dialog))
    page.wait_for_timeout(500)
    page.keyboard.press("Enter")
    for _ in range(600):
        if not dialogs:
            page.wait_for_timeout(100)
    dialogs[0].set_files(list(files))


def follow(page: "Page", path: str) -> None:
    """Follow a link by keyboard."""
    focus(page, f"a[href='{path}']")
    with page.expect_navigation(url=f"**{path}"):
        page.keyboard.press("Enter")


def press(page: "Page", wanted: str) -> None:
    """Press a button by keyboard, to another page."""
    focus(page, wanted)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def write(page: "Page", wanted: str, text: str) -> None:
    """Write into a field by keyboard, and have it sent."""
    focus(page, wanted)
    page.keyboard.type(text)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def enrol(page: "Page", name: str, *files: Path) -> None:
    follow(page, "/gallery/enrol")
    choose(page, "[name=photos]", *files)
    focus(page, "[name=person]")
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    page.wait_for_selector(f"#result .verdict-line:has-text('{len(files)} photo')")


def test_the_whole_story_by_keyboard(browser: "Browser", tmp_path: Path):  # noqa: F811 - the fixture
    key = make_key(tmp_path / "keys.jsonl", "somebody")
    files: dict[str, list[Path]] = {}
    for number, name in enumerate(("Ann", "Bob", "Cleo")):
        for at in range(3):
            path = tmp_path / f"{name}{at}.png"
            path.write_bytes(picture(number, at))
            files.setdefault(name, []).append(path)
    ring = KeyRing(tmp_path / "keys.jsonl")
    with served(tmp_path / "faces.db", ring=ring) as address, opened(browser, "desktop") as page:
        page.goto(f"{address}/gallery")
        assert page.url == f"{address}/login"
        write(page, "[name=key]", key)
        (cookie,) = page.context.cookies()
        assert cookie.get("httpOnly")
        assert cookie.get("sameSite") == "Strict"
        assert page.evaluate("document.cookie") == ""
        assert "The gallery is empty" in page.inner_text("main")
        enrol(page, "Ann", *files["Ann"][:2])
        enrol(page, "Bob", *files["Bob"][:2])
        enrol(page, "", *files["Cleo"])

        follow(page, "/gallery/identify")
        choose(page, "[name=photo]", files["Ann"][2])
        focus(page, "main .chief")
        page.keyboard.press("Enter")
        page.wait_for_selector(".matches li")
        assert page.inner_text(".matches li >> nth=0").startswith("Ann")

        follow(page, "/gallery/unnamed")
        assert page.locator(".own").count() == 1
        focus(page, ".choices input")
        page.keyboard.press("Space")  # the first does not belong there
        write(page, ".own [name=name]", "Cleo")
        assert page.inner_text(".done p") == "The faces have their name."
        assert page.locator(".own .choices li").count() == 1  # it is still without a name

        follow(page, "/gallery")
        follow(page, "/gallery/person?name=Bob")
        write(page, "[name=into]", "Ann")
        assert page.inner_text(".done p") == "They are one person now."
        assert page.inner_text("legend") == "4 faces"
        press(page, ".done button")
        assert page.inner_text(".done p") == "Taken back."
        assert page.inner_text(".people").split() == ["Ann", "2", "faces", "Bob", "2", "faces", "Cleo", "2", "faces"]

        follow(page, "/gallery/person?name=Bob")
        follow(page, "/gallery/forget?name=Bob")
        assert "cannot be taken back" in page.inner_text("main")
        assert "2 faces" in page.inner_text(".gone")
        press(page, "button.danger")
        assert page.inner_text("h1") == "Forgotten"
        assert "found no trace" in page.inner_text("main")
        follow(page, "/gallery/log")
        assert page.inner_text("tbody td:nth-child(4) >> nth=0") == "forget"
        assert {who.inner_text() for who in page.locator("td:nth-child(3)").all()} == {"somebody"}
        press(page, "footer button")
        assert page.url == f"{address}/login"
        page.goto(f"{address}/gallery")
        assert page.url == f"{address}/login"
    with Gallery.open(tmp_path / "faces.db") as gallery:
        assert [(person.name, person.faces) for person in gallery.people()] == [("Ann", 2), ("Cleo", 2)]


@pytest.mark.parametrize("screen", ["phone", "desktop"])
def test_every_page_fits_and_is_quiet(browser: "Browser", shown: str, screen: str):  # noqa: F811 - the fixture
    with opened(browser, screen) as page:
        for path in [*(f"/gallery{path}" for path in PAGES), "/api"]:
            page.goto(shown + path, wait_until="networkidle")
            check_page(page)
            assert page.evaluate(TOO_LOW) == [], path
            assert page.locator("h1").count() == 1
        page.goto(f"{shown}/gallery/person?name=Ann+%26+Bob", wait_until="networkidle")
        assert page.evaluate(UNSEEN) == []


def test_what_is_wrong_is_said_and_what_was_found_stays(browser: "Browser", shown: str, tmp_path: Path):  # noqa: F811
    (tmp_path / "good.png").write_bytes(picture(0, 50))
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with opened(browser, "phone") as page:
        page.goto(f"{shown}/gallery/identify")
        page.set_input_files("[name=photo]", tmp_path / "good.png")
        page.click("main .chief")
        page.wait_for_selector(".matches li")
        page.set_input_files("[name=photo]", tmp_path / "bad.png")
        page.click("main .chief")
        page.wait_for_selector("#problem .problem")
        assert "expected PNG, JPEG, WebP, BMP or GIF" in page.inner_text("#problem")
        assert page.locator(".matches li").count() > 0
        check_page(page)
        page.set_input_files("[name=photo]", tmp_path / "good.png")
        page.click("main .chief")
        page.wait_for_selector("#problem .problem", state="detached")
        page.goto(f"{shown}/gallery/person?name=Ann+%26+Bob")
        page.fill("[action='/gallery/rename'] [name=name]", "person 1 with a name that is rather long, as some are")
        page.click("button:text-is('Rename')")
        assert "expected one that nobody has" in page.inner_text(".problem")
        check_page(page)


def test_without_scripts(browser: "Browser", tmp_path: Path):  # noqa: F811 - the fixture
    (tmp_path / "one.png").write_bytes(picture(1))
    with served(tmp_path / "faces.db") as address, opened(browser, "desktop", scripts=False) as page:
        page.goto(f"{address}/gallery/enrol")
        page.set_input_files("[name=photos]", tmp_path / "one.png")
        page.fill("[name=person]", "Ann")
        page.click("main .chief")
        assert "1 photo is in the gallery, of Ann" in page.inner_text("#result")
        page.goto(f"{address}/gallery/identify")
        page.set_input_files("[name=photo]", tmp_path / "one.png")
        page.click("main .chief")
        assert "Ann" in page.inner_text(".matches")


def test_logging_in_on_a_phone(browser: "Browser", tmp_path: Path):  # noqa: F811 - the fixture
    key = make_key(tmp_path / "keys.jsonl", "phone")
    with served(tmp_path / "faces.db", ring=KeyRing(tmp_path / "keys.jsonl")) as address:
        context = browser.new_context(viewport={"width": 390, "height": 844})
        page = context.new_page()
        page.goto(f"{address}/gallery/log")
        check_page(page)
        assert page.evaluate("document.querySelector('[name=key]').getBoundingClientRect().right") <= 390 - 16
        write(page, "[name=key]", "shoal_wrong")
        assert "expected one of this gallery" in page.inner_text("[role=alert]")
        assert "shoal_wrong" not in page.content()
        write(page, "[name=key]", key)
        assert page.url == f"{address}/gallery"
        context.close()
