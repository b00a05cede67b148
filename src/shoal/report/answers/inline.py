r"""Text within a paragraph: formulas between dollar signs, code between backticks, bold words between asterisks.

What a run says may hold any of these signs; `plain_text` guards them, so that they are shown as they are:

    >>> print(html_of("$k$ is **small**: " + plain_text("a $1 `tip` <b>")))
    <math display="inline"><mrow><mi>k</mi></mrow></math> is <b>small</b>: a $1 `tip` &lt;b&gt;
"""

import re
from typing import TYPE_CHECKING

from shoal.report.formulas import mathml
from shoal.studies.story import Formula

if TYPE_CHECKING:
    from markupsafe import Markup

_PARTS = re.compile(r"\\([\\$`*_\[\]<>|~#])|\$([^$]+)\$|`([^`]+)`|\*\*(.+?)\*\*")
_SIGNS = re.compile(r"[\\$`*_\[\]<>|~#]")


def plain_text(text: str) -> str:
    r"""Text that is to be shown as it is: signs that would mean something get a backslash, as Markdown has it.

    Example:
        >>> print(plain_text("5 * 3"))
        5 \* 3
    """
    return _SIGNS.sub(r"\\\g<0>", text)


def html_of(text: str) -> "Markup":
    """A paragraph as HTML; all that is no mark-up is escaped."""
    from markupsafe import Markup, escape

    parts, at = [], 0
    for found in _PARTS.finditer(text):
        parts.append(escape(_unbroken(text[at : found.start()])))
        parts.append(_marked(*found.groups()))
        at = found.end()
    return Markup("").join([*parts, escape(_unbroken(text[at:]))])


def _marked(sign: str | None, latex: str | None, code: str | None, bold: str | None) -> "Markup":
    from markupsafe import Markup, escape

    if latex is not None:
        return mathml(Formula(latex=latex, says=latex), "inline")
    if code is not None:
        return Markup("<code>{}</code>").format(code)
    if bold is not None:
        return Markup("<b>{}</b>").format(html_of(bold))
    return escape(sign)


def _unbroken(text: str) -> str:
    """A number and its per cent sign stay on one line."""
    return re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", text)
