"""The page of attention heads in a real browser: its numbers are torch's, it trains, and it reads on any screen."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from shoal.circuits import Head, compile_rule, first, learn, previous, same, unique, verify
from shoal.errors import InputError
from shoal.report.circuits import Exhibit, render_circuits_page, write_circuits_page
from tests.report.browsing import SCREENS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

RULES = [previous(), unique(), first(), same()]
STEPS = ("inputs", "queries", "keys", "values", "scores", "attention", "outputs")


@pytest.fixture(scope="module")
def exhibits() -> list[Exhibit]:
    return [Exhibit(rule, compile_rule(rule, "ABC", 4), learn(rule, "ABC", 4, seeds=2)) for rule in RULES]


@pytest.fixture(scope="module")
def address(exhibits: list[Exhibit], tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("circuits") / "circuits.html"
    write_circuits_page(exhibits, path)
    return path.as_uri()


@pytest.fixture
def page(request: pytest.FixtureRequest, browser: "Browser", address: str) -> Iterator["Page"]:
    width, height = SCREENS[getattr(request, "param", "desktop")]
    context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(60_000)
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on(
        "request", lambda asked: None if asked.url.startswith(("data:", "blob:", address)) else heard.append(asked.url)
    )
    page.goto(address)
    yield page
    assert heard == []  # no messages, no errors, nothing fetched
    context.close()


def numbers(page: "Page", figure: str) -> torch.Tensor:
    """What a table shows, at full precision."""
    cells = "[...document.querySelectorAll(`#${figure} tbody tr`)].map(r => [...r.querySelectorAll('td')].map(c => " \
        "Number((c.querySelector('input') ?? c).title)))"  # fmt: skip
    return torch.tensor(page.evaluate(f"figure => {cells}", figure), dtype=torch.float64)


def choose(page: "Page", rule: int, sequence: str, seed: int = 0) -> None:
    page.select_option("#rule", str(rule))
    page.select_option("#seed", str(seed))
    page.fill("#sequence", sequence)


@pytest.mark.parametrize("rule", range(len(RULES)))
def test_every_step_is_torchs(page: "Page", exhibits: list[Exhibit], rule: int) -> None:
    exhibit = exhibits[rule]
    for sequence in ("A", "ABBA", "CAC"):
        for seed, learned in enumerate(exhibit.learned):
            choose(page, rule, sequence, seed)
            for side, head in (("hand", exhibit.hand), ("learned", learned)):
                trace = head.double().trace(sequence)
                for step in STEPS:
                    expected = getattr(trace, step)[0]
                    found = numbers(page, f"{side}-{step}")
                    assert torch.allclose(found, expected, rtol=1e-5, atol=1e-5), (sequence, side, step)
                for name, weights in head.named_parameters():
                    assert torch.allclose(numbers(page, f"{side}-{name}"), weights.detach(), atol=1e-6)


def test_a_changed_weight_changes_the_steps(page: "Page", exhibits: list[Exhibit]) -> None:
    choose(page, 2, "BCA")
    page.fill("#hand-W_K tbody tr:nth-child(5) input >> nth=0", "2")  # the second place looks better than the first
    page.press("#hand-W_K tbody tr:nth-child(5) input >> nth=0", "Tab")
    changed = compile_rule(first(), "ABC", 4).double()
    changed.W_K.data[4, 0] = 2
    assert torch.allclose(numbers(page, "hand-outputs"), changed.trace("BCA").outputs[0], atol=1e-5)
    assert "right on all" not in page.inner_text("#hand-verdict")
    page.fill("#hand-W_K tbody tr:nth-child(5) input >> nth=0", "two")
    page.press("#hand-W_K tbody tr:nth-child(5) input >> nth=0", "Tab")
    assert "expected a number, got “two”" in page.inner_text("#message")
    page.click("#reset")
    assert page.inner_text("#hand-verdict") == "right on all 120 sequences"
    assert torch.allclose(numbers(page, "hand-outputs"), exhibits[2].hand.double().trace("BCA").outputs[0], atol=1e-5)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("", "sequence: expected 1 to 4 tokens, got none"),
        ("ABCAB", "sequence: expected at most 4 tokens, got 5"),
        ("AXB", "token: expected one of A, B, C, got “X”"),
    ],
)
def test_a_wrong_sequence_is_explained_and_nothing_moves(page: "Page", typed: str, message: str) -> None:
    choose(page, 0, "AB")
    before = numbers(page, "learned-outputs")
    page.fill("#sequence", typed)
    assert page.inner_text("#message") == message
    assert torch.equal(numbers(page, "learned-outputs"), before)
    page.fill("#sequence", "B A")
    assert page.inner_text("#message") == ""


@pytest.mark.parametrize("rule", [0, 2])
def test_a_twin_trains_in_the_page(page: "Page", rule: int) -> None:
    choose(page, rule, "ABCA")
    page.click("#train")
    page.wait_for_selector("#progress[data-done]")
    assert page.eval_on_selector("#seed", "select => select.value") == "-1"
    weights: dict[str, Any] = page.evaluate(
        "({W_Q: state.learned.W_Q, W_K: state.learned.W_K, W_V: state.learned.W_V})"
    )
    hand = compile_rule(RULES[rule], "ABC", 4)
    twin = Head(hand.layout, hand.W_Q.shape[1], hand.W_V.shape[1])
    for name, values in weights.items():
        getattr(twin, name).data.copy_(torch.tensor(values))
    assert verify(twin, RULES[rule]).holds  # torch agrees that it has learned the rule
    assert page.inner_text("#learned-verdict") == "right on all 120 sequences"


def test_gradients_of_the_page_are_torchs(page: "Page", exhibits: list[Exhibit]) -> None:
    choose(page, 1, "AAB", 1)
    found = page.evaluate(
        """() => { const like = n => state.learned[n].map(r => r.map(() => 0));
        const g = {W_Q: like('W_Q'), W_K: like('W_K'), W_V: like('W_V')};
        backward(state.learned, traced(state.learned, [0, 0, 1], 3, 4), [[-1], [-1], [1]], g); return g }"""
    )
    head = exhibits[1].learned[1].double()
    error = (head(torch.tensor([[0, 0, 1]])) - torch.tensor([[[-1.0], [-1.0], [1.0]]]).double()).square().mean()
    for name, gradient in zip(("W_Q", "W_K", "W_V"), torch.autograd.grad(error, list(head.parameters())), strict=True):
        assert torch.allclose(torch.tensor(found[name], dtype=torch.float64), gradient, atol=1e-9)


def test_a_picture_can_be_kept(page: "Page", tmp_path: Path) -> None:
    choose(page, 0, "ABBA")
    with page.expect_download() as download:
        page.click("#save")
    download.value.save_as(tmp_path / "attention.svg")
    root = ElementTree.parse(tmp_path / "attention.svg").getroot()
    texts = ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0] == "previous() on A B B A"
    assert {"by hand", "learned", "A₀", "∅"} <= set(texts)


@pytest.mark.parametrize("page", list(SCREENS), indirect=True)
def test_it_fits_the_screen(page: "Page") -> None:
    choose(page, 1, "ABCA")
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
    low = "e => e.getBoundingClientRect().height < 44"
    small = page.evaluate(f"[...document.querySelectorAll('select, button, #sequence')].filter({low}).length")
    assert small == 0


def test_the_page_is_small_and_calls_nobody(exhibits: list[Exhibit]) -> None:
    text = render_circuits_page(exhibits)
    assert len(text.encode()) < 1_000_000
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text
    assert "default-src 'none'" in text


def test_what_cannot_be_shown_is_refused(exhibits: list[Exhibit]) -> None:
    with pytest.raises(InputError, match="exhibits: expected at least one, got none"):
        render_circuits_page([])
    other = Exhibit(first(), compile_rule(first(), "AB", 4), [compile_rule(first(), "AB", 4)])
    with pytest.raises(InputError, match="exhibits: expected one vocabulary and max_len"):
        render_circuits_page([exhibits[0], other])
    with pytest.raises(InputError, match="token: expected one of A, B, C, got 'X'"):
        render_circuits_page(exhibits, start="AX")
