r"""Formulas: LaTeX becomes MathML, which browsers typeset themselves, without a script, a font or a network.

latex2mathml does the reading. It passes on what it does not know, and text as it finds it: here unknown commands are
refused, only elements and attributes of mathematics reach the page, and they are mended where browsers would set them
badly: names in one piece, signs as operators.

Example:
    >>> print(mathml(Formula(latex=r"\frac{1}{n}", says="one over n"))[:58])
    <math display="block"><mrow><mfrac><mrow><mn>1</mn></mrow>
"""

import html
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree

from shoal.errors import InputError, wrong
from shoal.studies.story import Formula

if TYPE_CHECKING:
    from markupsafe import Markup

_ELEMENTS = {
    "math", "mfrac", "mi", "mmultiscripts", "mn", "mo", "mover", "mpadded", "mphantom", "mroot", "mrow", "ms", "mspace",
    "msqrt", "mstyle", "msub", "msubsup", "msup", "mtable", "mtd", "mtext", "mtr", "munder", "munderover",
}  # fmt: skip
_ATTRIBUTES = {
    "accent", "accentunder", "columnalign", "columnspacing", "depth", "display", "displaystyle", "fence", "form",
    "height", "largeop", "linethickness", "lspace", "mathsize", "mathvariant", "maxsize", "minsize", "movablelimits",
    "rowspacing", "rspace", "scriptlevel", "separator", "stretchy", "symmetric", "voffset", "width",
}  # fmt: skip
_THINGS = "∂∇∞∅"  # mathematical symbols that stand for things, not for what is done with them


@dataclass(frozen=True, kw_only=True)
class FormulaView:
    """A formula typeset, with its words."""

    anchor: str
    math: "Markup"
    says: str


def formula_views(formulas: Sequence[Formula], anchor: str) -> tuple[FormulaView, ...]:
    """Typeset the formulas of one study.

    Args:
        formulas: in order.
        anchor: of the study.

    Raises:
        InputError: as `mathml`.
    """
    return tuple(
        FormulaView(anchor=f"{anchor}-formula-{i}", math=mathml(formula), says=formula.says)
        for i, formula in enumerate(formulas, 1)
    )


def mathml(formula: Formula, display: Literal["block", "inline"] = "block") -> "Markup":
    r"""Typeset one formula.

    Args:
        formula: its LaTeX, in the mathematics that latex2mathml knows.
        display: on lines of its own, or within a line of text.

    Returns:
        One `<math>` element.

    Raises:
        InputError: if the LaTeX cannot be read, or holds a command that is not known; the formula is named.

    Example:
        >>> mathml(Formula(latex=r"\frac{1}{n", says="a slip"))
        Traceback (most recent call last):
        shoal.errors.InputError: formula '\frac{1}{n': expected LaTeX's mathematics, got braces that do not match
    """
    from latex2mathml.converter import Converter
    from markupsafe import Markup

    _check_braces(formula.latex)
    try:
        root = Converter(display=display).convert_to_element(_known(formula.latex))
    except Exception as error:  # the library's errors share no class
        raise _unreadable(formula.latex, type(error).__name__) from None
    root.attrib.pop("xmlns", None)  # in HTML the parser knows
    _clean(root, formula.latex)
    return Markup(ElementTree.tostring(root, encoding="unicode", method="xml"))


def _clean(element: ElementTree.Element, latex: str) -> None:
    """Keep what is mathematics, and text as text: latex2mathml writes entities into it."""
    if element.tag not in _ELEMENTS:
        raise _unreadable(latex, f"an element <{element.tag}>")
    element.attrib = {name: value for name, value in element.attrib.items() if name in _ATTRIBUTES}
    element.text = html.unescape(element.text or "")
    element.tail = None
    if element.text.startswith("\\") and len(element.text) > 1:
        raise _unreadable(latex, f"an unknown command {element.text}")
    if element.tag == "mo" and not element.text and not element.attrib:
        raise _unreadable(latex, "an operator without a name")
    if element.tag == "mtext":  # at its ends, a space that may break would not be seen
        element.text = element.text.replace(" ", "\N{NO-BREAK SPACE}")
    if element.tag in {"mi", "mo"} and len(element.text) == 1:
        element.tag = _kind(element.text, element.tag)
    for child in element:
        _clean(child, latex)
    _join(element)


def _kind(sign: str, found: str) -> str:
    """Whether a single sign is an operator or stands for a thing: "±" for the one, "∞" for the other."""
    if sign in _THINGS:
        return "mi"
    return "mo" if unicodedata.category(sign) == "Sm" else found


def _join(row: ElementTree.Element) -> None:
    """Upright letters side by side are one name: "softmax" is no product of seven."""
    if row.tag not in {"mrow", "math", "mtd"}:
        return
    kept: list[ElementTree.Element] = []
    for child in row:
        upright = child.tag == "mi" and child.get("mathvariant") == "normal"
        if upright and kept and kept[-1].tag == "mi" and kept[-1].get("mathvariant") == "normal":
            kept[-1].text = f"{kept[-1].text}{child.text}"
        else:
            kept.append(child)
    row[:] = kept


def _known(latex: str) -> str:
    r"""LaTeX writes \arg\max where latex2mathml knows \argmax."""
    return re.sub(r"\\arg\s*\\(max|min)(?![a-z])", r"\\arg\1", latex)


def _check_braces(latex: str) -> None:
    """latex2mathml closes what was left open: a slip of the pen would be typeset as something else."""
    depth = 0
    for brace in re.findall(r"(?<!\\)(?:\\\\)*([{}])", latex):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            break
    if depth:
        raise _unreadable(latex, "braces that do not match")


def _unreadable(latex: str, got: str) -> InputError:
    return wrong(f"formula '{latex}'", expected="LaTeX's mathematics", got=got)
