"""Formulas as MathML: what LaTeX says, nothing that it smuggles in, and errors that name the formula."""

import ast
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree

import pytest

from shoal.errors import InputError
from shoal.report.formulas import mathml
from shoal.studies.story import Formula
from tests.report.fabricate import fabricate
from tests.report.outline import Element


def typeset(latex: str) -> ElementTree.Element:
    return ElementTree.fromstring(mathml(Formula(latex=latex, says="")))


def tags(latex: str) -> list[str]:
    return [element.tag for element in typeset(latex).iter()]


@pytest.mark.parametrize(
    ("latex", "tag", "text"),
    [
        (r"\frac{a}{b}", "mfrac", "ab"),
        (r"\sqrt{D}", "msqrt", "D"),
        (r"x_i^2", "msubsup", "xi2"),
        (r"\sum_{j \le i} v_j", "munder", "∑j≤i"),
        (r"\lVert q \rVert", "mi", "q"),
        (r"\hat{y}", "mover", "y^"),
        (r"\mathbb{E}", "mi", "𝔼"),
        (r"\mathrm{softmax}(z)", "mi", "softmax"),
        (r"\arg\max_c x", "mo", "arg\N{THIN SPACE}max"),
    ],
)
def test_what_the_stories_use_is_typeset(latex: str, tag: str, text: str):
    found = ["".join(element.itertext()) for element in typeset(latex).iter(tag)]
    assert text in found


def test_every_formula_of_the_stories_can_be_typeset():
    for file in sorted(Path(str(files("shoal.studies"))).glob("*_story.py")):
        calls = (node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))
        formulas = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "Formula"]
        assert formulas, file.name
        for call in formulas:
            (latex,) = (ast.literal_eval(word.value) for word in call.keywords if word.arg == "latex")
            assert mathml(Formula(latex=latex, says=""))


def test_signs_are_operators_and_letters_stay_letters():
    assert [e.text for e in typeset(r"a \pm \infty").iter("mo")] == ["±"]
    assert [e.text for e in typeset(r"\partial x").iter("mi")] == ["∂", "x"]


@pytest.mark.parametrize("latex", [r"\text{<script>alert(1)</script>}", r"\text{a & b}", "a < b"])
def test_text_stays_text(latex: str):
    assert set(tags(latex)) <= {"math", "mrow", "mtext", "mi", "mo"}


def test_addresses_styles_and_identifiers_are_dropped():
    for latex in (r"\href{javascript:alert(1)}{x}", r"\color{red}{x}"):
        names = {name for element in typeset(latex).iter() for name in element.attrib}
        assert names <= {"display", "mathvariant"}


@pytest.mark.parametrize(
    ("latex", "got"),
    [
        (r"\nosuch{x}", r"an unknown command \nosuch"),
        (r"\frac{1}{2", "braces that do not match"),
        (r"a}{b", "braces that do not match"),
        ("", "NoAvailableTokensError"),
        ("x^", "MissingSuperScriptOrSubscriptError"),
        (r"\left( x", "ExtraLeftOrMissingRightError"),
        (r"\operatorname*{arg\,max}", "an operator without a name"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(latex: str, got: str):
    with pytest.raises(InputError) as error:
        mathml(Formula(latex=latex, says=""))
    assert str(error.value) == f"formula '{latex}': expected LaTeX's mathematics, got {got}"


def test_braces_that_are_printed_need_no_partner():
    assert "".join(typeset(r"\{1, \dots, K").itertext()) == "{1,…,K"


def test_formulas_stand_in_the_page_with_their_words(single: Element):
    story = fabricate().story
    assert story is not None
    boxes = single.all("div", class_="formula")
    assert len(boxes) == len(story.formulas) == len(single.all("math"))
    for box, formula in zip(boxes, story.formulas, strict=True):
        (image,) = box.all(role="img")
        (words,) = box.all(id=image.attributes["aria-labelledby"])
        assert words.text == formula.says
        assert image.all("math")
