"""Make notebooks from their sources, which are Python with cells: what is reviewed, linted and tested is the source.

    python docs/notebooks/build.py               # writes attention.ipynb and the others, without outputs
    python docs/notebooks/build.py --run FOLDER  # runs them, and writes them with outputs into a folder

Needs the extra shoal[test] (jupytext; nbclient and ipykernel to run).
"""

import sys
from pathlib import Path

import jupytext
import nbformat

HERE = Path(__file__).parent
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
SECONDS = 600  # that a cell may take


def sources() -> list[Path]:
    """All sources, by name."""
    return sorted(path for path in HERE.glob("*.py") if path.stem != "build")


def notebook_of(source: Path) -> nbformat.NotebookNode:
    """The notebook of a source, without the module's docstring and without outputs."""
    book = jupytext.reads(source.read_text(), fmt="py:percent")
    book.cells = book.cells[1:]  # the docstring, which is about the source
    for number, cell in enumerate(book.cells):
        cell.id, cell.metadata = f"{source.stem}-{number}", {}
    book.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})
    nbformat.validate(book)
    return book


def text_of(book: nbformat.NotebookNode) -> str:
    """The file's contents."""
    return nbformat.writes(book) + "\n"


def run(book: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """Run all cells, in a kernel of their own.

    Args:
        book: changed in place.
        folder: that the kernel works in.

    Raises:
        CellExecutionError: if a cell fails.
    """
    from nbclient import NotebookClient

    resources = {"metadata": {"path": str(folder)}}
    return NotebookClient(book, timeout=SECONDS, kernel_name="python3", resources=resources).execute()


def main(words: list[str]) -> None:
    """Write the notebooks."""
    target = Path(words[1]) if words[:1] == ["--run"] else HERE
    target.mkdir(parents=True, exist_ok=True)
    for source in sources():
        book = notebook_of(source)
        if words:
            run(book, target)
        (target / f"{source.stem}.ipynb").write_text(text_of(book))


if __name__ == "__main__":
    main(sys.argv[1:])
