"""Anchors: what links of the page point to, each only once."""

import itertools
import re
from collections.abc import Sequence


def slug(text: str) -> str:
    """Letters, digits and hyphens only: fit for an id and an address.

    Example:
        >>> slug("exits / CIFAR-10 <b>"), slug("…")
        ('exits-cifar-10-b', 'part')
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "part"


def unique(anchors: Sequence[str]) -> list[str]:
    """The anchors in order, each with the first number that makes it new where it is not.

    Example:
        >>> unique(["exits", "faces", "exits"])
        ['exits', 'faces', 'exits-2']
    """
    result: list[str] = []
    for anchor in anchors:
        tries = itertools.chain([anchor], (f"{anchor}-{i}" for i in itertools.count(2)))
        result.append(next(name for name in tries if name not in result))
    return result
