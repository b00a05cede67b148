"""Passages: texts with what is said of each, one below the other, as the page's own markup rather than a drawing.

Rows are {"text", "said"}; "said" holds pairs (who, what).
"""

from dataclasses import dataclass

from shoal.errors import wrong
from shoal.studies.result import Picture


@dataclass(frozen=True, kw_only=True)
class Passage:
    """One text, and what is said of it by whom."""

    text: str
    said: tuple[tuple[str, str], ...]


def passages_of(picture: Picture) -> tuple[Passage, ...]:
    """Check the rows of a picture of kind "passages".

    Raises:
        InputError: if a row has no text.
    """
    found = []
    for i, row in enumerate(picture.rows):
        if not str(row.get("text") or "").strip():
            raise wrong(f"picture {picture.id}, row {i}", expected="a text", got=repr(row.get("text"))[:40])
        said = tuple((str(who), str(what)) for who, what in row.get("said", ()))
        found.append(Passage(text=str(row["text"]), said=said))
    return tuple(found)
