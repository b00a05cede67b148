"""What a result says beside its numbers: the sentence to remember, the story in order, and formulas.

A story is told in the order in which a reader asks: what is asked, what was done, what came out (the result's own
summary, claims, pictures and tables), what it means, and what would change it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Headline:
    """What the front page shows of a study: one sentence, one number, one small picture.

    Args:
        sentence: what was found, short enough to be read at a glance; a number in it was measured in this run.
        value: the number, ready to print with its unit, for example "47 %".
        what: what that number is, in a few words, for example "of the arithmetic".
        picture: id of the result's picture to draw small; may be empty.
    """

    sentence: str
    value: str
    what: str
    picture: str = ""


@dataclass(frozen=True, kw_only=True)
class Formula:
    """A formula, typeset in the report.

    Args:
        latex: the formula in LaTeX's mathematics, without dollar signs.
        says: the same in words, for readers and screen readers.
    """

    latex: str
    says: str


@dataclass(frozen=True, kw_only=True)
class Story:
    """What a study asks, does and means, a paragraph each.

    Args:
        asked: what is asked, and why.
        done: what was done in this run: data, networks, what was trained, how it was measured.
        means: what the findings mean, following the verdicts of this run, whichever they are.
        changes: what would change them: more data, longer training, other sizes.
        formulas: the formulas that the study rests on, shown with what was done.
    """

    asked: tuple[str, ...]
    done: tuple[str, ...]
    means: tuple[str, ...]
    changes: tuple[str, ...]
    formulas: tuple[Formula, ...] = ()
