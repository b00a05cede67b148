"""What the templates print: a `Result` with every number written, every anchor unique and every picture drawn.

The templates hold no logic beyond "if there is any": what can be decided is decided here, where it can be tested.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shoal.report.charts import distinct, usable
from shoal.report.interval import IntervalBar, interval_bar, needs
from shoal.report.numbers import column, duration, plain, quantity, spread
from shoal.report.pictures import Drawing, draw
from shoal.studies.result import Claim, Picture, Result, Table, Verdict

VERDICTS: tuple[Verdict, ...] = ("supported", "contradicted", "inconclusive")
_SPELLING = {
    "macs": "MACs",
    "jpeg": "JPEG",
    "gb": "GB",
    "mb": "MB",
    "knn": "k-NN",
    "qk": "QK",
    "ov": "OV",
    "id": "ID",
    "lr": "learning rate",
}
_MOST_ROWS, _MOST_SERIES = 60, 12  # of the table behind a picture


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell of a table."""

    text: str
    numeric: bool


@dataclass(frozen=True, kw_only=True)
class TableView:
    """A table with its cells written; `numeric` says which columns are right-aligned."""

    anchor: str
    title: str
    columns: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class ClaimView:
    """A claim with its numbers written and its bar laid out."""

    anchor: str
    label: str
    verdict: Verdict
    sentence: str
    measured: str
    effect: str
    interval: str
    needs: str
    unsettled: str
    bar: IntervalBar


@dataclass(frozen=True, kw_only=True)
class FigureView:
    """A picture drawn, with the table behind it where there is one."""

    anchor: str
    picture: Picture
    drawing: Drawing
    data: TableView | None


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of the run: how long it took, and which share of the whole that is."""

    name: str
    time: str
    percent: float


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A name with its value, or with further facts."""

    name: str
    text: str = ""
    facts: tuple["Fact", ...] = ()


@dataclass(frozen=True, kw_only=True)
class StudyView:
    """Everything that the page says about one study."""

    anchor: str
    result: Result
    claims: tuple[ClaimView, ...]
    by_verdict: dict[Verdict, tuple[ClaimView, ...]]
    figures: tuple[FigureView, ...]
    tables: tuple[TableView, ...]
    environment: tuple[Fact, ...]
    data: tuple[Fact, ...]
    settings: tuple[Fact, ...]
    notes: tuple[Fact, ...]
    parts: tuple[Part, ...]
    total: str


def study_views(results: Sequence[Result]) -> tuple[StudyView, ...]:
    """Prepare results for the page; a study that occurs twice gets two anchors."""
    anchors = unique([slug(result.study) for result in results])
    return tuple(_study(result, anchor) for result, anchor in zip(results, anchors, strict=True))


def slug(text: str) -> str:
    """Letters, digits and hyphens only: fit for an id and an address.

    Example:
        >>> slug("exits / CIFAR-10 <b>"), slug("…")
        ('exits-cifar-10-b', 'part')
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "part"


def facts(values: Mapping[str, Any]) -> tuple[Fact, ...]:
    """Names and values as text; a mapping within stays a group.

    Example:
        >>> facts({"memory_gb": 7.8, "versions": {"torch": "2.13"}})[1].facts
        (Fact(name='torch', text='2.13', facts=()),)
    """
    return tuple(
        Fact(name=_spaced(name), facts=facts(value))
        if isinstance(value, Mapping) and value
        else Fact(name=_spaced(name), text=plain(value))
        for name, value in values.items()
    )


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


def _study(result: Result, anchor: str) -> StudyView:
    claims = tuple(_claim(*pair) for pair in _anchored(result.claims, f"{anchor}-claim"))
    seconds = {name: value for name, value in result.seconds.items() if value is not None}
    total = sum(seconds.values())
    return StudyView(
        anchor=anchor,
        result=result,
        claims=claims,
        by_verdict={verdict: tuple(claim for claim in claims if claim.verdict == verdict) for verdict in VERDICTS},
        figures=tuple(_figure(*pair) for pair in _anchored(result.pictures, f"{anchor}-figure")),
        tables=tuple(table_view(*pair) for pair in _anchored(result.tables, f"{anchor}-table")),
        environment=facts(result.environment),
        data=facts(result.data),
        settings=facts(result.settings),
        notes=facts(result.notes),
        parts=tuple(
            Part(name=_spaced(name), time=duration(value), percent=round(100 * value / total, 1) if total else 0.0)
            for name, value in seconds.items()
        ),
        total=duration(total) if seconds else "",
    )


def _claim(claim: Claim, anchor: str) -> ClaimView:
    effect, low, high = spread(claim.effect, claim.low, claim.high)
    return ClaimView(
        anchor=anchor,
        label=_label(claim.id),
        verdict=claim.verdict,
        sentence=_tied(claim.sentence),
        measured=_tied(claim.measured),
        effect=quantity(effect, claim.unit),
        interval=f"{low} to {high}",
        needs=needs(claim),
        unsettled=claim.unsettled,
        bar=interval_bar(claim),
    )


def _tied(text: str) -> str:
    """A percent sign stays with its number when lines break."""
    return re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", text)


def _figure(picture: Picture, anchor: str) -> FigureView:
    return FigureView(anchor=anchor, picture=picture, drawing=draw(picture, anchor), data=_behind(picture, anchor))


def _behind(picture: Picture, anchor: str) -> TableView | None:
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


def _spaced(name: object) -> str:
    return " ".join(_SPELLING.get(word, word) for word in str(name).replace("_", " ").split(" "))


def _label(name: str) -> str:
    text = _spaced(name)
    return text[:1].upper() + text[1:]


def _anchored(items: Sequence[Any], prefix: str) -> list[tuple[Any, str]]:
    """Items that have an id, each with an anchor of its own."""
    return list(zip(items, unique([f"{prefix}-{slug(item.id)}" for item in items]), strict=True))


def unique(anchors: Sequence[str]) -> list[str]:
    """The anchors in order, each with the first number that makes it new where it is not.

    Example:
        >>> unique(["exits", "faces", "exits"])
        ['exits', 'faces', 'exits-2']
    """
    result: list[str] = []
    for anchor in anchors:
        tries = itertools.chain([anchor], (f"{anchor}-{i}" for i in itertools.count(2)))
        result.append(next(name for name in tries if name not in result))
    return result
