"""What the templates print: a `Result` with every number written, every anchor unique and every picture drawn.

The templates hold no logic beyond "if there is any": what can be decided is decided here, where it can be tested.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from shoal.report.about import common, differing
from shoal.report.anchors import slug, unique
from shoal.report.evidence import Link, resting_on, shown_by
from shoal.report.facts import Fact, Part, facts, shares, spaced
from shoal.report.formulas import FormulaView, formula_views
from shoal.report.interval import IntervalBar, interval_bar, needs
from shoal.report.numbers import duration, quantity, spread
from shoal.report.pictures import Drawing, draw
from shoal.report.tables import TableView, numbers_behind, table_view
from shoal.studies.result import Claim, Picture, Result, Verdict

VERDICTS: tuple[Verdict, ...] = ("supported", "contradicted", "inconclusive")


@dataclass(frozen=True, kw_only=True)
class ClaimView:
    """A claim with its numbers written, its bar laid out, and links to what shows it."""

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
    evidence: tuple[Link, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FigureView:
    """A picture drawn, with the table behind it where there is one, and links to the claims that rest on it."""

    anchor: str
    picture: Picture
    drawing: Drawing
    data: TableView | None
    claims: tuple[Link, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StudyView:
    """Everything that the page says about one study."""

    anchor: str
    result: Result
    claims: tuple[ClaimView, ...]
    by_verdict: dict[Verdict, tuple[ClaimView, ...]]
    figures: tuple[FigureView, ...]
    tables: tuple[TableView, ...]
    formulas: tuple[FormulaView, ...]
    environment: tuple[Fact, ...]
    data: tuple[Fact, ...]
    settings: tuple[Fact, ...]
    notes: tuple[Fact, ...]
    parts: tuple[Part, ...]
    total: str


@dataclass(frozen=True, kw_only=True)
class _Anchored:
    """Claims, pictures and tables of a result, each with the anchor of its place in the page."""

    claims: list[tuple[Any, str]]
    pictures: list[tuple[Any, str]]
    tables: list[tuple[Any, str]]

    @property
    def places(self) -> list[tuple[str, Link]]:
        """Ids of pictures and tables, with links to them."""
        return [*_numbered("Figure", self.pictures), *_numbered("Table", self.tables)]

    @property
    def links(self) -> list[tuple[str, Link]]:
        """Ids of claims, with links to them."""
        return [
            (claim.id, Link(anchor=anchor, text=label(claim.id), says=claim.sentence, verdict=claim.verdict))
            for claim, anchor in self.claims
        ]


def study_views(results: Sequence[Result]) -> tuple[StudyView, ...]:
    """Prepare results for the page; a study that occurs twice gets two anchors.

    Of several studies each says of its environment and notes only what is not shared: see `shoal.report.about`.

    Raises:
        InputError: if a picture or a formula holds what cannot be shown.
    """
    several = len(results) > 1
    shared = common([result.environment for result in results]) if several else {}
    noted = common([result.notes for result in results]) if several else {}
    anchors = unique([slug(result.study) for result in results])
    return tuple(_study(result, anchor, shared, noted) for result, anchor in zip(results, anchors, strict=True))


def label(name: str) -> str:
    """A claim's id as a short name.

    Example:
        >>> label("macs_halved")
        'MACs halved'
    """
    text = spaced(name)
    return text[:1].upper() + text[1:]


def _study(result: Result, anchor: str, shared: Mapping[str, Any], noted: Mapping[str, Any]) -> StudyView:
    anchored = _anchored(result, anchor)
    claims = tuple(_claim(*pair, result, anchored) for pair in anchored.claims)
    seconds = {name: value for name, value in result.seconds.items() if value is not None}
    return StudyView(
        anchor=anchor,
        result=result,
        claims=claims,
        by_verdict={verdict: tuple(claim for claim in claims if claim.verdict == verdict) for verdict in VERDICTS},
        figures=tuple(_figure(*pair, result, anchored) for pair in anchored.pictures),
        tables=tuple(
            replace(table_view(table, place), claims=resting_on(table.id, result.evidence, anchored.links))
            for table, place in anchored.tables
        ),
        formulas=formula_views(result.story.formulas if result.story else (), anchor),
        environment=facts(differing(result.environment, shared)),
        data=facts(result.data),
        settings=facts(result.settings),
        notes=facts(differing(result.notes, noted)),
        parts=shares(seconds),
        total=duration(sum(seconds.values())) if seconds else "",
    )


def _claim(claim: Claim, anchor: str, result: Result, anchored: _Anchored) -> ClaimView:
    effect, low, high = spread(claim.effect, claim.low, claim.high)
    return ClaimView(
        anchor=anchor,
        label=label(claim.id),
        verdict=claim.verdict,
        sentence=claim.sentence,
        measured=claim.measured,
        effect=quantity(effect, claim.unit),
        interval=f"{low} to {high}",
        needs=needs(claim),
        unsettled=claim.unsettled,
        bar=interval_bar(claim),
        evidence=shown_by(claim.id, result.evidence, anchored.places),
    )


def _figure(picture: Picture, anchor: str, result: Result, anchored: _Anchored) -> FigureView:
    return FigureView(
        anchor=anchor,
        picture=picture,
        drawing=draw(picture, anchor),
        data=numbers_behind(picture, anchor),
        claims=resting_on(picture.id, result.evidence, anchored.links),
    )


def _anchored(result: Result, anchor: str) -> _Anchored:
    def place(items: Sequence[Any], prefix: str) -> list[tuple[Any, str]]:
        names = unique([f"{anchor}-{prefix}-{slug(item.id)}" for item in items])
        return list(zip(items, names, strict=True))

    return _Anchored(
        claims=place(result.claims, "claim"),
        pictures=place(result.pictures, "figure"),
        tables=place(result.tables, "table"),
    )


def _numbered(kind: str, items: Sequence[tuple[Any, str]]) -> list[tuple[str, Link]]:
    return [
        (item.id, Link(anchor=anchor, text=f"{kind} {i}", says=item.title)) for i, (item, anchor) in enumerate(items, 1)
    ]
