"""Small tables as text and as HTML, for a console and for a notebook."""

from abc import ABC, abstractmethod
from html import escape


class TextTable(ABC):
    """A table that says what is in its cells; columns of numbers end at the right, others begin at the left."""

    @abstractmethod
    def cells(self) -> list[tuple[str, ...]]:
        """The table as text, row by row, head first."""

    def __str__(self) -> str:
        return self.format_table()

    def format_table(self) -> str:
        """Lay the table out as lines of text."""
        head, *body = self.cells()
        columns = list(zip(head, *body, strict=True))
        widths = [max(map(len, column)) for column in columns]
        numbers = [all(cell[:1].isdigit() or not cell for cell in column[1:]) for column in columns]
        lines = [
            "  ".join(f"{cell:>{width}}" if right else f"{cell:<{width}}" for cell, width, right in fitted)
            for fitted in (zip(row, widths, numbers, strict=True) for row in (head, *body))
        ]
        return "\n".join(line.rstrip() for line in lines)

    def _repr_html_(self) -> str:
        head, *body = self.cells()
        lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
        lines += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in body]
        return "<table>" + "".join(lines) + "</table>"
