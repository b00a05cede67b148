"""What the room of difficulty and exits shows: images to pick, one of them layer by layer, and where it leaves.

The two studies may have looked at different images. An image of one is shown to the other's network where its classes
and shape are the same; a picture of the reader's own is brought to the shape of either.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from torch import Tensor

from shoal.data import ImageSet
from shoal.errors import ShoalError, wrong
from shoal.web.house import House
from shoal.web.rooms.difficulty_depth import Probed
from shoal.web.rooms.exits_leaving import Leaving
from shoal.web.rooms.exits_picture import Frontier, frontier_of
from shoal.web.rooms.forms import OWN
from shoal.web.rooms.loaded import Loaded
from shoal.web.rooms.small_images import as_text, fitted, shown_size, thumbnail

PROBED, LEAVING = Loaded(Probed.load), Loaded(Leaving.load)
LARGE = 96  # pixels of the image that is looked at, at most


@dataclass(frozen=True, kw_only=True)
class Half:
    """One of the two studies: what was loaded, or why nothing was."""

    study: str
    network: Any
    problem: str

    @property
    def shown(self) -> ImageSet | None:
        """Images to pick."""
        return self.network.kept.shown if self.network is not None else None


@dataclass(frozen=True, kw_only=True)
class Pick:
    """An image that can be picked: its name in the address, what to show of it."""

    name: str
    source: str
    words: str


class Bench:
    """The networks of the newest runs.

    Args:
        house: whose runs.
    """

    def __init__(self, house: House):
        self.depth: Half = _half(house, "difficulty", PROBED)
        self.exits: Half = _half(house, "exits", LEAVING)

    @property
    def alike(self) -> bool:
        """Whether both networks know the same classes and take images of the same shape."""
        one, other = self.depth.shown, self.exits.shown
        return one is not None and other is not None and (one.classes, one.shape) == (other.classes, other.shape)

    @property
    def side(self) -> int:
        """Pixels of a picture of the reader's own, as the page keeps it."""
        return max((max(half.shown.shape[1:]) for half in (self.depth, self.exits) if half.shown), default=32)

    @property
    def size(self) -> int:
        """Pixels of the images to pick, as the page shows them."""
        return shown_size(self.side)

    def picks(self) -> list[tuple[str, list[Pick]]]:
        """Images to pick, with what they are; those of the exits study only where the others will not do."""
        found = []
        if self.depth.shown is not None:
            probed = self.depth.network
            names = [*probed.references.layers, ""]
            places = [names[depth] for depth in probed.kept.depth.tolist()]
            said = tuple(f"settled at {place}" if place else "never settled" for place in places)
            found.append((f"Test images of {self.depth.shown.name}, easy to hard", _picks(self.depth.shown, "d", said)))
        if self.exits.shown is not None and not self.alike:
            said = ("",) * len(self.exits.shown)
            title = f"Test images of {self.exits.shown.name}, from those that leave first"
            found.append((title, _picks(self.exits.shown, "e", said)))
        return found

    def usual(self) -> str:
        """The image that is shown first: one of the middle."""
        half, letter = (self.depth, "d") if self.depth.shown is not None else (self.exits, "e")
        return f"{letter}{len(half.shown) // 2}" if half.shown is not None else OWN

    def images(self, name: str, own: np.ndarray | None) -> tuple[Tensor | None, Tensor | None, str]:
        """An image for either network, None where a network cannot be asked about it, and its label.

        Args:
            name: as in the address.
            own: the reader's own picture, where that was picked.

        Raises:
            InputError: if there is no such image.
        """
        halves = self.depth, self.exits
        if own is not None:
            one, other = (fitted(own, half.shown.shape) if half.shown is not None else None for half in halves)
            return one, other, ""
        half = {"d": self.depth, "e": self.exits}.get(name[:1])
        place = int(name[1:]) if name[1:].isdecimal() else -1
        if half is None or half.shown is None or not 0 <= place < len(half.shown):
            raise wrong("image", expected="one of this page", got=name[:20], fix="pick one below")
        image, label = half.shown.images[place], half.shown.classes[int(half.shown.labels[place])]
        one, other = (image if half is mine or self.alike else None for mine in halves)
        return one, other, label


def shown(bench: Bench, name: str, own: np.ndarray | None, threshold: float | None) -> dict[str, Any]:
    """One image, looked at.

    Args:
        bench: the networks.
        name: of the image.
        own: the reader's own picture, where that was picked.
        threshold: of the exits; the usual one unless given.

    Raises:
        InputError: if there is no such image.
    """
    one, other, label = bench.images(name, own)
    looked = one if one is not None else other
    found: dict[str, Any] = {
        "image": name,
        "picture": "" if own is None else as_text(own),
        "label": label,
        "seen": "" if looked is None else thumbnail(looked, LARGE),
        "settled": None,
        "left": None,
    }
    if one is not None:
        probed: Probed = bench.depth.network
        settled = probed.of(one)
        references = probed.kept.references
        near = [
            [(thumbnail(references.images[row]), references.classes[int(references.labels[row])])
             for row in probe.neighbours]
            for probe in settled.probes
        ]  # fmt: skip
        found |= {"settled": settled, "near": near, "k": probed.kept.k, "references": len(references)}
        found |= {"all_references": probed.kept.all_references}
    return found | left_of(bench, other, threshold)


def left_of(bench: Bench, image: Tensor | None, threshold: float | None) -> dict[str, Any]:
    """Where an image leaves, and the frontier with the point of the threshold on it; nothing without a network."""
    leaving: Leaving | None = bench.exits.network
    if leaving is None:
        return {"left": None, "slider": None, "threshold": None}
    point = leaving.point(leaving.usual if threshold is None else threshold)
    picture: Frontier = frontier_of(leaving, point)
    return {
        "slider": leaving.slider,
        "threshold": point.threshold,
        "point": point,
        "full": leaving.full,
        "frontier": picture,
        "tested": len(leaving.kept.outputs.labels),
        "left": None if image is None else leaving.of(image, point.threshold),
    }


def _half(house: House, study: str, loaded: Loaded[Any]) -> Half:
    run = house.runs.newest(study)
    try:
        return Half(study=study, network=None if run is None else loaded.of(run), problem="")
    except ShoalError as error:
        return Half(study=study, network=None, problem=str(error))


@lru_cache(maxsize=4)  # drawn once for a run: images are told apart by their place in memory
def _picks(images: ImageSet, letter: str, said: tuple[str, ...]) -> list[Pick]:
    labels = [images.classes[label] for label in images.labels.tolist()]
    return [
        Pick(name=f"{letter}{place}", source=thumbnail(image), words=", ".join(filter(None, (label, words))))
        for place, (image, label, words) in enumerate(zip(images.images, labels, said, strict=True))
    ]
