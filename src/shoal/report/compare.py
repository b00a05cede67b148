"""Runs of the same studies side by side: what changed in how they were run, and in what they found.

    compared = compare([Run(name="before", result=one), Run(name="after", result=two)])
    compared.studies[0].claims[0].differences[0].outcome            # "differs", "same" or "cannot be told"

The first run of a study is the one that its others are compared with. Nothing is rounded here, and nothing left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from shoal.errors import InputError
from shoal.report.compare_difference import Difference, difference
from shoal.report.compare_tables import TableCompared, compare_tables
from shoal.studies.result import Claim, Result, Table
from shoal.studies.story import Headline

CONDITIONS = ("settings", "data", "environment")  # parts of a result that say how it was made


@dataclass(frozen=True, kw_only=True)
class Run:
    """A result, and the name by which the reader knows the run that it is of."""

    name: str
    result: Result


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A setting, version or fact of the data that is not the same in all runs.

    Args:
        part: one of `CONDITIONS`.
        name: of the value; names of groups and values are joined by dots.
        values: by run; None where a run has no such value.
    """

    part: str
    name: str
    values: tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class ClaimCompared:
    """One claim in several runs.

    Args:
        id: of the claim.
        claims: by run; None where a run has no such claim.
        differences: of every run after the first to the first; None where either has no such claim.
    """

    id: str
    claims: tuple[Claim | None, ...]
    differences: tuple[Difference | None, ...]

    @property
    def known(self) -> tuple[Claim, ...]:
        """The claims of runs that have it; one at least."""
        return tuple(claim for claim in self.claims if claim)

    @property
    def verdict_changed(self) -> bool:
        """Whether runs that have it come to different verdicts."""
        return len({claim.verdict for claim in self.known}) > 1

    @property
    def differs(self) -> bool:
        """Whether some run's effect differs from the first one's by more than noise."""
        return any(found is not None and found.outcome == "differs" for found in self.differences)


