"""The answer sheet as HTML, within a report and by itself, and as Markdown."""

import itertools
import re
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from shoal.errors import InputError
from shoal.report import render
from shoal.report.answers import QUESTIONS, answers_section, render_answers, write_answers
from shoal.report.answers.markdown import render_markdown
from shoal.report.answers.standing import standing_svg
from shoal.report.pictures import draw
from shoal.report.views import study_views
from shoal.studies.result import Picture, Result, Verdict
from tests.report.answer_results import STUDIES, judged, quick, whole
from tests.report.outline import Element, outline

NASTY = "<script>alert(1)</script> $x$ **b** `c` | [l](u)"
UNFILLED = re.compile(r"\{\w*\}|\bNone\b|\bnan\b|\{\{|\}\}|Markup\(|<bound|object at")


@pytest.fixture(scope="module")
def page() -> str:
    return render_answers(quick())


@pytest.fixture(scope="module")
def sheet(page: str) -> Element:
    return outline(page)


def targets(element: Element) -> Counter[str]:
    return Counter(part.attributes["id"] for part in element.all() if part.attributes.get("id"))


def inner_links(element: Element) -> list[str]:
    return [link.attributes["href"] for link in element.all("a")]


def assert_links_hold(element: Element) -> None:
    known = targets(element)
    assert not [name for name, times in known.items() if times > 1]
    assert [link for link in inner_links(element) if not link.startswith("#") or link[1:] not in known] == []


def prose_of(answer: Element) -> str:
    """All text but that of code and formulas."""
    return " ".join(
        part if isinstance(part, str) else prose_of(part)
        for part in answer.parts
        if isinstance(part, str) or part.tag not in ("pre", "math")
    )


class TestPage:
    """The sheet by itself."""

    def test_all_questions_have_their_answers(self, sheet: Element) -> None:
        answers = sheet.all("article", class_="answer")
        assert [answer.attributes["id"] for answer in answers] == [f"answer-{question.id}" for question in QUESTIONS]
        for answer, question in zip(answers, QUESTIONS, strict=True):
            assert question.text in answer.text
            assert len(answer.children) >= 4, question.id  # heading, question, and an answer
            assert not UNFILLED.search(prose_of(answer)), question.id

    def test_nothing_is_blank(self, sheet: Element) -> None:
        for answer in sheet.all("article", class_="answer"):
            for tag in ("p", "li", "figcaption", "blockquote", "caption"):
                assert all(part.text or part.all("math") for part in answer.all(tag)), answer.attributes["id"]

    def test_links_have_their_targets(self, sheet: Element) -> None:
        assert_links_hold(sheet)
        assert len(inner_links(sheet)) > 150

    def test_each_claim_is_linked_with_its_verdict(self, sheet: Element) -> None:
        claims = {part.attributes["id"]: part for part in sheet.all("article", class_="claim")}
        links = [part.all("a", class_="verdict")[0] for part in sheet.all("div", class_="judged")]
        assert len(links) > 60
        for link in links:
            claim = claims[link.attributes["href"][1:]]
            assert link.text in claim.attributes["class"].split()
        cited = {link.attributes["href"][1:] for link in links}
        assert cited == set(claims)  # all that stand there were asked about

    def test_each_picture_is_drawn_once(self, sheet: Element) -> None:
        figures = [part for part in sheet.all("figure") if "figure" in part.attributes.get("id", "")]
        assert len(figures) > 35
        assert [part.all("span", class_="ordinal")[0].text for part in figures] == [
            f"Figure {i}." for i in range(1, len(figures) + 1)
        ]

    def test_formulas_are_typeset_and_told(self, sheet: Element) -> None:
        boxes = sheet.all("div", class_="formula")
        assert len(boxes) > 12
        assert all(box.all("math") and box.all("p", class_="says")[0].text for box in boxes)
        assert not re.search(r"\\(frac|sum|phi|sqrt|tilde)", prose_of(sheet))

    def test_headings_descend(self, sheet: Element) -> None:
        levels = [int(part.tag[1]) for part in sheet.all() if re.fullmatch(r"h[1-6]", part.tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels))

    def test_the_page_needs_nothing_else(self, page: str) -> None:
        assert not re.search(r'(src|href)="(?!#|data:)', page)
        assert page == render_answers(quick())

    def test_no_results_are_refused(self) -> None:
        with pytest.raises(InputError, match="expected at least one"):
            render_answers([])


