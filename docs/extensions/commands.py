"""The reference of commands, from the command line itself: `{commands}` lists all with their flags."""

import re
from functools import cache
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from shoal.cli import app as shoal


class Commands(SphinxDirective):
    """All commands as sections: what each does, its arguments, its flags and what they are unless given."""

    def run(self) -> list[nodes.Node]:
        """Parse what cyclopts says, as Markdown, where the directive stands."""
        text = "\n".join(body for _, body in sections())
        return self.parse_text_to_nodes(text, allow_section_headings=True)


@cache
def sections() -> list[tuple[str, str]]:
    """Every command that does something itself, as "shoal exits fit", and a section about it."""
    text = shoal.generate_docs(output_format="markdown")
    parts = re.split(r"^#+ (shoal \S.*)$", text, flags=re.MULTILINE)[1:]
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return [(name, f"## {name}\n{body}") for name, body in pairs if "```console" in body]


def setup(app: Any) -> dict[str, bool]:
    """Register the directive."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
