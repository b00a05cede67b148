import base64
import dataclasses
import hashlib
import itertools
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Literal

import pytest

from shoal.errors import InputError, ShoalError
from shoal.report import render, write_report
from shoal.report.interval import interval_bar
from shoal.studies.result import Claim, Picture, Result, Table
from tests.report.fabricate import COMMAND, fabricate, fabricate_small
from tests.report.outline import Element, outline

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7 * 7 }}&"
CSS = files("shoal.report") / "templates" / "report.css"


def test_the_page_is_all_there_is(single_page: str, single: Element):
    (script,) = single.all("script")
    assert not script.attributes
    for element in single.all():
        for name in ("src", "href", "srcset", "data", "action", "xlink:href"):
            assert element.attributes.get(name, "#").startswith(("#", "data:"))
    assert not re.search(r"url\((?!#)|@import|https?://", single_page)
    assert len(single_page.encode()) < 3_000_000


def test_rendering_twice_gives_the_same(single_page: str):
    assert render([fabricate()]) == single_page


def test_each_claim_is_printed_with_its_verdict_in_words(single: Element):
    claims = single.all("article", class_="claim")
    wanted = fabricate().claims
    assert {claim.verdict for claim in wanted} == {"supported", "contradicted", "inconclusive"}
    for element, claim in zip(claims, wanted, strict=True):
        (badge,) = element.all(class_="verdict")
        assert badge.text == claim.verdict
        assert badge.all("svg", class_="sign")
        assert claim.sentence in element.text
        assert claim.measured in element.text
        assert "95 % interval" in element.text
        assert (f"Cannot be decided: {claim.unsettled}." in element.text) == bool(claim.unsettled)


def test_a_number_and_its_per_cent_sign_stay_on_one_line():
    page = render([Result(study="exits", title="Exits", summary=("52.2 % right, % of <all>.",), command="shoal")])
    assert "52.2\N{NO-BREAK SPACE}% right, % of &lt;all&gt;." in page


def test_signs_of_verdicts_differ_in_shape(single: Element):
    shapes = {badge.text: badge.all("path")[0].attributes["d"] for badge in single.all("p", class_="verdict")}
    assert len(set(shapes.values())) >= 3


def test_the_glance_counts_and_links_every_claim(single: Element):
    (glance,) = single.all("ul", class_="glance")
    assert [item.text for item in glance.all("p", class_="verdict")] == [
        "3 supported",
        "1 contradicted",
        "2 inconclusive",
    ]
    targets = {link.attributes["href"][1:] for link in glance.all("a")}
    assert targets == {claim.attributes["id"] for claim in single.all("article", class_="claim")}


@pytest.mark.parametrize("direction", ["above", "below"])
@pytest.mark.parametrize(("low", "high"), [(-3.0, -1.0), (1.0, 3.0), (-1.0, 2.0)])
def test_the_bar_shows_what_the_verdict_says(direction: str, low: float, high: float):
    claim = Claim(id="c", sentence="s", measured="m", effect=low, low=low, high=high, bound=0, direction=direction)  # pyright: ignore[reportArgumentType]
    bar = interval_bar(claim)
    inside = [bar.true_from <= end <= bar.true_to for end in (bar.low, bar.high)]
    assert (claim.verdict == "supported") == all(inside)
    assert (claim.verdict == "contradicted") == (not any(inside))
    assert all(0 <= place <= 100 for place in (bar.low, bar.effect, bar.high, bar.bound))


@pytest.mark.parametrize(
    ("direction", "strict", "sign", "words"),
    [("above", False, "≥", "at least 0"), ("above", True, ">", "more than 0"),
     ("below", False, "≤", "at most 0"), ("below", True, "<", "less than 0")],
)  # fmt: skip
def test_the_bar_says_what_is_needed(direction: Literal["above", "below"], strict: bool, sign: str, words: str):
    claim = Claim(
        id="c", sentence="", measured="", effect=1, low=0, high=2, bound=0, direction=direction, strict=strict
    )
    assert interval_bar(claim).bound_text == f"{sign} 0"
    assert interval_bar(claim).description.endswith(f"the statement needs {words}.")


@pytest.mark.parametrize("ends", [(0.0, 0.0), (-1e300, 1e300), (-1e-300, 1e300), (-5e-324, 0.0)])
def test_the_bar_survives_odd_intervals(ends: tuple[float, float]):
    low, high = ends
    bar = interval_bar(
        Claim(id="c", sentence="", measured="", effect=0, low=low, high=high, bound=0, direction="above")
    )
    assert 0 <= bar.low <= bar.effect <= bar.high <= 100


