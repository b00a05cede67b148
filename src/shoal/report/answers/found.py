"""What a run found, looked up by id: claims, cells and rows of tables, pictures.

    found = Found(result)
    found.claim("halves_the_macs", supported="…", contradicted="…")
    found.tell("The plain network has {right} right.", right=found.cell("comparison", "plain", "accuracy"))

What a result does not hold gives a sentence that says so and names the command that would measure it, never a blank
and never a number of another run.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from shoal.report.answers.blocks import Block, Judged, Missing, Pictured, Prose, Tabled
from shoal.report.answers.inline import plain_text
from shoal.report.numbers import column as written
from shoal.report.numbers import plain
from shoal.studies.result import Result, Table, Verdict

_OPEN = "This run cannot tell: the interval holds the bound. More examples or a larger budget would narrow it."


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of a table, as it is printed.

    Args:
        text: of the cell; None where there is none.
        where: which cell it is, in words.
    """

    text: str | None
    where: str


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why something may not have been measured, and the command that would measure it; that may be empty."""

    text: str
    command: str = ""


class Found:
    """A result that answers are looked up in.

    Args:
        result: of one run of one study.

    Example:
        >>> table = Table(id="sizes", title="", columns=("network", "MACs (M)"), rows=(("plain", 38.44),))
        >>> found = Found(Result(study="exits", title="", summary=(), command="shoal study exits", tables=(table,)))
        >>> found.tell("It needs {macs} million.", macs=found.cell("sizes", "plain", "MACs"))
        Prose(text='It needs 38.44 million.')
        >>> found.claim("halves_the_macs", supported="", contradicted="").text
        'This run did not judge “halves the macs”.'
    """

    def __init__(self, result: Result):
        self.result, self.study = result, result.study
        self._claims = {claim.id: claim for claim in result.claims}
        self._tables = {table.id: table for table in result.tables}
        self._pictures = {picture.id: picture for picture in result.pictures}

    def verdict(self, claim: str) -> Verdict | None:
        """How a claim was judged; None where it was not."""
        return self._claims[claim].verdict if claim in self._claims else None

    def claim(
        self, name: str, *, supported: str, contradicted: str, inconclusive: str = "", unless: Reason | None = None
    ) -> Block:
        """A claim with its verdict, and what follows from the verdict that it has in this run.

        Args:
            name: id of the claim.
            supported: what follows where it is supported.
            contradicted: what follows where it is contradicted.
            inconclusive: where neither; the reason is told unless given.
            unless: why it may not have been judged, and what would.
        """
        if name not in self._claims:
            return self._lacks(f"did not judge “{name.replace('_', ' ')}”", unless)
        claim = self._claims[name]
        undecided = f"This run cannot tell: {claim.unsettled}." if claim.unsettled else _OPEN
        readings = {"supported": supported, "contradicted": contradicted, "inconclusive": inconclusive or undecided}
        return Judged(study=self.study, claim=claim, reading=readings[claim.verdict])

    def table(
        self,
        name: str,
        *,
        columns: Sequence[str] = (),
        where: tuple[str, Sequence[str]] | None = None,
        unless: Reason | None = None,
    ) -> Block:
        """A table, or a part of it.

        Args:
            name: id of the table.
            columns: names of the columns to show besides the first; all unless given.
            where: name of a column, and the texts of which a row's has to be one; all rows unless given.
            unless: why there may be no such table, and what would make one.
        """
        table = self._tables.get(name)
        if table is None or not table.rows:
            return self._lacks(f"has no table “{name.replace('_', ' ')}”", unless)
        part = _part(table, columns, where)
        if part is None:
            return self._lacks(f"has not what is asked for in the table “{table.title}”", unless)
        return Tabled(study=self.study, table=part)

    def picture(self, name: str, *, unless: Reason | None = None) -> Block:
        """A picture; `unless` as of `table`."""
        if name not in self._pictures:
            return self._lacks(f"has no picture “{name.replace('_', ' ')}”", unless)
        return Pictured(study=self.study, picture=self._pictures[name])

    def cell(self, table: str, row: str | int, column: str) -> Cell:
        """One cell, written as the report writes it.

        Args:
            table: id of the table.
            row: what stands in its first column, or the beginning of that; or which row, from 0 or, back from the
                end, from -1.
            column: its name, or the beginning of its name.
        """
        where = f"“{column}” of {f'row {row}' if isinstance(row, int) else row} in the table “{table}”"
        found = self._tables.get(table)
        at = _place(found.columns, column) if found else None
        if found is None or at is None:
            return Cell(text=None, where=where)
        line = _line([str(cells[0]) for cells in found.rows], row)
        if line is None or found.rows[line][at] in (None, ""):
            return Cell(text=None, where=where)
        return Cell(text=written([cells[at] for cells in found.rows])[line], where=where)

    def setting(self, name: str) -> Cell:
        """A setting of the run."""
        value = self.result.settings.get(name)
        return Cell(text=None if value is None else plain(value), where=f"setting “{name}”")

    def tell(self, text: str, **cells: Cell) -> Block:
        """A paragraph with cells filled in by name: {name}."""
        lacking = [cell.where for cell in cells.values() if cell.text is None]
        if lacking:
            return self._lacks(f"has no {', and no '.join(lacking)}")
        return Prose(text=text.format(**{name: plain_text(cell.text or "") for name, cell in cells.items()}))

    def _lacks(self, what: str, unless: Reason | None = None) -> Missing:
        if unless is None:
            return Missing(text=f"This run {what}.", command=self.result.command)
        return Missing(text=f"This run {what}.", reason=unless.text, command=unless.command)


def _place(names: Sequence[str], name: str) -> int | None:
    """Where a name stands, or the first that begins with it."""
    if name in names:
        return names.index(name)
    return next((at for at, one in enumerate(names) if one.startswith(name)), None)


def _line(names: Sequence[str], row: str | int) -> int | None:
    """A row by its name, or by its number from either end."""
    if isinstance(row, str):
        return _place(names, row)
    return row % len(names) if -len(names) <= row < len(names) else None


def _part(table: Table, columns: Sequence[str], where: tuple[str, Sequence[str]] | None) -> Table | None:
    """Some columns and rows; None where one of the columns, or every row, is missing."""
    wanted = [0, *(_place(table.columns, name) for name in columns)] if columns else range(len(table.columns))
    at = _place(table.columns, where[0]) if where else 0
    if at is None or any(place is None for place in wanted):
        return None
    rows = [row for row in table.rows if where is None or str(row[at]) in where[1]]
    places = [place for place in wanted if place is not None]
    shown = tuple(tuple(row[place] for place in places) for row in rows)
    names = tuple(table.columns[place] for place in places)
    return dataclasses.replace(table, columns=names, rows=shown) if rows else None
