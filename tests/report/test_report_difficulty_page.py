"""The page of `shoal difficulty`: what it says, that it is all there is, and how it reads where scripts are off."""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from PIL import Image

from shoal.nets import create_model, save_model
from shoal.report.difficulty import render_difficulty_page, write_difficulty_page
from shoal.studies.difficulty_asked import ImageScoring
from shoal.studies.difficulty_asked_config import ScoringConfig
from shoal.studies.difficulty_asked_page import DifficultyPage, page_of
from tests.report.browsing import SCREENS
from tests.report.fabricate import UNBREAKABLE
from tests.report.outline import Element, outline
from tests.report.test_report_browser import CONTRASTS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HOSTILE = "<img src=x onerror=alert(1)> \"&amp;' {{ 7 * 7 }}"
CLASSES = tuple(sorted((HOSTILE, UNBREAKABLE, "Füße")))
EACH = 9
SHOWN = 5


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> DifficultyPage:
    """Measured on images of noise by an untrained network: of training and test images, some overthought."""
    place = tmp_path_factory.mktemp("page")
    generator = torch.Generator().manual_seed(0)
    for part, each in (("train", EACH), ("test", 4)):
        for name in CLASSES:
            folder = place / "images" / part / name
            folder.mkdir(parents=True)
            for i in range(each):
                picture = torch.randint(256, (20, 16, 3), dtype=torch.uint8, generator=generator)
                Image.fromarray(picture.numpy()).save(folder / f"{i} & <i>ü.png")
    model = create_model("cifar_resnet18", num_classes=len(CLASSES), width=4, seed=1)
    save_model(model, place / "model")
    config = ScoringConfig(model=str(place / "model"), size=16, k=3, shown=SHOWN)
    measured = ImageScoring(str(place / "images"), config).run()
    return page_of(measured, config, labels=True, words=["shoal", "difficulty", "label-errors", "my <images>"])


@pytest.fixture(scope="module")
def text(content: DifficultyPage) -> str:
    return render_difficulty_page(content)


@pytest.fixture(scope="module")
def drawn(text: str) -> Element:
    return outline(text)


def test_the_page_is_all_there_is(text: str, drawn: Element) -> None:
    assert not drawn.all("script")
    for element in drawn.all():
        assert not [name for name in element.attributes if name.startswith("on")]
        for name in ("src", "href", "srcset", "data", "action"):
            assert element.attributes.get(name, "#").startswith(("#", "data:"))
    assert not re.search(r"url\((?!#)|@import|https?://", text)
    assert len(text.encode()) < 2_000_000


def test_every_example_is_shown_with_its_names(content: DifficultyPage, drawn: Element) -> None:
    sections = drawn.all("section", class_="images")
    assert [section.attributes["id"] for section in sections] == ["mislabelled", "easiest", "hardest", "overthought"]
    for section, gallery in zip(sections, content.galleries, strict=True):
        examples = section.all("li", class_="example")
        assert len(examples) == len(gallery.examples) == min(SHOWN, gallery.found)
        for element, example in zip(examples, gallery.examples, strict=True):
            (large,) = element.all("img", class_="large")
            assert large.attributes["alt"] == f"{example.file}, labelled {example.label}"
            named = {line.all("dt")[0].text: line.all("dd")[0].text for line in element.all("dl")[0].children}
            assert named["label"] == example.label
            assert named["network"] == (example.predicted if example.predicted != example.label else "the same")
            assert named.get("suggested", "") == example.suggested
            assert named["depth"].startswith(f"{example.depth} of {content.probes}, ")
            assert named.get("earlier", "") == example.remark
            assert element.all("p", class_="file")[0].text == example.file
            small = element.all("img", class_="small")
            assert [image.attributes["alt"] for image in small] == [
                f"neighbour, labelled {n}" for _, n in example.neighbours
            ]
            (nearest,) = element.all("div", class_="nearest")
            assert nearest.attributes["aria-label"] == f"Nearest at {example.probe}"


def test_how_it_was_measured_is_told(content: DifficultyPage, drawn: Element) -> None:
    assert "shoal difficulty label-errors 'my <images>'" in drawn.all("pre")[0].text
    tables = drawn.all("table")
    assert [table.all("caption")[0].text for table in tables] == [
        "Probes, on training images",
        "Probes, on test images",
    ]
    for table in tables:
        settled = [float(row.all("td")[-1].text) for row in table.all("tbody")[0].all("tr")]
        assert len(settled) == content.probes + 1
        assert sum(settled) == pytest.approx(100, abs=0.1)
    assert "the network was given" in drawn.text


def test_an_empty_gallery_says_so(content: DifficultyPage) -> None:
    bare = dataclasses.replace(content.galleries[0], found=0, examples=())
    page = outline(render_difficulty_page(dataclasses.replace(content, galleries=(bare,))))
    (section,) = page.all("section", class_="images")
    assert section.all("p", class_="empty")[0].text == "None: no image is like that."


@pytest.fixture(params=["phone light", "phone dark", "small light", "desktop light", "desktop dark"])
def page(
    request: pytest.FixtureRequest, browser: "Browser", content: DifficultyPage, tmp_path: Path
) -> Iterator["Page"]:
    """The page on a screen, where scripts are off."""
    screen, theme = request.param.split()
    width, height = SCREENS[screen]
    write_difficulty_page(content, tmp_path / "page.html")
    address = (tmp_path / "page.html").as_uri()
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, java_script_enabled=False
    )
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


def test_it_reads_on_any_screen(page: "Page") -> None:
    width: int = page.evaluate("innerWidth")
    assert page.evaluate("document.scrollingElement.scrollWidth") <= width
    contrasts: list[tuple[float, str]] = page.evaluate(CONTRASTS)
    assert len(contrasts) > 100
    assert [entry for entry in contrasts if entry[0] < 4.5] == []
    broken = "[...document.images].filter(i => !i.complete || !i.naturalWidth || !i.alt).length"
    assert page.evaluate(broken) == 0
    outside = """width => [...document.querySelectorAll('.example *')].filter(e => {
      const box = e.getBoundingClientRect(); return box.left < 0 || box.right > width + 1 }).length"""
    assert page.evaluate(outside, width) == 0
    large = page.locator("img.large").first.bounding_box()
    assert large is not None
    assert large["width"] == large["height"] >= 90
    columns: int = page.evaluate(
        "getComputedStyle(document.querySelector('.examples')).gridTemplateColumns.split(' ').length"
    )
    assert columns == (1 if width < 600 else 3)


def test_it_prints(browser: "Browser", content: DifficultyPage, tmp_path: Path) -> None:
    write_difficulty_page(content, tmp_path / "page.html")
    page = browser.new_page(viewport={"width": 665, "height": 980})  # A4 less its margins
    page.goto((tmp_path / "page.html").as_uri())
    page.emulate_media(media="print")
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 665
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.close()
