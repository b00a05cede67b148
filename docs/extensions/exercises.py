"""The exercises as a page: `{exercises}` lists each stub of docs/exercises with its task and the code to complete."""

import ast
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

FENCE = "`" * 4


class Exercises(SphinxDirective):
    """One section an exercise, in the order of their numbers."""

    def run(self) -> list[nodes.Node]:
        """Read the stubs next to the page that asks."""
        stubs = sorted((Path(self.env.srcdir) / "exercises").glob("e[0-9]*.py"))
        for stub in stubs:
            self.env.note_dependency(str(stub))
        text = "\n".join(section(number, stub) for number, stub in enumerate(stubs, start=1))
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def section(number: int, stub: Path) -> str:
    """Title, task and code of one stub, as Markdown."""
    source = stub.read_text()
    module = ast.parse(source)
    title, _, task = (ast.get_docstring(module) or stub.stem).partition("\n")
    code = "\n".join(source.splitlines()[module.body[0].end_lineno :]).strip("\n")
    return f"## {number}. {title.rstrip('.')}\n\n`{stub.name}`\n\n{task.strip()}\n\n{FENCE}python\n{code}\n{FENCE}\n"


def setup(app: Any) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("exercises", Exercises)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
