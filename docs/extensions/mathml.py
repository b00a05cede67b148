"""Mathematics typeset at build time: `$…$` and `$$…$$` become MathML, which browsers draw without a script or a font.

The report typesets its formulas so, too, and refuses a command that it does not know. Sphinx's own ways are MathJax (a
script, from a network unless it is vendored) and pictures (a TeX installation).
"""

from typing import Any

from docutils import nodes

from shoal.report.formulas import mathml
from shoal.studies.story import Formula


def inline(writer: Any, node: nodes.math) -> None:
    """Write a formula in a line."""
    writer.body.append(str(mathml(Formula(latex=node.astext(), says=node.astext()), "inline")))
    raise nodes.SkipNode


def block(writer: Any, node: nodes.math_block) -> None:
    """Write a formula of its own, in a box that scrolls where the page is narrow."""
    formula = mathml(Formula(latex=node.astext(), says=node.astext()))
    writer.body.append(f'<div class="formula" role="group" aria-label="formula" tabindex="0">{formula}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Register the renderer under the name that conf.py asks for."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
