"""What an answer is made of: paragraphs, formulas, claims with what follows from them, tables, pictures and code.

Text may hold formulas between dollar signs, code between backticks and words in bold between two asterisks; numbers of
a run never stand in the text of an answer, they are looked up by `shoal.report.answers.found`.
"""

from dataclasses import dataclass

from shoal.studies.result import Claim, Picture, Table
from shoal.studies.story import Formula


@dataclass(frozen=True, kw_only=True)
class Prose:
    """A paragraph."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Points:
    """Short paragraphs, each with a mark."""

    items: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Typeset:
    """A formula on a line of its own."""

    formula: Formula


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A claim of the run with its verdict, and what follows from that verdict.

    Args:
        study: that made the claim.
        claim: as it was judged.
        reading: what the verdict means for the question.
    """

    study: str
    claim: Claim
    reading: str


@dataclass(frozen=True, kw_only=True)
class Tabled:
    """A table of the run, or some of its rows and columns."""

    study: str
    table: Table


@dataclass(frozen=True, kw_only=True)
class Pictured:
    """A picture of the run."""

    study: str
    picture: Picture


@dataclass(frozen=True, kw_only=True)
class Code:
    """A real function of Shoal, as it runs.

    Args:
        name: where it is, for example "shoal.measure.record".
        source: its text.
    """

    name: str
    source: str


@dataclass(frozen=True, kw_only=True)
class Missing:
    """What this run does not say, why, and what would.

    Args:
        text: what is missing, in a sentence.
        reason: why, in another; may be empty.
        command: that would measure it; may be empty.
    """

    text: str
    reason: str = ""
    command: str = ""


@dataclass(frozen=True, kw_only=True)
class Words:
    """Words of a person: the reader's, or ours as an example.

    Args:
        by: whose words they are.
        text: as they were written; shown as they are.
        example: whether they are an example that waits to be replaced.
    """

    by: str
    text: str
    example: bool = False


Block = Prose | Points | Typeset | Judged | Tabled | Pictured | Code | Missing | Words


def formula(latex: str, says: str) -> Typeset:
    r"""A formula in LaTeX, and the same in words.

    Example:
        >>> formula(r"\sigma^2 = \sqrt{D}", "sigma squared is the square root of D").formula.latex
        '\\sigma^2 = \\sqrt{D}'
    """
    return Typeset(formula=Formula(latex=latex, says=says))
