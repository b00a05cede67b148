"""Shoal's docstrings are plain text; before Sphinx reads them as reStructuredText, what it would misread is escaped.

`|a − b|²` is no substitution, `*args` no emphasis, `name_` no link, and an indented example is one without `::`.
`name` links to what is public under that name, and is code where nothing is.
"""

import importlib
import re
from functools import cache
from typing import Any

ROOMS = (
    "attention",
    "circuits",
    "summarize",
    "difficulty",
    "exits",
    "faces",
    "gallery",
    "measure",
    "nets",
    "engine",
    "report",
)
ROOMS += ("data", "data.faces", "data.texts")
CODE = re.compile(r"`+([^`]+)`+")
SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises|Example|Examples|Sources?|Notes?|Warns):\s*$")
MARKED = re.compile(r"([|*\\]|(?<=\w)_(?=\W|$))")
ITEM = re.compile(r"\s*([-*]|\d+\.) ")


@cache
def public_names() -> dict[str, str]:
    """Where each public name lives, for those that only one room has."""
    found: dict[str, list[str]] = {}
    for room in ROOMS:
        for name in importlib.import_module(f"shoal.{room}").__all__:
            found.setdefault(name, []).append(f"shoal.{room}.{name}")
    return {name: places[0] for name, places in found.items() if len(places) == 1}


def readable(lines: list[str]) -> list[str]:
    """The lines of a docstring as reStructuredText that says the same."""
    found: list[str] = []
    prose: list[str] = []
    code: int | None = None  # indentation of the literal block that we are in
    last = ""  # line that holds something
    for at, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if code is not None and line.strip() and indent < code:
            code = None
        opens = code is None and at > 0 and not lines[at - 1].strip() and _is_code(line, last)
        if code is None and not opens and not _is_example(lines, at):
            prose.append(line)
        else:
            found += [*_escaped(prose), *([" " * _indent(last) + "::", ""] if opens else []), line]
            prose = []
        code = indent if opens else code
        last = line if line.strip() else last
    return found + _escaped(prose)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _is_code(line: str, last: str) -> bool:
    """Whether a line after an empty one begins an indented block, rather than a section or a list."""
    if not line.strip() or not last or line.lstrip().startswith(">>>") or ITEM.match(line) or ITEM.match(last):
        return False
    return _indent(line) >= _indent(last) + 4 and not SECTION.match(last.strip())


def _is_example(lines: list[str], at: int) -> bool:
    """Whether a line is a prompt, or follows one without an empty line between."""
    for line in reversed(lines[: at + 1]):
        if not line.strip():
            return False
        if line.lstrip().startswith(">>>"):
            return True
    return False


def _escaped(lines: list[str]) -> list[str]:
    """Prose in which only code between backticks keeps its meaning; such code may go over the end of a line."""
    if not lines:
        return []
    parts = CODE.split("\n".join(lines))
    parts[::2] = [MARKED.sub(r"\\\1", part) for part in parts[::2]]
    parts[1::2] = [_reference(part) for part in parts[1::2]]
    for at in range(2, len(parts), 2):
        if parts[at][:1].isalnum():  # `torch.compile`d
            parts[at] = "\\ " + parts[at]
    return "".join(parts).split("\n")


def _reference(code: str) -> str:
    name = code.removesuffix("()")
    place = public_names().get(name) or (name if name in public_names().values() else None)
    return f":py:obj:`{code} <{place}>`" if place else f"``{code}``"


def process(_app: Any, _what: str, _name: str, _obj: Any, _options: Any, lines: list[str]) -> None:
    """Change a docstring's lines in place, before napoleon sees its sections."""
    lines[:] = readable(lines)


def setup(app: Any) -> dict[str, bool]:
    """Look at docstrings before napoleon (priority 500) does."""
    app.connect("autodoc-process-docstring", process, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