@pytest.mark.parametrize("verdict", get_args(Verdict))
def test_pages_of_all_verdicts(verdict: Verdict) -> None:
    page = outline(render_answers([judged(result, verdict) for result in quick()]))
    assert_links_hold(page)
    assert {link.text for part in page.all("div", class_="judged") for link in part.all("a")} == {verdict}


@pytest.mark.parametrize("study", STUDIES)
def test_pages_of_one_study(study: str) -> None:
    page = outline(render_answers([result for result in quick() if result.study == study]))
    assert_links_hold(page)
    for question in QUESTIONS:
        (answer,) = page.all("article", id=f"answer-{question.id}")
        missing = [part.text for part in answer.all("p", class_="missing")]
        if question.study and question.study != study:
            assert missing == [
                f"The study of {question.study} is not among these runs, so that there is no answer yet. "
                f"shoal study {question.study}"
            ]
    open_ones = page.all("li", class_="open")
    assert len(open_ones) == sum(bool(q.study) and q.study != study for q in QUESTIONS)


def test_what_people_write_is_no_markup() -> None:
    results = [replace(quick()[0], notes={"idea": NASTY, "who": NASTY}, title=NASTY, data={"name": NASTY})]
    page = render_answers(results)
    assert "<script>alert" not in page
    (idea,) = outline(page).all("article", id="answer-5j")[0].all("blockquote")
    assert idea.text == NASTY
    text, _ = render_markdown(results, "pictures")
    assert "<script>" not in text
    assert r"\<script\>alert(1)\</script\> \$x\$ \*\*b\*\* \`c\` \| \[l\](u)" in text


class TestSection:
    """The sheet as a part of a report."""

    def test_it_links_into_the_report(self) -> None:
        studies = study_views(quick())
        section = outline(str(answers_section(studies)))
        own = targets(section)
        shown = {study.anchor for study in studies}
        for study in studies:
            shown |= {part.anchor for part in (*study.claims, *study.figures, *study.tables)}
        assert not set(own) & shown
        for link in inner_links(section):
            assert link[1:] in own or link[1:] in shown
        assert not section.all("figure", class_="lines")
        assert len(section.all("article", class_="answer")) == len(QUESTIONS)

    def test_it_stands_in_a_report_of_several_studies(self) -> None:
        page = outline(render(quick()[:2]))
        assert len(page.all("article", class_="answer")) == len(QUESTIONS)
        assert_links_hold(page)
        assert not outline(render(quick()[:1])).all("article", class_="answer")


@pytest.fixture(scope="module")
def written() -> tuple[str, dict[str, str]]:
    exits = next(result for result in whole() if result.study == "exits")
    drawn = tuple(
        picture if picture.id in ("frontier_macs", "first_and_last") else replace(picture, rows=())
        for picture in exits.pictures
    )
    others = [result for result in quick() if result.study != "exits"]
    return render_markdown([*others, replace(exits, pictures=drawn)], "answers_pictures")


