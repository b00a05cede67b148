"""What the room of faces shows: images to pick, two of them beside each other, distances of strangers, clusters."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from torch import Tensor

from shoal.errors import wrong
from shoal.faces.thresholds import fewest_pairs
from shoal.web.rooms.faces_compared import BINS, FARS, FARTHEST, Compared, Comparing
from shoal.web.rooms.forms import OWN
from shoal.web.rooms.loaded import Loaded
from shoal.web.rooms.small_images import as_text, shown_size, thumbnail

COMPARING = Loaded(Comparing.load)
LARGE = 96  # pixels of the two images, at most
LEFT, RIGHT, TOP, BOTTOM = 8.0, 352.0, 10.0, 130.0  # of the drawing of distances, 360 × 165 units


@dataclass(frozen=True, kw_only=True)
class Pick:
    """An image that can be picked, for one side or the other."""

    number: int
    source: str
    person: str


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """Distances of strangers as bars, and where the threshold and the two images stand.

    Attributes:
        bars: (x, y, height) of each.
        width: of each.
        at: x of the two images' distance.
        threshold: x of the threshold, None where there is none.
        words: the same for those who cannot see it.
    """

    bars: list[tuple[float, float, float]]
    width: float
    at: float
    threshold: float | None
    words: str


@lru_cache(maxsize=2)  # drawn once for a run
def picks_of(comparing: Comparing) -> list[Pick]:
    """Images to pick."""
    pairs = enumerate(zip(comparing.kept.images, comparing.kept.people, strict=True))
    return [Pick(number=at, source=thumbnail(image), person=spaced(who)) for at, (image, who) in pairs]


def usual_picks(comparing: Comparing) -> tuple[str, str]:
    """Two images of one person, where there are two: what is shown first."""
    people = comparing.kept.people
    same = (at for at in range(1, len(people)) if people[at] == people[at - 1])
    second = next(same, min(1, len(people) - 1))
    return str(max(0, second - 1)), str(second)


def side_of(comparing: Comparing) -> int:
    """Pixels of a picture of the reader's own, as the page keeps it."""
    return max(comparing.kept.network.image_size)


def size_of(comparing: Comparing) -> int:
    """Pixels of the images to pick, as the page shows them."""
    return shown_size(side_of(comparing))


def shown(comparing: Comparing, a: str, b: str, own: dict[str, np.ndarray], far: float | None) -> dict[str, Any]:
    """Two images, compared.

    Args:
        comparing: of a run.
        a: number of the first image, or "own".
        b: of the second.
        own: the reader's own pictures, by side.
        far: false-accept rate; the smallest that the run can promise unless given.

    Raises:
        InputError: if there is no such image, or the rate is out of range.
    """
    far = comparing.usual_far if far is None else far
    if not 0 < far <= 0.5:  # NaN fails too
        raise wrong("far", expected="a share above 0, at most 0.5", got=far, fix="give 1 % as 0.01")
    one, other = (_image(comparing, name, own.get(side)) for side, name in (("a", a), ("b", b)))
    found = comparing.of(one, other, far=far)
    return {
        "a": a,
        "b": b,
        "far": far,
        "sides": [
            ("a", thumbnail(one, LARGE), _who(comparing, a)),
            ("b", thumbnail(other, LARGE), _who(comparing, b)),
        ],
        "kept": {side: as_text(pixels) for side, pixels in own.items()},
        "found": found,
        "truth": _truth(comparing, a, b),
        "histogram": _histogram(comparing, found),
    }


def rates(comparing: Comparing) -> list[tuple[float, str, bool]]:
    """Rates to choose from: the share, in words, whether there are pairs enough to promise it."""
    pairs = len(comparing.kept.distances)
    return [(far, f"{100 * far:g} %", fewest_pairs(far) <= pairs) for far in FARS]


def spaced(name: str) -> str:
    """A name as people write it."""
    return name.replace("_", " ")


def _image(comparing: Comparing, name: str, own: np.ndarray | None) -> Tensor:
    if own is not None:
        return comparing.image(own)
    place = int(name) if name.isdecimal() else -1
    if not 0 <= place < len(comparing.kept.images):
        raise wrong("image", expected="one of this page", got=name[:20], fix="pick one below")
    return comparing.kept.images[place]


def _who(comparing: Comparing, name: str) -> str:
    return "your picture" if name == OWN else spaced(comparing.kept.people[int(name)])


def _truth(comparing: Comparing, a: str, b: str) -> bool | None:
    """Whether both show the same person, where that is known."""
    if OWN in (a, b):
        return None
    return comparing.kept.people[int(a)] == comparing.kept.people[int(b)]


def _histogram(comparing: Comparing, found: Compared) -> Histogram:
    most, step = max(1, *comparing.counts), (RIGHT - LEFT) / BINS
    heights = [round((BOTTOM - TOP) * count / most, 1) for count in comparing.counts]
    threshold = None if found.threshold is None else found.threshold.low
    pairs = f"{len(comparing.kept.distances):,} pairs of strangers by squared distance from 0 to 4"
    there = "" if threshold is None else f"; the threshold is at {threshold:.3f}"
    return Histogram(
        bars=[(round(LEFT + step * at, 1), BOTTOM - height, height) for at, height in enumerate(heights) if height > 0],
        width=round(step - 1, 1),
        at=_x(found.distance),
        threshold=None if threshold is None else _x(threshold),
        words=f"{pairs}; the two images are at {found.distance:.3f}{there}.",
    )


def _x(distance: float) -> float:
    return round(LEFT + (RIGHT - LEFT) * min(distance, FARTHEST) / FARTHEST, 1)