def test_the_one_script_is_allowed_by_its_hash(single_page: str, single: Element):
    text = single_page.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    (policy,) = (e for e in single.all("meta") if e.attributes.get("http-equiv") == "Content-Security-Policy")
    assert policy.attributes["content"] == (
        f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'"
    )


def test_headings_go_down_one_at_a_time(single: Element, several: Element):
    for page, titles in ((single, 1), (several, 2)):
        levels = [int(e.tag[1]) for e in in_order(page) if re.fullmatch("h[1-6]", e.tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
        assert len(page.all(class_="study")) == titles


def test_the_page_has_its_landmarks(several: Element):
    for tag in ("main", "nav"):
        assert len(several.all(tag)) == 1
    assert several.all("html")[0].attributes["lang"] == "en"
    assert several.all("header", class_="masthead")
    assert several.all("footer")


def test_anchors_are_unique_and_every_link_finds_one(several_page: str, several: Element):
    ids = [element.attributes["id"] for element in several.all() if "id" in element.attributes]
    assert len(ids) == len(set(ids))
    links = {link.attributes["href"][1:] for link in several.all("a")}
    labels = {
        element.attributes["aria-labelledby"] for element in several.all() if "aria-labelledby" in element.attributes
    }
    clips = set(re.findall(r"url\(#([^)]+)\)", several_page))
    assert links | labels | clips <= set(ids)


def test_the_same_study_twice_and_like_ids_stay_apart():
    table = Table(id="a b", title="", columns=("x",), rows=((1,),))
    result = dataclasses.replace(fabricate_small(), tables=(table, dataclasses.replace(table, id="a-b")))
    page = outline(render([result, result]))
    ids = [element.attributes["id"] for element in page.all() if "id" in element.attributes]
    assert len(ids) == len(set(ids))


def test_tables_have_captions_scopes_and_aligned_numbers(single: Element):
    tables = [element.all("table")[0] for element in single.all("div", class_="table")]
    assert [table.all("caption")[0].text for table in tables] == [
        "Table 1. Every exit, asked about every test image",
        "Table 2. The plain network and the early-exit network",
    ]
    for table in single.all("table"):
        assert table.all("caption")
        assert {head.attributes["scope"] for head in table.all("th")} == {"col", "row"}
    row = tables[1].all("tr")[2]
    assert [cell.text for cell in row.children][1:4] == ["93.58", "231,400,000", "5.05"]
    assert "number" in row.children[1].attributes["class"]
    assert tables[1].all("tr")[1].children[-1].text == "–"


def test_figures_have_captions_and_words_for_those_who_cannot_see(single: Element):
    figures = single.all("figure")
    assert len(figures) == len(fabricate().pictures)
    for figure, picture in zip(figures, fabricate().pictures, strict=True):
        assert picture.title in figure.all("figcaption")[0].text
        if picture.kind == "passages":
            assert [e.text for e in figure.all("blockquote")] == [row["text"] for row in picture.rows]
        elif picture.kind == "gallery":
            assert all(image.attributes["alt"] for image in figure.all("img"))
        else:
            assert len(figure.all(role="img")[0].attributes["aria-label"]) > 40
            assert [e.attributes["aria-hidden"] for e in figure.all("div") if "aria-hidden" in e.attributes] == [
                "true"
            ] * 2


def test_the_numbers_behind_bars_are_a_table(single: Element):
    (figure,) = (figure for figure in single.all("figure") if "Which exit each class takes" in figure.text)
    rows = figure.all("details")[0].all("tr")
    assert [cell.text for cell in rows[0].children] == ["class", *(f"exit {i}" for i in range(1, 7)), "the end"]
    assert len(rows) == 11
    total = sum(int(cell.text.replace(",", "")) for cell in rows[1].children[1:])
    assert total == sum(row["y"] for row in fabricate().pictures[3].rows if row["x"] == "airplane")


def test_the_run_is_told_in_full(single: Element):
    (run,) = single.all("section", class_="run")
    for text in (
        "AMD EPYC 7B13",
        "memory GB 7.8",
        "45,000",
        "4 min 23 s in all",
        "A. Student",
        "temperature 1.31",
        COMMAND,
    ):
        assert text in run.text
    assert run.all("pre")[0].text == COMMAND


def test_a_result_with_nothing_in_it_is_still_a_page():
    page = outline(render([Result(study="", title="", summary=(), command="")]))
    assert page.all("h1")
    assert not page.all("figure")


def test_no_result_is_refused():
    with pytest.raises(InputError, match="at least one result"):
        render([])


def hostile() -> Result:
    """A result whose every text tries to break out."""
    claim = dataclasses.replace(
        fabricate().claims[0], id=HOSTILE, sentence=HOSTILE, measured=HOSTILE, unit=HOSTILE, unsettled=HOSTILE
    )
    series = tuple({"x": HOSTILE, "y": i, "series": f"{HOSTILE}{i}", "label": HOSTILE} for i in range(2))
    cell = {"x": HOSTILE, "y": HOSTILE, "value": 1}
    image = dict(fabricate().pictures[-1].rows[0]) | {"caption": HOSTILE, "group": HOSTILE}
    text = {"text": HOSTILE, "said": ((HOSTILE, HOSTILE),)}
    pictures = [("lines", series), ("bars", series), ("heatmap", (cell,)), ("gallery", (image,)), ("passages", (text,))]
    facts = {HOSTILE: HOSTILE, "group": {HOSTILE: {HOSTILE: HOSTILE}}}
    return Result(
        study=HOSTILE, title=HOSTILE, summary=(HOSTILE,), command=HOSTILE, settings=facts, environment=facts,
        data=facts, claims=(claim,), seconds={HOSTILE: 1.0}, notes={HOSTILE: HOSTILE},
        tables=(Table(id=HOSTILE, title=HOSTILE, columns=(HOSTILE, "b"), rows=((HOSTILE, HOSTILE),), note=HOSTILE),),
        pictures=tuple(
            Picture(id=HOSTILE, title=HOSTILE, kind=kind, rows=rows, x=HOSTILE, y=HOSTILE, note=HOSTILE)  # pyright: ignore[reportArgumentType]
            for kind, rows in pictures
        ),
    )  # fmt: skip


def test_hostile_text_is_shown_not_run(several: Element):
    page = outline(render([hostile(), hostile()]))
    tags = {element.tag for element in page.all()}
    assert tags <= {element.tag for element in several.all()}
    assert len(page.all("script")) == 1
    assert not any(name.startswith("on") for element in page.all() for name in element.attributes)
    assert len(page.all("img")) == 2
    assert page.text.count("{{ 7 * 7 }}") > 40
    assert page.all("pre")[0].text == HOSTILE


def test_write_report_writes_the_page_and_nothing_else(tmp_path: Path):
    path = tmp_path / "run" / "report.html"
    write_report([fabricate_small()], path)
    assert path.read_text(encoding="utf-8") == render([fabricate_small()])
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_write_report_into_a_file_says_so(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ShoalError, match="cannot write"):
        write_report([fabricate_small()], tmp_path / "file" / "report.html")


def test_a_saved_result_gives_the_same_page(tmp_path: Path, single_page: str):
    fabricate().save(tmp_path / "result.json")
    assert render([Result.load(tmp_path / "result.json")]) == single_page


def test_importing_the_report_imports_nothing_heavy():
    code = "import shoal.report, sys; print({'altair', 'vl_convert', 'torch', 'jinja2', 'numpy'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_can_be_read_and_told_from_the_page(theme: str):
    colors = theme_colors(theme)
    for name in ("ink", "muted", "accent", "supported", "contradicted", "inconclusive"):
        for ground in ("paper", "wash"):
            assert contrast(colors[name], colors[ground]) >= 4.5, (name, ground)
    for i in range(1, 10):
        assert contrast(colors[f"on-ramp-{i}"], colors[f"ramp-{i}"]) >= 4.5, i
    for i in range(1, 9):
        assert contrast(colors[f"series-{i}"], colors["paper"]) >= 3, i
    steps = [luminance(colors[f"ramp-{i}"]) for i in range(1, 10)]
    assert steps == sorted(steps, reverse=theme == "light")


def theme_colors(theme: str) -> dict[str, str]:
    """Custom properties of a theme, as the style sheet sets them."""
    light, dark = CSS.read_text().split("@media screen and (prefers-color-scheme: dark)")[:2]
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", light))
    return found | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", dark)) if theme == "dark" else found


def luminance(color: str) -> float:
    """WCAG 2.2's relative luminance."""
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    """WCAG 2.2's contrast ratio."""
    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


def in_order(element: Element) -> list[Element]:
    """All elements below, as they stand in the page."""
    return [found for child in element.children for found in (child, *in_order(child))]