class TestMarkdown:
    """The sheet as Markdown."""

    def test_all_questions(self, written: tuple[str, dict[str, str]]) -> None:
        text, _ = written
        headings = re.findall(r"^### (\S+)\. ", text, re.MULTILINE)
        assert headings == [question.id for question in QUESTIONS]
        without_code = re.sub(r"```.*?```|\$\$.*?\$\$|\$[^$\n]+\$", "", text, flags=re.DOTALL)
        assert not UNFILLED.search(without_code)

    def test_links_have_their_targets(self, written: tuple[str, dict[str, str]]) -> None:
        text, _ = written
        known = re.findall(r'<a id="([^"]+)"></a>', text)
        assert len(known) == len(set(known))
        links = re.findall(r"\]\(#([^)]+)\)", text)
        assert len(links) > 150
        assert set(links) <= set(known)

    def test_pictures_stand_beside_it(self, written: tuple[str, dict[str, str]]) -> None:
        text, pictures = written
        named = re.findall(r"!\[[^\n]+\]\(([^)\s]+)\)", text)
        assert set(named) == set(pictures)
        assert {Path(name).name for name in named} == {
            "exits-figure-frontier-macs.svg",
            "exits-figure-first-and-last.svg",
        }

    def test_tables_are_rectangles(self, written: tuple[str, dict[str, str]]) -> None:
        text, _ = written
        tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
        assert len(tables) > 25
        for table in tables:
            assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1

    def test_formulas_are_in_dollars(self, written: tuple[str, dict[str, str]]) -> None:
        text, _ = written
        assert len(re.findall(r"^\$\$\n.+\n\$\$$", text, re.MULTILINE)) > 12
        assert r"$\sigma^2 = \sqrt{D}$" in text

    def test_the_same_results_give_the_same_text(self, written: tuple[str, dict[str, str]]) -> None:
        text, _ = written
        again, _ = render_markdown(quick(), "answers_pictures")
        assert len(again.splitlines()) == pytest.approx(len(text.splitlines()), abs=8)  # but for what is drawn


class TestStandingPictures:
    """SVG files that need no page."""

    def drawn(self, picture: Picture) -> ET.Element:
        svg = standing_svg(draw(picture))
        assert not re.search(r"url\(\s*http|<script", svg)
        colours = set(re.findall(r"var\((--[\w-]+)\)", svg))
        assert all(f"{colour}:" in svg for colour in colours)
        return ET.fromstring(svg)

    def test_a_chart_brings_its_legend_and_titles(self) -> None:
        names = [f"a name that is long enough, {s}" for s in range(1, 5)]
        rows = tuple({"x": x, "y": x * len(name), "series": name} for x in range(3) for name in names)
        root = self.drawn(Picture(id="p", title="P", kind="lines", rows=rows, x="steps", y="loss"))
        texts = ["".join(part.itertext()) for part in root.iter("{http://www.w3.org/2000/svg}text")]
        assert {"steps", "loss", *names} <= set(texts)

    def test_a_gallery_brings_its_images(self) -> None:
        exits = next(result for result in whole() if result.study == "exits")
        root = self.drawn(next(picture for picture in exits.pictures if picture.id == "first_and_last"))
        assert len(list(root.iter("{http://www.w3.org/2000/svg}image"))) == 2

    def test_nothing_to_see_is_no_file(self) -> None:
        assert standing_svg(draw(Picture(id="p", title="P", kind="lines", rows=()))) == ""


class TestWriting:
    """Files."""

    def test_the_ending_decides(self, tmp_path: Path) -> None:
        results = quick()[2:3]
        write_answers(results, tmp_path / "deep" / "answers.html")
        write_answers(results, tmp_path / "answers.md")
        assert (tmp_path / "deep" / "answers.html").read_text().startswith("<!doctype html>")
        assert (tmp_path / "answers.md").read_text().startswith("# Questions and answers")

    def test_pictures_are_written_where_the_text_says(self, tmp_path: Path) -> None:
        write_answers([summarizer_with_one_chart()], tmp_path / "mine.md")
        (name,) = re.findall(r"!\[[^\n]+\]\(([^)\s]+)\)", (tmp_path / "mine.md").read_text())
        assert (tmp_path / name).read_text().startswith("<svg")
        assert {path.name for path in tmp_path.iterdir()} == {"mine.md", "mine_pictures"}


def summarizer_with_one_chart() -> Result:
    result = next(result for result in whole() if result.study == "summarize")
    pictures = (replace(p, rows=p.rows if p.id == "losses_overfit" else ()) for p in result.pictures)
    return replace(result, pictures=tuple(pictures))
