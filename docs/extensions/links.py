"""Links of pages to files of the repository: on a code host they open the file, in the site they offer it.

Sphinx copies a file that a page links to; a link to a folder it cannot follow. The folders that pages link to have
pages of their own, and those are taken.
"""

import posixpath
from typing import Any

FOLDERS = {"../benchmarks/records": "records.md"}


def follow(_app: Any, docname: str, source: list[str]) -> None:
    """Lead a page's links to a folder to the page about it."""
    for folder, page in FOLDERS.items():
        here = posixpath.relpath(page, posixpath.dirname(docname) or ".")
        up = "../" * docname.count("/")
        source[0] = source[0].replace(f"]({up}{folder})", f"]({here})")


def setup(app: Any) -> dict[str, bool]:
    """Look at every page before it is parsed."""
    app.connect("source-read", follow)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
