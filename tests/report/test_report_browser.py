"""The page in a real browser: on a phone and a desktop, by day and by night, and on paper."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from shoal.report import render
from shoal.studies.result import Picture, Result
from tests.report.browsing import SCREENS
from tests.report.fabricate import tiny_png

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


# Contrast of every element that shows text of its own against the first painted ground behind it, as WCAG counts it.
# Text in charts is painted by `fill`. Cells of heatmaps are painted shapes, not grounds: their colours have a test of
# their own, by name. Text with a stroke is the halo behind a label.
CONTRASTS = """() => {
  const rgb = color => { const c = document.createElement('canvas').getContext('2d'); c.fillStyle = color;
    c.fillRect(0, 0, 1, 1); return [...c.getImageData(0, 0, 1, 1).data] };
  const light = c => { const [r, g, b] = c.slice(0, 3).map(v => v / 255).map(v =>
    v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b };
  const ground = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
    if (c[3] === 255) return c } return [255, 255, 255, 255] };
  const found = [];
  for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || !e.checkVisibility()) continue;
    const style = getComputedStyle(e);
    if (e.closest('figure.heatmap svg') || (e.closest('svg') && style.stroke !== 'none')) continue;
    const [a, b] = [light(rgb(e.closest('svg') ? style.fill : style.color)), light(ground(e))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), e.textContent.trim().slice(0, 40)]);
  }
  return found }"""

# Effective size of the text of all visible charts: its font size, as far as the drawing is scaled.
CHART_TEXT = """() => [...document.querySelectorAll('.chart text')].filter(t => t.checkVisibility()).map(t =>
  parseFloat(getComputedStyle(t).fontSize) * t.ownerSVGElement.getBoundingClientRect().width
  / t.ownerSVGElement.viewBox.baseVal.width)"""


@pytest.fixture(scope="module")
def address(several_page: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(several_page, encoding="utf-8")
    return path.as_uri()


@pytest.fixture(params=["phone light", "phone dark", "small light", "desktop light", "desktop dark"])
def page(request: pytest.FixtureRequest, browser: "Browser", address: str) -> Iterator["Page"]:
    screen, theme = request.param.split()
    width, height = SCREENS[screen]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=theme)
    page = context.new_page()
    page.set_default_timeout(60_000)
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("request", lambda asked: None if asked.url.startswith(("data:", address)) else heard.append(asked.url))
    page.goto(address)
    yield page
    assert heard == []  # no messages, no errors, nothing fetched
    context.close()


def test_the_page_reads_well(page: "Page"):
    dark: bool = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    ground: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(re.findall(r"\d+", ground)[0]) < 60) == dark
    width: int = page.evaluate("innerWidth")
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    contrasts: list[tuple[float, str]] = page.evaluate(CONTRASTS)
    assert len(contrasts) > 300
    assert [entry for entry in contrasts if entry[0] < 4.5] == []
    sizes: list[float] = page.evaluate(CHART_TEXT)
    assert len(sizes) > 100
    assert min(sizes) >= 9
    assert_figures_are_seen(page, narrow=width < 700)
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width


def test_it_prints_light_whole_and_without_scrolling(browser: "Browser", address: str):
    context = browser.new_context(color_scheme="dark", viewport={"width": 665, "height": 980})  # A4 less its margins
    page = context.new_page()
    page.goto(address)
    page.emulate_media(media="print", color_scheme="dark")
    ground: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert min(int(part) for part in re.findall(r"\d+", ground)[:3]) > 240
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 665
    cut = "[...document.querySelectorAll('.table .scroll')].filter(e => e.scrollWidth > e.clientWidth + 1).length"
    assert page.evaluate(cut) == 0
    settings = page.locator("details:not(.behind) .facts").bounding_box()
    assert settings is not None
    assert settings["height"] > 200  # expanded, though closed on the screen
    assert_figures_are_seen(page, narrow=False)
    first = page.locator("main > .study").first
    assert first.evaluate("study => getComputedStyle(study).breakBefore") == "page"  # after the first page
    ends: list[float] = page.locator("math, .chart, table").evaluate_all(
        "all => all.map(each => each.getBoundingClientRect().right)"
    )
    assert max(ends) <= 666  # nothing is cut at the edge of the paper
    buttons: list[str] = page.locator("thead button").evaluate_all("all => all.map(b => getComputedStyle(b).display)")
    assert set(buttons) == {"contents"}  # Chromium leaves others out where it repeats a heading on the next page
    pdf = page.pdf(format="A4")
    assert pdf.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) >= 5
    context.close()


def test_the_first_page_fits_a_screen(browser: "Browser", address: str, several_page: str, tmp_path: Path):
    """Six cards, each with a number, a picture and a sentence of the length that headlines have."""
    card = re.search(r'<li class="card">.*?</li>', several_page, re.DOTALL)
    assert card is not None
    path = tmp_path / "report.html"
    cards = re.compile(r'(<ol class="cards">).*?(</ol>)', re.DOTALL)
    path.write_text(cards.sub(lambda found: found[1] + 6 * card[0] + found[2], several_page, count=1))
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(path.as_uri())
    boxes = [card.bounding_box() for card in page.locator(".card").all()]
    assert len(boxes) == 6
    assert all(box is not None and box["y"] + box["height"] <= 800 for box in boxes)
    assert len({round(box["y"]) for box in boxes if box}) == 2  # two rows of three
    page.locator(".card a").first.click()
    assert page.evaluate("location.hash") == "#exits"
    page.set_viewport_size({"width": 390, "height": 844})  # on a phone one below the other, in reading order
    parts = page.locator(".card").first.locator("h2, .value, .sentence, .tally")
    tops = parts.evaluate_all("parts => parts.map(part => part.getBoundingClientRect().top)")
    assert tops == sorted(tops)
    page.close()


def test_a_wide_formula_scrolls_in_its_box_on_a_phone(browser: "Browser", single_page: str, tmp_path: Path):
    path = tmp_path / "report.html"
    path.write_text(single_page)
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(path.as_uri())
    widths = page.locator(".formula .box").evaluate_all("boxes => boxes.map(box => [box.scrollWidth, box.clientWidth])")
    assert [whole > seen for whole, seen in widths] == [False, True]
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 390
    signs = page.locator("math mo").evaluate_all("all => all.map(sign => sign.getBoundingClientRect().height)")
    assert min(signs) > 0  # the browser sets them
    page.close()


def test_a_choice_closes_the_one_before(browser: "Browser", tmp_path: Path):
    """Without a script: the page runs none."""
    rows = [
        {"image": tiny_png(i, 5), "caption": "Q", "group": side, "choice": choice}
        for choice in ("A B", "B A")
        for i, side in enumerate(("by hand", "learned"))
    ]
    picture = Picture(id="steps", title="Steps", kind="gallery", rows=tuple(rows))
    path = tmp_path / "report.html"
    path.write_text(render([Result(study="s", title="S", summary=("One.",), command="c", pictures=(picture,))]))
    page = browser.new_page(viewport={"width": 390, "height": 800}, java_script_enabled=False)
    page.goto(path.as_uri())
    choices = page.locator("details.choice")
    seen = [choices.nth(i).locator("img").first.is_visible() for i in range(2)]
    assert (choices.count(), seen) == (2, [True, False])
    page.locator("summary", has_text="B A").click()
    assert [choices.nth(i).locator("img").first.is_visible() for i in range(2)] == [False, True]
    page.emulate_media(media="print")  # what was chosen is printed, with its name
    assert [choices.nth(i).locator("summary").is_visible() for i in range(2)] == [False, True]
    page.close()


def assert_figures_are_seen(page: "Page", *, narrow: bool) -> None:
    """Every figure has a size, and of its two charts the right one is shown."""
    figures = page.locator(".study figure").all()
    assert len(figures) == 8
    for figure in figures:
        box = figure.bounding_box()
        assert box is not None
        assert box["width"] > 200
        assert box["height"] > 80
        if figure.locator(".chart").count():
            assert figure.locator(".narrow svg").is_visible() == narrow
            assert figure.locator(".wide svg").is_visible() != narrow
            assert figure.locator(".narrow svg, .wide svg").locator("visible=true").count() == 1
