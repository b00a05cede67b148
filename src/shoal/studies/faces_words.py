"""How the numbers of the study of faces read, and the claims that compare accuracies."""

from typing import Literal

from shoal.measure import Interval
from shoal.studies.ends import ends
from shoal.studies.faces_measured import Measured
from shoal.studies.faces_names import CLASSIFIED, MAIN, MIRRORED, NEW, OLD, PIXELS, RECIPE, UNTRAINED
from shoal.studies.result import Claim
from shoal.studies.wording import percent

WORDS = {
    MAIN: "the network, trained longest",
    MIRRORED: "the network, with mirror images",
    RECIPE: "classification first, then triplets",
    CLASSIFIED: "classification alone",
    "semi-hard": "triplets alone, semi-hard negatives",
    "hardest": "triplets alone, hardest negatives",
    "random": "triplets alone, random negatives",
    UNTRAINED: "the network, untrained",
    PIXELS: "no network: the pixels themselves",
}


def in_words(name: str) -> str:
    """A network, or what is compared with networks, for tables.

    Args:
        name: see `faces_names`.

    Example:
        >>> in_words("old 1"), in_words("32 numbers")
        ('older network 1: half of the people and of the time', 'as others, with 32 numbers')
    """
    kind, _, number = name.partition(" ")
    if kind == OLD:
        return f"older network {number}: half of the people and of the time"
    if kind == NEW:
        return f"newer network {number}: another seed"
    return WORDS.get(name) or f"as others, with {name}"


def accuracy(m: Measured, name: str) -> str:
    """Share of the test pairs that a network is right about."""
    return percent(m.checked[name].accuracy, 1)


def counted(count: float) -> str:
    """A count that may be large.

    Example:
        >>> counted(812.0), counted(2_345_678), counted(5.43e11)
        ('812', '2.35 million', '543 billion')
    """
    for unit, name in ((1e12, " trillion"), (1e9, " billion"), (1e6, " million")):
        if count >= unit:
            return f"{count / unit:.3g}{name}"
    return f"{count:,.0f}"


def pointed(
    found: Interval,
    *,
    id: str,
    sentence: str,
    measured: str,
    bound: float = 0.0,
    direction: Literal["above", "below"] = "above",
    strict: bool = True,
    unit: str = "points",
    unsettled: str = "",
) -> Claim:
    """A claim about a difference in points, unless told otherwise that it is above 0.

    Args:
        found: the difference.
        id: see `Claim`, and for all that follow.
        sentence: the statement.
        measured: what was found.
        bound: that the difference must be on the right side of.
        direction: which side that is.
        strict: whether the bound itself is wrong.
        unit: of the difference.
        unsettled: why nothing can be decided.
    """
    return Claim(
        id=id,
        sentence=sentence,
        measured=measured,
        **ends(found),
        bound=bound,
        direction=direction,
        strict=strict,
        unit=unit,
        unsettled=unsettled,
    )
