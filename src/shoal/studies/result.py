"""What a study hands to the report: text, tables, pictures and claims, as plain data that survive as JSON.

A `Claim` never carries an opinion: its verdict follows from its interval and its bound, by one rule.
"""

import dataclasses
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from shoal.errors import InputError, ShoalError
from shoal.files import write_json
from shoal.studies.story import Formula, Headline, Story

Verdict = Literal["supported", "contradicted", "inconclusive"]
PictureKind = Literal["lines", "bars", "heatmap", "gallery", "passages"]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A statement about the world, what was measured about it, and what follows.

    Args:
        id: short name, unique within the study, for example "macs_halved".
        sentence: the statement, as the field makes it, in a full sentence.
        measured: what was measured, in a full sentence with its numbers.
        effect: the measured effect.
        low: lower end of its 95 % interval.
        high: upper end of its 95 % interval.
        bound: the value that the effect must be on the right side of.
        direction: "above" or "below": the side of the bound on which the statement is true.
        strict: whether an effect of exactly the bound makes the statement false ("falls", "more often").
        unit: unit of the effect, for example "points", "×"; may be empty.
        unsettled: a reason why the measurement cannot decide, whatever its interval ("not converged").
    """

    id: str
    sentence: str
    measured: str
    effect: float
    low: float
    high: float
    bound: float
    direction: Literal["above", "below"]
    strict: bool = False
    unit: str = ""
    unsettled: str = ""

    def __post_init__(self) -> None:
        numbers = (self.low, self.effect, self.high)
        if not self.low <= self.effect <= self.high or not all(map(math.isfinite, (*numbers, self.bound))):
            raise InputError(
                f"claim {self.id}: expected finite low <= effect <= high and bound, got {numbers} and {self.bound}"
            )

    @property
    def verdict(self) -> Verdict:
        """Supported when the whole interval is on the right side of the bound, contradicted when none of it is."""
        if self.unsettled:
            return "inconclusive"
        # the ends of the interval, as distances to the right side of the bound
        worst, best = self.low - self.bound, self.high - self.bound
        if self.direction == "below":
            worst, best = -best, -worst
        if worst > 0 or (worst == 0 and not self.strict):
            return "supported"
        if best < 0 or (best == 0 and self.strict):
            return "contradicted"
        return "inconclusive"


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table: `columns` names with units, `rows` of ready text or numbers; numbers are right-aligned."""

    id: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | float | int | None, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise InputError(f"table {self.id}: expected {len(self.columns)} cells a row, got {len(row)}: {row}")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture as data; the report decides how it is drawn.

    Args:
        id: unique within the study.
        title: what the picture shows, as a short sentence.
        kind: "lines": rows {"x", "y", "series"} and optional "low", "high" (a band), "label" (text at the point)
            and "mark" ("line", the default, or "point"); "bars": rows {"x", "y"} and optional "series"
            (stacked), "low", "high"; "heatmap": rows {"x", "y", "value"}; "gallery": rows {"image" (PNG as
            base64), "caption", "group"} and optional "choice" (the reader opens one at a time); "passages": rows
            {"text", "said": pairs of who and what}.
        rows: the data.
        x: label of the x axis, with its unit; y: the same for the y axis.
        log_x, log_y: logarithmic axis.
        note: how to read it, in a sentence or two.
    """

    id: str
    title: str
    kind: PictureKind
    rows: tuple[dict[str, Any], ...]
    x: str = ""
    y: str = ""
    log_x: bool = False
    log_y: bool = False
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Result:
    """Everything that one run of one study found.

    Args:
        study: the study's name, for example "exits".
        title: the report's heading for it.
        summary: the findings in a few sentences, every number measured in this run.
        command: the command that repeats the run.
        settings: the resolved settings, name to value.
        environment: machine, versions, seed, device and why (see `shoal.engine.environment`).
        data: name, source and sizes of the data; how to get better data where there are better ones.
        claims, tables, pictures: in the order of the report.
        seconds: wall time of the run, by part.
        notes: what else a lab notebook holds: who, with whom, resources, time spent.
        headline: what the front page of a report shows of it.
        story: what was asked and done, what it means, and what would change it.
        evidence: for the ids of claims the ids of the pictures and tables that show what was measured.
    """

    study: str
    title: str
    summary: tuple[str, ...]
    command: str
    settings: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    claims: tuple[Claim, ...] = ()
    tables: tuple[Table, ...] = ()
    pictures: tuple[Picture, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    headline: Headline | None = None
    story: Story | None = None
    evidence: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        claims = {claim.id for claim in self.claims}
        shown = {part.id for part in (*self.pictures, *self.tables)}
        pointed = {part for parts in self.evidence.values() for part in parts}
        if unknown := sorted((set(self.evidence) - claims) | (pointed - shown)):
            raise InputError(f"evidence: expected ids of this result's claims, pictures and tables, got {unknown}")

    def save(self, path: str | Path) -> None:
        """Write the result as JSON; claims carry their verdicts so that the file can be read alone.

        Raises:
            ShoalError: if the file cannot be written.
        """
        value = dataclasses.asdict(self)
        for row, claim in zip(value["claims"], self.claims, strict=True):
            row["verdict"] = claim.verdict
        write_json(path, _without_nan(value))

    @classmethod
    def load(cls, path: str | Path) -> "Result":
        """Read a result that `save` wrote.

        Raises:
            ShoalError: if the file is missing, truncated or of another form.
        """
        path = Path(path)
        try:
            value = json.loads(path.read_text())
            _check_form(value)
            claims = tuple(Claim(**{k: v for k, v in row.items() if k != "verdict"}) for row in value["claims"])
            tables = tuple(
                Table(**{**row, "columns": tuple(row["columns"]), "rows": tuple(map(tuple, row["rows"]))})
                for row in value["tables"]
            )
            pictures = tuple(Picture(**{**row, "rows": tuple(row["rows"])}) for row in value["pictures"])
            value |= {
                "claims": claims,
                "tables": tables,
                "pictures": pictures,
                "summary": tuple(value["summary"]),
                "headline": _headline(value.get("headline")),
                "story": _story(value.get("story")),
                "evidence": {claim: tuple(shown) for claim, shown in value.get("evidence", {}).items()},
            }
            return cls(**value)
        except FileNotFoundError:
            raise ShoalError(f"{path}: no such result; run a study first, for example: shoal study exits") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ShoalError(f"{path}: expected a result.json that a study wrote, got: {error}; run it again") from None


def _headline(value: dict[str, Any] | None) -> Headline | None:
    return Headline(**value) if value else None


def _story(value: dict[str, Any] | None) -> Story | None:
    """What was saved; results of earlier versions have none."""
    if not value:
        return None
    told = {part: tuple(text) for part, text in value.items() if part != "formulas"}
    return Story(**told, formulas=tuple(Formula(**formula) for formula in value["formulas"]))


_FORMS: dict[str, type] = {
    **dict.fromkeys(("study", "title", "command"), str),
    **dict.fromkeys(("summary", "claims", "tables", "pictures"), list),
    **dict.fromkeys(("settings", "environment", "data", "seconds", "notes"), dict),
}


def _check_form(value: Any) -> None:
    """Raise TypeError unless the parts of a saved result are of the kinds that the report reads."""
    for key, form in _FORMS.items():
        if not isinstance(value[key], form):
            raise TypeError(f"{key} is not a {form.__name__}")
    rows = [row for part in (*value["tables"], *value["pictures"]) for row in part["rows"]]
    if not all(isinstance(row, dict | list) for row in rows):
        raise TypeError("a row is neither a list nor an object")
    if not all(isinstance(number, int | float | None) for number in value["seconds"].values()):
        raise TypeError("seconds are not numbers")


def _without_nan(value: Any) -> Any:
    """JSON has no NaN: a number that could not be computed becomes null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value
