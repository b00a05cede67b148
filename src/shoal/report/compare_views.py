"""What the page of a comparison prints: every number written, every bar laid out, every anchor unique.

Templates decide nothing; what can be decided is decided here, where it can be tested.
"""

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from shoal.report.anchors import slug, unique
from shoal.report.compare import ClaimCompared, Comparison, StudyCompared
from shoal.report.compare_bars import Scale, scale
from shoal.report.compare_difference import Difference, Outcome
from shoal.report.compare_tables import TableCompared
from shoal.report.facts import spaced
from shoal.report.interval import needs
from shoal.report.numbers import duration, plain, quantity, spread
from shoal.studies.result import Claim, Result, Verdict

_OUTCOMES: dict[Outcome, str] = {"differs": "differs", "same": "the same numbers", "cannot be told": "cannot be told"}
OPEN_ROWS = 14  # a table of so many lines stands open


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One run's side of a claim; what it needs is empty where the run before needs the same."""

    letter: str
    verdict: Verdict
    effect: str
    interval: str
    needs: str
    unsettled: str
    measured: str


@dataclass(frozen=True, kw_only=True)
class Change:
    """The difference of one run to the first, in words; `outcome` names its style too."""

    letters: str
    numbers: str
    outcome: Outcome
    says: str


@dataclass(frozen=True, kw_only=True)
class ClaimView:
    """One claim in all runs that have it."""

    anchor: str
    label: str
    sentence: str
    sides: tuple[Measured, ...]
    missing: str
    scale: Scale | None
    changes: tuple[Change, ...]
    verdict_changed: bool
    differs: bool


@dataclass(frozen=True, kw_only=True)
class TableComparedView:
    """A table with the anchor of its caption; `lines` is how many it has."""

    anchor: str
    table: TableCompared
    open: bool


@dataclass(frozen=True, kw_only=True)
class StudyView:
    """Everything that the page says about one study in several runs."""

    anchor: str
    title: str
    study: StudyCompared
    conditions: tuple[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]], ...]
    times: tuple[str, ...]
    claims: tuple[ClaimView, ...]
    tables: tuple[TableComparedView, ...]

    @property
    def turned(self) -> tuple[ClaimView, ...]:
        """Claims whose verdict changed."""
        return tuple(claim for claim in self.claims if claim.verdict_changed)

    @property
    def differing(self) -> tuple[ClaimView, ...]:
        """Claims whose effects differ by more than noise."""
        return tuple(claim for claim in self.claims if claim.differs)

    @property
    def compared(self) -> int:
        """Claims that the first run and another one have."""
        return sum(any(found for found in claim.differences) for claim in self.study.claims)

    @property
    def partial(self) -> tuple[ClaimView, ...]:
        """Claims that not all runs have."""
        return tuple(claim for claim in self.claims if claim.missing)


@dataclass(frozen=True, kw_only=True)
class AloneView:
    """A study that only one run holds."""

    letter: str
    result: Result
    tally: tuple[tuple[Verdict, int], ...]


def study_views(comparison: Comparison) -> tuple[StudyView, ...]:
    """Prepare the studies of a comparison for the page."""
    anchors = unique([slug(found.study) for found in comparison.studies])
    return tuple(_study(found, anchor) for found, anchor in zip(comparison.studies, anchors, strict=True))


def alone_views(comparison: Comparison) -> tuple[AloneView, ...]:
    """Prepare what only one run holds."""
    return tuple(AloneView(letter=letter, result=found, tally=_tally(found)) for letter, found in comparison.alone)


def _tally(result: Result) -> tuple[tuple[Verdict, int], ...]:
    counts = Counter(claim.verdict for claim in result.claims)
    return tuple((verdict, counts[verdict]) for verdict in get_args(Verdict) if counts[verdict])


def _study(found: StudyCompared, anchor: str) -> StudyView:
    claim_anchors = unique([f"{anchor}-claim-{slug(claim.id)}" for claim in found.claims])
    table_anchors = unique([f"{anchor}-table-{slug(table.id)}" for table in found.tables])
    totals = (sum(seconds for seconds in result.seconds.values() if seconds) for result in found.results)
    lines = [sum(cells is not None for row in table.rows for cells in row.cells) for table in found.tables]
    return StudyView(
        anchor=anchor,
        title=found.results[0].title,
        study=found,
        conditions=_conditions(found),
        times=tuple(duration(seconds) if seconds else duration(None) for seconds in totals),
        claims=tuple(_claim(claim, found.letters, at) for claim, at in zip(found.claims, claim_anchors, strict=True)),
        tables=tuple(
            TableComparedView(anchor=at, table=table, open=count <= OPEN_ROWS)
            for table, at, count in zip(found.tables, table_anchors, lines, strict=True)
        ),
    )


def _conditions(found: StudyCompared) -> tuple[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]], ...]:
    """What changed, as text, by part: (part, ((name, values), ...))."""
    parts = dict.fromkeys(condition.part for condition in found.conditions)
    return tuple(
        (
            part.capitalize(),
            tuple(
                (" · ".join(map(spaced, condition.name.split("."))), _values(condition.values))
                for condition in found.conditions
                if condition.part == part
            ),
        )
        for part in parts
    )


def _values(values: Sequence[Any]) -> tuple[str, ...]:
    """Values as text, rounded unless that makes different ones look alike."""
    rounded = tuple(map(plain, values))
    return rounded if len(set(rounded)) == len({repr(value) for value in values}) else tuple(map(str, values))


def _claim(found: ClaimCompared, letters: Sequence[str], anchor: str) -> ClaimView:
    known = [(letter, claim) for letter, claim in zip(letters, found.claims, strict=True) if claim]
    missing = [letter for letter, claim in zip(letters, found.claims, strict=True) if not claim]
    comparable = len({claim.unit for _, claim in known}) == 1
    label = spaced(found.id)
    return ClaimView(
        anchor=anchor,
        label=label[:1].upper() + label[1:],
        sentence=known[0][1].sentence,
        sides=_sides(known),
        missing=", ".join(missing),
        scale=scale(known) if comparable else None,
        changes=tuple(
            _change(f"{letter} − {letters[0]}", change, known[0][1].unit)
            for letter, change in zip(letters[1:], found.differences, strict=True)
            if change
        ),
        verdict_changed=found.verdict_changed,
        differs=found.differs,
    )


def _sides(known: Sequence[tuple[str, Claim]]) -> tuple[Measured, ...]:
    sides = [_side(letter, claim) for letter, claim in known]
    repeated = [False, *(one.needs == other.needs for one, other in itertools.pairwise(sides))]
    return tuple(replace(side, needs="") if again else side for side, again in zip(sides, repeated, strict=True))


def _side(letter: str, claim: Claim) -> Measured:
    effect, low, high = spread(claim.effect, claim.low, claim.high)
    return Measured(
        letter=letter,
        verdict=claim.verdict,
        effect=quantity(effect, claim.unit),
        interval=f"{low} to {high}" if claim.low < claim.high else "",
        needs=needs(claim),
        unsettled=claim.unsettled,
        measured=claim.measured,
    )


def _change(letters: str, found: Difference, unit: str) -> Change:
    numbers = ""
    if found.value is not None and found.low is not None and found.high is not None and found.outcome != "same":
        value, low, high = spread(found.value, found.low, found.high)
        numbers = f"{quantity(value, unit)}, 95 % interval {low} to {high}" if low != high else quantity(value, unit)
    says = _OUTCOMES[found.outcome] + (f": {found.why}" if found.why else "")
    return Change(letters=letters, numbers=numbers, outcome=found.outcome, says=says)
