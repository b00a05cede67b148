"""One table in several runs, row by row: what belongs together, and which cells changed.

Rows belong together that begin alike: with the same first cell, or the same first two where the first repeats. Where
that does not tell rows apart, the n-th row of a beginning belongs to the n-th of the same beginning.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from shoal.report.numbers import column
from shoal.studies.result import Table

Row = tuple[str | float | int | None, ...]
_MOST_KEYS = 2  # cells of a row's beginning that may tell it from others


@dataclass(frozen=True, kw_only=True)
class RowsCompared:
    """One row of a table, in every run.

    Args:
        cells: as written, by run; None where a run has no such row.
        changed: for each cell of each run whether it differs from the first run that has the row.
    """

    cells: tuple[tuple[str, ...] | None, ...]
    changed: tuple[tuple[bool, ...], ...]


@dataclass(frozen=True, kw_only=True)
class TableCompared:
    """One table in several runs.

    Args:
        id: of the table.
        title: as the first run has it.
        columns: names.
        numeric: which columns hold numbers.
        rows: in the order of the first run, then what only others have.
    """

    id: str
    title: str
    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[RowsCompared, ...]

    @property
    def differing(self) -> int:
        """Rows that are not the same in all runs."""
        return sum(None in row.cells or any(map(any, row.changed)) for row in self.rows)


def compare_tables(tables: Sequence[Table]) -> TableCompared:
    """Lay the same table of several runs side by side.

    Args:
        tables: one a run, of the same columns.

    Example:
        >>> one = Table(id="t", title="T", columns=("network", "right"), rows=(("plain", 93.5), ("early", 92.0)))
        >>> two = Table(id="t", title="T", columns=("network", "right"), rows=(("plain", 93.5), ("early", 91.0)))
        >>> compared = compare_tables([one, two])
        >>> compared.rows[1].cells, compared.rows[1].changed, compared.differing
        ((('early', '92.0'), ('early', '91.0')), ((False, False), (False, True)), 1)
    """
    width, written = _width(tables), _written(tables)
    keyed = [dict(zip(_keys(table, width), texts, strict=True)) for table, texts in zip(tables, written, strict=True)]
    keys = list(dict.fromkeys(key for rows in keyed for key in rows))
    values = [[row[place] for table in tables for row in table.rows] for place in range(len(tables[0].columns))]
    return TableCompared(
        id=tables[0].id,
        title=tables[0].title,
        columns=tables[0].columns,
        numeric=tuple(_numeric(cells) for cells in values),
        rows=tuple(_row([rows.get(key) for rows in keyed]) for key in keys),
    )


def _row(cells: Sequence[tuple[str, ...] | None]) -> RowsCompared:
    first = next(row for row in cells if row is not None)
    changed = (tuple(a != b for a, b in zip(row, first, strict=True)) if row else () for row in cells)
    return RowsCompared(cells=tuple(cells), changed=tuple(changed))


def _written(tables: Sequence[Table]) -> list[list[tuple[str, ...]]]:
    """The rows of each table as text, a column with the same decimals in all of them."""
    rows = [row for table in tables for row in table.rows]
    texts = iter(list(zip(*map(column, zip(*rows, strict=True)), strict=True)))
    return [[next(texts) for _ in table.rows] for table in tables]


def _width(tables: Sequence[Table]) -> int:
    """How many cells of its beginning tell a row from all others, in every run."""
    for width in range(1, _MOST_KEYS + 1):
        if all(len({row[:width] for row in table.rows}) == len(table.rows) for table in tables):
            return width
    return 1


def _keys(table: Table, width: int) -> list[tuple[Row, int]]:
    seen: Counter[Row] = Counter()
    keys = []
    for row in table.rows:
        keys.append((row[:width], seen[row[:width]]))
        seen[row[:width]] += 1
    return keys


def _numeric(cells: Sequence[str | float | int | None]) -> bool:
    known = [cell for cell in cells if cell is not None]
    return bool(known) and not any(isinstance(cell, str) for cell in known)
