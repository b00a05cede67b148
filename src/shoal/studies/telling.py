"""How stories are told: what a claim means by its verdict, what stays open and why, and what shows it.

    WORDS = {"time_is_linear": Said(supported="…", contradicted="…", whether="…", shown=("time", "lengths"))}
    told = Told(result, WORDS)
    told.paragraph("time_is_linear", …)     # settled sentences first, then what stays open, with the reason

A story knows nothing but its result: claims with their verdicts, tables, settings, data. The same module therefore
tells any run of its study, whatever came out, and a claim or a part that a run lacks is passed over.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from shoal.studies.result import Claim, Result, Table, Verdict
from shoal.studies.story import Headline, Story
from shoal.studies.wording import percent

FAR = 1e4  # width of an interval that says nothing
STRENGTHS = ((0.5, "strong"), (0.3, "moderate"), (0.1, "weak"), (0.0, "very weak"))  # Cohen 1988, section 3.2
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
Cell = str | float | int | None


@dataclass(frozen=True, kw_only=True)
class Said:
    """What one claim means.

    Braces hold numbers of the claim: {effect}, {low}, {high} and {bound} to three digits, {size} the effect without
    its sign, {percent} the effect as a percentage, {strength} what one calls a correlation of that size.

    Args:
        supported: a sentence for where the run supports the claim.
        contradicted: a sentence for where it contradicts it.
        whether: what is open otherwise; goes on after "whether".
        shown: ids of the pictures and tables that show what was measured; a run may lack some.
    """

    supported: str
    contradicted: str
    whether: str
    shown: tuple[str, ...]


class Told:
    """A result, ready to be told.

    Args:
        result: without a story.
        words: for the ids of its claims.
    """

    def __init__(self, result: Result, words: Mapping[str, Said]):
        self.result, self.words = result, words
        self.claims = {claim.id: claim for claim in result.claims}
        self.settings, self.data = result.settings, result.data

    def verdict(self, claim: str) -> Verdict | None:
        """Of a claim; None where this run has no such claim."""
        return self.claims[claim].verdict if claim in self.claims else None

    def all_are(self, verdict: Verdict, *claims: str) -> bool:
        """Whether all of these claims have a verdict."""
        return all(self.verdict(claim) == verdict for claim in claims)

    def paragraph(self, *claims: str) -> str:
        """What some claims mean: a sentence for each that is settled, then what stays open and why."""
        known = [self.claims[claim] for claim in claims if claim in self.claims]
        settled = [self._settled(claim) for claim in known if claim.verdict != "inconclusive"]
        waiting: dict[str, list[str]] = {}
        for claim in known:
            if claim.verdict == "inconclusive":
                waiting.setdefault(_reason(claim), []).append(self._open(claim))
        stays = [f"{why}: {'; '.join(questions)}." for why, questions in waiting.items()]
        return " ".join([*settled, *stays])

    def paragraphs(self, *groups: tuple[str, ...]) -> tuple[str, ...]:
        """A paragraph for each group of claims that this run has; where nothing is decided, one that says so."""
        known = [self.claims[claim] for group in groups for claim in group if claim in self.claims]
        reasons = {claim.unsettled for claim in known}
        if len(reasons) == 1 and "" not in reasons:
            return (
                f"Nothing is decided in this run ({reasons.pop()}). The numbers are as they were measured, and must "
                "not be read as answers.",
                f"What stays open: {'; '.join(map(self._open, known))}.",
            )
        return tuple(filter(None, (self.paragraph(*group) for group in groups)))

    def evidence(self) -> dict[str, tuple[str, ...]]:
        """Ids of what shows each claim, of the pictures and tables that are there."""
        there = {part.id for part in (*self.result.pictures, *self.result.tables)}
        shown = {claim: tuple(part for part in self.words[claim].shown if part in there) for claim in self.claims}
        return {claim: parts for claim, parts in shown.items() if parts}

    def table(self, name: str) -> Table | None:
        """A table by its id; None where this run has none."""
        return next((table for table in self.result.tables if table.id == name), None)

    def cell(self, table: str, row: str | int, column: str) -> Cell:
        """What stands in a table: in a row by its number or its first cell; None where there is no such place."""
        found = self.table(table)
        if found is None or column not in found.columns:
            return None
        names = [cells[0] for cells in found.rows] if isinstance(row, str) else range(len(found.rows))
        at = {name: place for place, name in enumerate(names)}.get(row)
        return None if at is None else found.rows[at][found.columns.index(column)]

    def told(self, headline: Headline, story: Story) -> Result:
        """The result with all of it; a picture that is not there is not named."""
        there = {picture.id for picture in self.result.pictures}
        small = headline if headline.picture in there else replace(headline, picture="")
        return replace(self.result, headline=small, story=story, evidence=self.evidence())

    def _settled(self, claim: Claim) -> str:
        said = self.words[claim.id]
        return (said.supported if claim.verdict == "supported" else said.contradicted).format_map(numbers_of(claim))

    def _open(self, claim: Claim) -> str:
        question = f"whether {self.words[claim.id].whether.format_map(numbers_of(claim))}"
        if claim.unsettled or claim.high - claim.low > FAR:
            return question
        low, high, bound = (number(x) for x in (claim.low, claim.high, claim.bound))
        return f"{question} ({low} to {high}{f' {claim.unit}' if claim.unit else ''}, where {bound} decides)"


def _reason(claim: Claim) -> str:
    if claim.unsettled:
        return f"Not decided here ({claim.unsettled})"
    return "Too little was measured to tell" if claim.high - claim.low > FAR else "Too close to call"


def numbers_of(claim: Claim) -> dict[str, str]:
    """The numbers of a claim as sentences have them.

    Args:
        claim: of a run.
    """
    return {
        **{name: number(getattr(claim, name)) for name in ("effect", "low", "high", "bound")},
        "size": number(abs(claim.effect)),
        "strength": next(word for least, word in STRENGTHS if abs(claim.effect) >= least),
        "percent": share(claim.effect),
    }


def number(value: float) -> str:
    """Three digits, and powers of ten only for what is nearly nothing.

    Example:
        >>> number(0.4739), number(-1.388), number(24_300.0), number(1.2e-14), number(2)
        ('0.474', '−1.39', '24,300', '1.2×10⁻¹⁴', '2')
    """
    if value and abs(value) < 1e-4:
        digits, _, power = f"{value:.1e}".partition("e")
        return f"{digits.replace('-', '−')}×10{str(int(power)).translate(SUPERSCRIPTS)}"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text.replace("-", "−")


def share(value: float) -> str:
    """A share as a percentage with the digits that it carries: what is nearly nothing or nearly all is not rounded so.

    Example:
        >>> share(0.4739), share(0.0312), share(0.00052), share(0.9973), share(1.0), share(-0.2)
        ('47 %', '3.1 %', '0.05 %', '99.7 %', '100 %', '−20 %')
    """
    size = abs(value)
    digits = 2 if size < 0.0095 else 1 if size < 0.095 or 0.99 < size < 1 else 0
    return percent(value, digits).replace("-", "−")


def listed(items: list[str]) -> str:
    """Things in a row.

    Example:
        >>> listed(["noise"]), listed(["noise", "light", "blur"])
        ('noise', 'noise, light and blur')
    """
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
