"""Notebooks as pages: cells of text as they are, code and what it printed below, pictures as they were drawn.

A notebook is JSON; it becomes Markdown before it is parsed. Nothing is run here: the tests run notebooks.
"""

import json
from typing import Any

FENCE = "`" * 4


def markdown(notebook: dict[str, Any]) -> str:
    """A notebook's cells and their outputs as a page."""
    parts: list[str] = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"]).strip("\n")
        if cell["cell_type"] == "markdown":
            parts.append(source)
        elif cell["cell_type"] == "code" and source:
            parts.append(f"{FENCE}python\n{source}\n{FENCE}")
            parts += [shown(output) for output in cell["outputs"]]
    return "\n\n".join(part for part in parts if part) + "\n"


def shown(output: dict[str, Any]) -> str:
    """One output: text of a stream, a picture, or what an object says of itself."""
    if output["output_type"] == "stream":
        return text_block("".join(output["text"]))
    if output["output_type"] == "error":
        return text_block(f"{output['ename']}: {output['evalue']}")
    data = output.get("data", {})
    if "image/svg+xml" in data:
        return raw("".join(data["image/svg+xml"]))
    if "image/png" in data:
        return f'<img alt="" src="data:image/png;base64,{"".join(data["image/png"]).strip()}">'
    if "text/html" in data:
        return raw("".join(data["text/html"]))
    return text_block("".join(data.get("text/plain", "")))


def text_block(text: str) -> str:
    """What was printed, as a block of its own."""
    return f"{FENCE}text\n{text.rstrip()}\n{FENCE}" if text.strip() else ""


def raw(html: str) -> str:
    """HTML as it is."""
    return f"{FENCE}{{raw}} html\n{html}\n{FENCE}"


def read(app: Any, docname: str, source: list[str]) -> None:
    """Turn a notebook's JSON into Markdown."""
    if str(app.env.doc2path(docname)).endswith(".ipynb"):
        source[0] = markdown(json.loads(source[0]))


def setup(app: Any) -> dict[str, bool]:
    """Read files that end in .ipynb as pages."""
    app.add_source_suffix(".ipynb", "markdown")
    app.connect("source-read", read, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