@dataclass(frozen=True, kw_only=True)
class StudyCompared:
    """One study in several runs.

    Args:
        study: its name.
        letters: of the runs, the one that others are compared with first.
        results: by run.
        conditions: what is not the same in all of them.
        unchanged: how many settings, versions and facts are.
        headlines: by run.
        claims: in the order of the first run, then what only others have.
        tables: with the same id and columns in all runs.
        apart: (title, letters of the runs that have it) of tables that cannot be laid side by side.
    """

    study: str
    letters: tuple[str, ...]
    results: tuple[Result, ...]
    conditions: tuple[Condition, ...]
    unchanged: int
    headlines: tuple[Headline | None, ...]
    claims: tuple[ClaimCompared, ...]
    tables: tuple[TableCompared, ...]
    apart: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Several runs side by side.

    Args:
        names: of the runs, by letter.
        studies: that several runs hold.
        alone: (letter, result) of studies that only one run holds.
    """

    names: dict[str, str]
    studies: tuple[StudyCompared, ...]
    alone: tuple[tuple[str, Result], ...]


def compare(runs: Sequence[Run]) -> Comparison:
    """Lay runs of the same studies side by side.

    Args:
        runs: in the order of the page; of the same name are those of one demo.

    Raises:
        InputError: if no study has two runs.

    Example:
        >>> one = Result(study="exits", title="Early", summary=(), command="c", settings={"seed": 0, "width": 8})
        >>> two = Result(study="exits", title="Early", summary=(), command="c", settings={"seed": 1, "width": 8})
        >>> compared = compare([Run(name="before", result=one), Run(name="after", result=two)])
        >>> compared.names, compared.studies[0].conditions
        ({'A': 'before', 'B': 'after'}, (Condition(part='settings', name='seed', values=(0, 1)),))
    """
    names = list(dict.fromkeys(run.name for run in runs))
    letters = {name: _letter(number) for number, name in enumerate(names)}
    by_study: dict[str, list[Run]] = {}
    for run in runs:
        by_study.setdefault(run.result.study, []).append(run)
    several = {study: found for study, found in by_study.items() if len(found) > 1}
    if not several:
        raise InputError(f"runs: expected two runs of the same study, got one each of {', '.join(by_study) or 'none'}")
    return Comparison(
        names={letter: name for name, letter in letters.items()},
        studies=tuple(
            _study(study, [letters[run.name] for run in found], [run.result for run in found])
            for study, found in several.items()
        ),
        alone=tuple((letters[run.name], run.result) for run in runs if run.result.study not in several),
    )


def as_data(comparison: Comparison) -> dict[str, Any]:
    """The comparison as plain values, for JSON; of results, what is compared."""
    return {
        "runs": comparison.names,
        "studies": [_study_data(found) for found in comparison.studies],
        "only_in": [{"run": letter, "study": result.study} for letter, result in comparison.alone],
    }


def _study_data(found: StudyCompared) -> dict[str, Any]:
    return {
        "study": found.study,
        "runs": list(found.letters),
        "changed": [asdict(condition) for condition in found.conditions],
        "unchanged": found.unchanged,
        "headlines": [asdict(headline) if headline else None for headline in found.headlines],
        "seconds": [result.seconds for result in found.results],
        "claims": [
            {
                "id": claim.id,
                "sentence": claim.known[0].sentence,
                "runs": [asdict(one) | {"verdict": one.verdict} if one else None for one in claim.claims],
                "differences": [asdict(one) if one else None for one in claim.differences],
                "verdict_changed": claim.verdict_changed,
            }
            for claim in found.claims
        ],
        "tables": [asdict(table) for table in found.tables],
        "tables_apart": [{"title": title, "runs": letters.split(", ")} for title, letters in found.apart],
    }


def _study(study: str, letters: Sequence[str], results: Sequence[Result]) -> StudyCompared:
    conditions, unchanged = _conditions(results)
    tables, apart = _tables(letters, results)
    ids = dict.fromkeys(claim.id for result in results for claim in result.claims)
    return StudyCompared(
        study=study,
        letters=tuple(letters),
        results=tuple(results),
        conditions=conditions,
        unchanged=unchanged,
        headlines=tuple(result.headline for result in results),
        claims=tuple(_claim(name, results) for name in ids),
        tables=tables,
        apart=apart,
    )


def _claim(name: str, results: Sequence[Result]) -> ClaimCompared:
    claims = [next((claim for claim in result.claims if claim.id == name), None) for result in results]
    first = claims[0]
    differences = (difference(first, claim) if first and claim else None for claim in claims[1:])
    return ClaimCompared(id=name, claims=tuple(claims), differences=tuple(differences))


def _conditions(results: Sequence[Result]) -> tuple[tuple[Condition, ...], int]:
    """What is not the same in all runs, and how many values are."""
    found, unchanged = [], 0
    for part in CONDITIONS:
        flat = [_flat(getattr(result, part)) for result in results]
        for name in dict.fromkeys(name for values in flat for name in values):
            values = tuple(one.get(name) for one in flat)
            if all(value == values[0] for value in values) and all(name in one for one in flat):
                unchanged += 1
            else:
                found.append(Condition(part=part, name=name, values=values))
    return tuple(found), unchanged


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Values of groups by their full names.

    Example:
        >>> _flat({"seed": 0, "versions": {"torch": "2.13"}})
        {'seed': 0, 'versions.torch': '2.13'}
    """
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return found


def _tables(
    letters: Sequence[str], results: Sequence[Result]
) -> tuple[tuple[TableCompared, ...], tuple[tuple[str, str], ...]]:
    """Tables that all runs have in the same form, and those that they do not."""
    compared, apart = [], []
    for name in dict.fromkeys(table.id for result in results for table in result.tables):
        tables = [next((table for table in result.tables if table.id == name), None) for result in results]
        known: list[Table] = [table for table in tables if table]
        if len(known) == len(results) and len({table.columns for table in known}) == 1:
            compared.append(compare_tables(known))
        else:
            holders = [letter for letter, table in zip(letters, tables, strict=True) if table]
            apart.append((known[0].title, ", ".join(holders)))
    return tuple(compared), tuple(apart)


def _letter(number: int) -> str:
    """A to Z, then R27 and so on."""
    return chr(ord("A") + number) if number < 26 else f"R{number + 1}"
