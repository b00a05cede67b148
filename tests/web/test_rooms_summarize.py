"""The room of summaries: what is computed against the library, the pages, and Chromium."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from starlette.testclient import TestClient

from shoal.summarize import Summarizer, WritingRules, explain, fit
from shoal.web.app import create_app
from shoal.web.rooms.summarize import MOST_LETTERS
from shoal.web.rooms.summarize_looked import examples_of, load_summarizer, look
from tests.summarize.toy import TINY, pairs
from tests.web.conftest import ORIGIN
from tests.web.rooms_browsing import check_page, opened
from tests.web.rooms_runs import make_summarize, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PART = {"hx-request": "true", "hx-target": "section#result"}
TEXTS = pairs(3, 90)
TEXT = TEXTS[1][0]


@pytest.fixture(scope="module")
def summarizer() -> Summarizer:
    return fit(pairs(80), pairs(20, 80), replace(TINY, epochs=2, held_back=10))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, summarizer: Summarizer) -> Path:
    return make_summarize(tmp_path_factory.mktemp("summarize"), summarizer, TEXTS)


@pytest.fixture(scope="module")
def open_room(folder: Path) -> Iterator[TestClient]:
    with TestClient(create_app(folder.parent), base_url=ORIGIN, raise_server_exceptions=False) as client:
        assert client.get("/summarize?now=true").status_code == 200
        yield client


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[str]:
    with served(folder.parent) as address:
        yield address


@pytest.mark.parametrize("beams", [1, 3])
def test_the_summary_is_the_librarys(folder: Path, beams: int) -> None:
    saved = load_summarizer(folder)
    looked = look(saved, TEXT, WritingRules(num_beams=beams, max_words=4))
    assert [looked.summary] == saved.summarize([TEXT], num_beams=beams, max_words=4, device="cpu")
    assert " ".join(word.text for word in looked.words) == looked.summary
    assert looked.document == tuple(TEXT.split())[: len(looked.document)]
    assert f"{' '.join(looked.document)}{looked.unread}".replace(" ", "") == TEXT.replace(" ", "")


def test_what_words_looked_at_is_the_sum_over_their_tokens(summarizer: Summarizer) -> None:
    looked = look(summarizer, TEXT, WritingRules(num_beams=1))
    found = explain(summarizer, TEXT, looked.summary)
    assert found.copied is not None
    attention = found.looking[-1].mean(0)
    theirs, ours = words_of(found.document), words_of(found.summary[:-1])
    assert len(ours) == len(looked.words)
    for word, tokens in zip(looked.words, ours, strict=True):
        assert sum(word.looks) == pytest.approx(1, abs=1e-4)
        for share, places in zip(word.looks, theirs, strict=True):
            sums = [float(attention[token, places].sum()) for token in tokens]
            assert share == pytest.approx(sum(sums) / len(sums), abs=1e-6)
        assert word.copied == pytest.approx(float(found.copied[torch.tensor(tokens)].mean()), abs=1e-6)


def words_of(pieces: tuple[str, ...]) -> list[list[int]]:
    """Places of the tokens of each word; a word begins with a space."""
    found: list[list[int]] = []
    for place, piece in enumerate(pieces):
        if piece.startswith(" ") or not found:
            found.append([])
        found[-1].append(place)
    return found


def test_examples_come_from_the_result(folder: Path) -> None:
    assert examples_of(json.loads((folder / "result.json").read_text())) == TEXTS
    assert examples_of({"pictures": []}) == []


def test_a_page_of_its_own_and_a_part(open_room: TestClient, folder: Path) -> None:
    asked = {"text": TEXT, "beams": 2, "words": 3}
    page, part = open_room.get("/summarize", params=asked), open_room.get("/summarize", params=asked, headers=PART)
    summary = load_summarizer(folder).summarize([TEXT], num_beams=2, max_words=3, device="cpu")[0]
    for answer in (page, part):
        assert answer.status_code == 200
        assert summary in answer.text
        assert TEXTS[1][1] in answer.text  # what people wrote of an example
    assert "<main" in page.text
    assert "<main" not in part.text


def test_an_example_is_put_into_the_form(open_room: TestClient) -> None:
    page = open_room.get("/summarize", params={"example": 2, "now": "true"})
    assert f">{TEXTS[2][0]}</textarea>" in page.text
    assert f">{TEXTS[2][0]}</textarea>" in open_room.get("/summarize?example=99&now=true").text  # the last one


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"text": "  "}, "text: expected some words, got none"),
        ({"text": "word " * 1000}, f"text: expected at most {MOST_LETTERS:,} letters, got 5,000"),
        ({"text": TEXT, "beams": 99}, "beams: expected a whole number from 1 to 8, got 99"),
        ({"text": TEXT, "repeat": -1}, "repeat: expected a whole number from 0 to 6, got -1"),
        ({"text": TEXT, "words": "many"}, "words: expected a valid integer"),
    ],
)
def test_wrong_input_is_said(open_room: TestClient, asked: dict[str, str], said: str) -> None:
    answer = open_room.get("/summarize", params=asked, headers=PART)
    assert answer.status_code == 422
    assert said in answer.text
    page = open_room.get("/summarize", params=asked | {"now": "true"})
    if asked["text"].strip() and said.startswith(("text", "beams", "repeat")):
        assert asked["text"] in page.text  # what was typed stays
        assert page.status_code == 422


@pytest.mark.parametrize("text", ["<script>alert(1)</script> & co", "🐟 " * 30, "a" * 3000, "\x00\u202e word"])
def test_any_text_will_do(open_room: TestClient, text: str) -> None:
    answer = open_room.get("/summarize", params={"text": text, "beams": 1}, headers=PART)
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert 'class="looks"' in answer.text


def test_without_a_model_one_is_offered(tmp_path: Path, folder: Path) -> None:
    with TestClient(create_app(tmp_path), base_url=ORIGIN) as client:
        assert "Make a small run" in client.get("/summarize").text
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "result.json").write_text((folder / "result.json").read_text())
    with TestClient(create_app(tmp_path), base_url=ORIGIN) as client:
        page = client.get("/summarize?now=true").text
        assert "expected a folder that `save_pretrained` wrote" in page
        assert "Make a small run" in page


@pytest.mark.parametrize("screen", ["phone", "desktop"])
def test_in_a_browser(browser: "Browser", site: str, screen: str) -> None:
    with opened(browser, screen) as page:
        page.goto(f"{site}/summarize")
        page.wait_for_selector(".looks")  # the first example is summarized at once
        assert "text=" in page.url
        check_page(page)
        page.get_by_label("Beams").fill("1")
        page.get_by_label("Text").fill("It is a parser. It was written by hugo.")
        page.get_by_role("button", name="Summarize").press("Enter")
        page.wait_for_function("() => document.querySelector('#text').textContent.includes('hugo.')")
        words = page.locator("button[data-shades]")
        assert words.first.get_attribute("aria-pressed") == "true"
        words.last.press("Enter")  # from the keyboard, and without asking the server
        assert words.last.get_attribute("aria-pressed") == "true"
        assert f"word={words.count() - 1}" in page.url
        shades = dict(pair.split(":") for pair in (words.last.get_attribute("data-shades") or "").split(","))
        shown = page.locator("#text > span").evaluate_all("all => all.map(one => one.className)")
        assert {str(place): name.removeprefix("heat-") for place, name in enumerate(shown) if name} == shades
        page.reload()  # the address says it all
        page.wait_for_selector(".looks tr.chosen")
        assert words.last.get_attribute("aria-pressed") == "true"
        check_page(page)


def test_without_scripts(browser: "Browser", site: str, open_room: TestClient) -> None:
    del open_room  # the model is in memory
    with opened(browser, "phone", scripts=False) as page:
        page.goto(f"{site}/summarize?example=1&now=true")
        page.get_by_role("button", name="Summarize").click()
        page.wait_for_selector(".looks")
        page.locator("button[name=word]").nth(1).click()
        page.wait_for_selector("button[name=word][value='1'][aria-pressed=true]")
