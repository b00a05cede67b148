"""Rows of cells as lines of text and as HTML: the first row is the head, the first column the names."""

from collections.abc import Sequence
from html import escape


def text_table(cells: Sequence[Sequence[str]]) -> str:
    """Columns of equal width, two spaces apart.

    Example:
        >>> print(text_table([("", "F1"), ("rouge1", "34.2"), ("rouge2", "9.6")]))
                F1
        rouge1  34.2
        rouge2  9.6
    """
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


def html_table(title: str, cells: Sequence[Sequence[str]]) -> str:
    """The same for a notebook, under its title.

    Example:
        >>> html_table("2 rows", [("", "F1"), ("rouge1", "34.2")])
        '<p>2 rows</p><table><tr><th></th><th>F1</th></tr><tr><td>rouge1</td><td>34.2</td></tr></table>'
    """
    head, *body = cells
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in body]
    return f"<p>{escape(title)}</p><table>{''.join(lines)}</table>"
