"""Tables with their cells written, and the table of numbers behind a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shoal.report.charts import distinct, usable
from shoal.report.evidence import Link
from shoal.report.numbers import column
from shoal.studies.result import Picture, Table

_MOST_ROWS, _MOST_SERIES = 60, 12  # of the table behind a picture


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of a table; a numeric one is right-aligned."""

    text: str
    numeric: bool


@dataclass(frozen=True, kw_only=True)
class TableView:
    """A table with its cells written, and links to the claims that rest on it."""

    anchor: str
    title: str
    columns: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    claims: tuple[Link, ...] = ()


def table_view(table: Table, anchor: str) -> TableView:
    """Write the cells of a table, column by column."""
    columns = list(zip(*table.rows, strict=True)) if table.rows else [() for _ in table.columns]
    numeric = [_numeric(cells) for cells in columns]
    texts = [column(cells) for cells in columns]
    return TableView(
        anchor=anchor,
        title=table.title,
        columns=tuple(Cell(text=name, numeric=right) for name, right in zip(table.columns, numeric, strict=True)),
        rows=tuple(
            tuple(Cell(text=text, numeric=right) for text, right in zip(row, numeric, strict=True))
            for row in zip(*texts, strict=True)
        ),
        note=table.note,
    )


def numbers_behind(picture: Picture, anchor: str) -> TableView | None:
    """The numbers of lines and bars as a table, x down and series across; None where that would be too long."""
    if picture.kind not in {"lines", "bars"}:
        return None
    names = distinct(str(row.get("series") or "") for row in picture.rows)
    places = distinct(row.get("x") for row in picture.rows)
    values = {(row.get("x"), str(row.get("series") or "")): row.get("y") for row in picture.rows}
    if not 0 < len(places) <= _MOST_ROWS or len(names) > _MOST_SERIES or len(values) < len(picture.rows):
        return None
    if all(map(usable, places)):
        places.sort()
    heads = tuple(name or picture.y or "value" for name in names)
    rows = tuple((place, *(_value(values.get((place, name))) for name in names)) for place in places)
    title = f"The numbers behind the picture: {picture.title}"
    table = Table(id=picture.id, title=title, columns=(picture.x or "x", *heads), rows=rows)
    return table_view(table, f"{anchor}-data")


def _value(value: Any) -> float | int | None:
    return value if usable(value) else None


def _numeric(cells: Sequence[str | float | int | None]) -> bool:
    """Whether a column holds numbers and nothing else but gaps."""
    known = [cell for cell in cells if cell is not None]
    return bool(known) and not any(isinstance(cell, str) for cell in known)
