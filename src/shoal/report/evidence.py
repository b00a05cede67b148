"""Links between claims and what shows them: from a claim to its pictures and tables, and from those back.

Example:
    >>> places = [  # a picture and a table may share an id
    ...     ("losses", Link(anchor="a", text="Figure 1")),
    ...     ("losses", Link(anchor="b", text="Table 1")),
    ... ]
    >>> [link.text for link in shown_by("learns", {"learns": ("losses",)}, places)]
    ['Figure 1', 'Table 1']
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shoal.studies.result import Verdict


@dataclass(frozen=True, kw_only=True)
class Link:
    """A link within the page.

    Args:
        anchor: what it points to.
        text: what it reads, for example "Figure 2".
        says: what stands there, for those who hear the link by itself.
        verdict: of a claim.
    """

    anchor: str
    text: str
    says: str = ""
    verdict: Verdict | None = None


def shown_by(claim: str, evidence: Mapping[str, Sequence[str]], places: Sequence[tuple[str, Link]]) -> tuple[Link, ...]:
    """Links to the pictures and tables that a claim rests on, in the order of the page.

    Args:
        claim: its id.
        evidence: ids of pictures and tables, by id of the claim.
        places: ids of all pictures and tables with the links to them.
    """
    wanted = set(evidence.get(claim, ()))
    return tuple(link for name, link in places if name in wanted)


def resting_on(
    part: str, evidence: Mapping[str, Sequence[str]], claims: Sequence[tuple[str, Link]]
) -> tuple[Link, ...]:
    """Links to the claims that rest on a picture or a table, in the order of the page.

    Args:
        part: id of the picture or table.
        evidence: ids of pictures and tables, by id of the claim.
        claims: ids of all claims with the links to them.
    """
    return tuple(link for name, link in claims if part in evidence.get(name, ()))
