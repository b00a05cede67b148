r"""What every page of the report is made with: templates, the style sheet, the script, and the policy that allows it.

A page holds all that it needs. Its Content-Security-Policy allows the one script by its hash and nothing else that
could be slipped in:

    templates().get_template("page.html").render(css=style(), script=script(), policy=content_policy(), ...)

Example:
    >>> content_policy().startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-")
    True
    >>> compact("<p>\n    a\n\n</p>\n<pre>\n    b</pre>")
    '<p>\na\n</p>\n<pre>\n    b</pre>'
"""

import base64
import functools
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_TEMPLATES = Path(__file__).parent / "templates"
_KEPT = re.compile(r"(<pre\b.*?</pre>)", re.DOTALL)


@functools.cache
def templates() -> "Environment":
    """Templates that escape all text, refuse names that are not there, and keep numbers with their per cent signs."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_unbroken,
    )


def style(*names: str) -> "Markup":
    """The style sheets without their comments; the report's own unless others are named."""
    from markupsafe import Markup

    return Markup("\n".join(map(_sheet, names or ("report.css",))))


def script() -> "Markup":
    """The script that sorts tables, without its comments."""
    from markupsafe import Markup

    return Markup(_script())


def content_policy() -> str:
    """What a page may do: its own styles, pictures inside it, and the script of that very text."""
    digest = base64.b64encode(hashlib.sha256(_script().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'"


def compact(page: str) -> str:
    """Drop the indentation and the empty lines of the templates; what is preformatted stays."""
    parts = _KEPT.split(page)
    return "".join(part if part.startswith("<pre") else re.sub(r"\n\s+", "\n", part) for part in parts)


def _unbroken(value: object) -> object:
    """Text in which a number and its per cent sign stay on one line."""
    return re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", value) if type(value) is str else value


@functools.cache
def _sheet(name: str) -> str:
    text = (_TEMPLATES / name).read_text(encoding="utf-8")
    return re.sub(r"\n\s*\n+", "\n", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)).strip()


@functools.cache
def _script() -> str:
    """As it stands in the page: `compact` would change nothing in it, so that its hash holds."""
    text = (_TEMPLATES / "sorting.js").read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    return "\n" + "\n".join(line for line in lines if line and not line.startswith("//")) + "\n"
