"""Faces of one's own for the commands: told how reading goes, people set apart, and who was trained on found again.

What a network was trained on is told by the content of images, not by a list of names: a folder may be moved, renamed
or grow, and no name of a person goes into the network's file.
"""

import base64
import hashlib
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from shoal.data.faces import FacePairs, FaceSet
from shoal.data.faces.drawing import draw_some
from shoal.engine import Progress, stream
from shoal.exits.content import digests

FEWEST_WATCHED = 10  # people; accuracy on pairs of fewer tells nothing
WATCHED_PAIRS = 300
MOST_DIGESTS = 1_000_000  # that are kept with a network: 11 MB


class Reading:
    """Shows how reading photos goes.

    Args:
        progress: told so.
        title: of the part.
    """

    def __init__(self, progress: Progress, title: str):
        self.progress, self.title, self.begun = progress, title, False

    def __call__(self, done: int, total: int) -> None:
        """Told by `shoal.data.faces` of each image."""
        if not self.begun:
            self.begun = True
            self.progress.start(self.title)
        self.progress.update(done / max(1, total), f"{done:,} of {total:,}")
        if done == total:
            self.progress.finish(f"{total:,} photos")


def set_watched_apart(faces: FaceSet, share: float, seed: int) -> tuple[FaceSet, tuple[FaceSet, FacePairs] | None]:
    """Set some people apart to watch a training with, of those with two images or more.

    Args:
        faces: to learn from.
        share: of those people, in [0, 1).
        seed: of the draw.

    Returns:
        Who is left, and the others with pairs of them; None where these would be fewer than ten people.
    """
    several = (faces.counts > 1).nonzero().flatten()
    count = int(share * len(several))
    if count < FEWEST_WATCHED:
        return faces, None
    chosen = several[torch.randperm(len(several), generator=stream(seed, "watched people"))[:count]]
    aside = torch.isin(faces.labels, chosen)
    left, watched = (faces.take(rows.nonzero().flatten()).renumbered() for rows in (~aside, aside))
    pairs = draw_some(watched.labels, pairs=WATCHED_PAIRS, seed=seed, name="pairs of watched people")
    return left, (watched, pairs)


def identity_of(faces: FaceSet) -> dict[str, Any]:
    """What tells these faces from others: a run must not go on with others."""
    digest = hashlib.sha256(digests(faces.images).numpy().tobytes())
    digest.update(faces.labels.numpy().tobytes())
    return {"name": faces.name, "images": len(faces), "sha256": digest.hexdigest()[:16]}


def pack_digests(faces: FaceSet) -> str:
    """Digests of images as text, to be kept with a network that was trained on them; empty for more than a million."""
    if len(faces) > MOST_DIGESTS:
        return ""
    return base64.b64encode(digests(faces.images).numpy().astype("<i8").tobytes()).decode()


def trained_on(faces: FaceSet, about: dict[str, Any]) -> Bool[Tensor, "n"]:
    """Which images a network was trained on.

    Args:
        faces: in the size that it takes.
        about: what was saved with it.
    """
    packed = about.get("trained_on")
    if not isinstance(packed, str) or not packed:
        return torch.zeros(len(faces), dtype=torch.bool)
    known = torch.from_numpy(np.frombuffer(base64.b64decode(packed), dtype="<i8").astype(np.int64))
    return torch.isin(digests(faces.images), known)


def strangers_to(faces: FaceSet, about: dict[str, Any]) -> FaceSet:
    """The people of whom a network was trained on no image.

    Args:
        faces: in the size that it takes.
        about: what was saved with it.
    """
    seen = trained_on(faces, about)
    if not bool(seen.any()):
        return faces
    met = torch.zeros(len(faces.people), dtype=torch.bool)
    met[faces.labels[seen]] = True
    return faces.take((~met[faces.labels]).nonzero().flatten()).renumbered()


def pairs_of_strangers(labels: Int64[Tensor, "n"], seed: int) -> Int64[Tensor, "pairs 2"]:
    """Pairs of images of different people, each image in two of them at most: nearly independent of each other.

    Args:
        labels: who is on each image.
        seed: of the order in which neighbours are taken.

    Example:
        >>> pairs = pairs_of_strangers(torch.arange(100) // 2, seed=0)
        >>> len(pairs) > 90, bool((pairs[:, 0] // 2 != pairs[:, 1] // 2).all())
        (True, True)
    """
    order = torch.randperm(len(labels), generator=stream(seed, "strangers"))
    pairs = torch.stack((order, order.roll(1)), 1)  # (n, 2)
    return pairs[labels[pairs[:, 0]] != labels[pairs[:, 1]]]
