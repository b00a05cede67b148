"""The real functions of Shoal, as they run, for answers that explain code: nothing is copied that could drift.

The text is read from the module's file, which need not be imported for that: a report needs no torch.
"""

import ast
import functools
from pathlib import Path

import shoal
from shoal.report.answers.blocks import Code

_Named = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@functools.cache
def code(module: str, *names: str) -> Code:
    """The source of functions or classes of a module, without their docstrings.

    Args:
        module: for example "shoal.measure.recording".
        names: of functions or classes at its top level, in the order to show them.

    Raises:
        KeyError: if the module has no such function or class.

    Example:
        >>> print(code("shoal.files", "write_text").source.splitlines()[0])
        def write_text(path: str | Path, text: str) -> None:
    """
    path = Path(shoal.__file__).parent.joinpath(*module.split(".")[1:]).with_suffix(".py")
    text = path.read_text(encoding="utf-8")
    found = {node.name: node for node in ast.parse(text).body if isinstance(node, _Named)}
    sources = [_without_docstrings(found[name], text.splitlines()) for name in names]
    return Code(name=" and ".join(f"{module}.{name}" for name in names), source="\n\n\n".join(sources))


def _without_docstrings(node: _Named, lines: list[str]) -> str:
    """The lines of a function or class that are no docstring; comments stay."""
    left_out: set[int] = set()
    for inner in ast.walk(node):
        if isinstance(inner, _Named) and ast.get_docstring(inner) is not None:
            left_out.update(_told(inner, lines))
    first = min((node, *node.decorator_list), key=lambda part: part.lineno).lineno
    kept = range(first, (node.end_lineno or first) + 1)
    return "\n".join(lines[at - 1] for at in kept if at not in left_out)


def _told(node: _Named, lines: list[str]) -> range:
    """The numbers of the lines of a docstring, and of an empty one below it."""
    told = node.body[0]
    last = told.end_lineno or told.lineno
    return range(told.lineno, last + 1 + (last < len(lines) and not lines[last].strip()))
