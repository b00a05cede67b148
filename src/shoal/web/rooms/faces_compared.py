"""Two images and the distance of their embeddings, beside a threshold and what strangers of the run are apart.

comparing = Comparing.load(folder)
comparing.of(one, other, far=0.05).distance
"""

import base64
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from shoal.errors import InputError
from shoal.faces import Threshold, embed, threshold_at
from shoal.faces.pair_distances import pair_distances
from shoal.faces.thresholds import fewest_pairs
from shoal.measure import Interval, exact_proportion_interval
from shoal.studies.faces_kept import KeptFaces, load_kept_faces
from shoal.web.rooms.small_images import fitted, thumbnail

FARS = (0.001, 0.01, 0.02, 0.05, 0.1, 0.2)  # false-accept rates to choose from
FARTHEST = 4.0  # squared, of two directions
BINS = 40  # of that


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Two images beside each other.

    Attributes:
        distance: squared, 0 to 4.
        far: false-accept rate that was asked for.
        threshold: for this rate; None where pairs of strangers are too few to promise it.
        refused: why there is none.
        nearer: share of the pairs of strangers that are at most so far apart, with its interval.
    """

    distance: float
    far: float
    threshold: Threshold | None
    refused: str
    nearer: Interval

    @property
    def accepted(self) -> bool | None:
        """Whether both are taken for one person, at the cautious end of the threshold; None where there is none."""
        return None if self.threshold is None else self.distance <= self.threshold.low


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Images that clustering put together: what the report says of them, and (address, caption) of each."""

    name: str
    images: tuple[tuple[str, str], ...]


class Comparing:
    """A network, and what its distances mean.

    Args:
        kept: of a run.
        result: of the same run, as plain JSON.

    Attributes:
        counts: pairs of strangers by distance, in `BINS` equal parts of 0 to 4.
        clusters: of the run.
        note: on them.
    """

    def __init__(self, kept: KeptFaces, result: dict[str, Any]):
        self.kept = kept
        self.counts = tuple(torch.histc(kept.distances.double(), BINS, 0, FARTHEST).int().tolist())
        self.clusters, self.note = _clusters(result)

    @classmethod
    def load(cls, folder: Path) -> "Comparing":
        """Of a run folder."""
        result = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        return cls(load_kept_faces(folder), result)

    @property
    def usual_far(self) -> float:
        """The smallest rate to choose from that the run's pairs of strangers can promise; else the largest."""
        pairs = len(self.kept.distances)
        return next((far for far in FARS if fewest_pairs(far) <= pairs), FARS[-1])

    def image(self, pixels: np.ndarray) -> UInt8[Tensor, "3 h w"]:
        """The centre of an uploaded picture (uint8 [height, width, 3]), as large as the network takes it."""
        height, width = self.kept.network.image_size
        return fitted(pixels, (3, height, width))

    def of(self, one: UInt8[Tensor, "3 h w"], other: UInt8[Tensor, "3 h w"], *, far: float) -> Compared:
        """Compare two images.

        Args:
            one: of the size that the network takes.
            other: likewise.
            far: false-accept rate to ask for, in (0, 0.5].
        """
        embeddings = embed(self.kept.network, torch.stack((one, other)), device="cpu")
        distance = float(pair_distances(embeddings[:1], embeddings[1:])[0])
        threshold, refused = self.threshold(far)
        strangers = self.kept.distances
        return Compared(
            distance=distance,
            far=far,
            threshold=threshold,
            refused=refused,
            nearer=exact_proportion_interval(int((strangers <= distance).sum()), len(strangers)),
        )

    def threshold(self, far: float) -> tuple[Threshold | None, str]:
        """The threshold for a rate, or why there is none."""
        try:
            return threshold_at(far, self.kept.distances), ""
        except InputError as error:  # too few pairs of strangers to promise so small a rate
            return None, str(error)


def _clusters(result: dict[str, Any]) -> tuple[tuple[Cluster, ...], str]:
    """Of the picture in a result, its images made small."""
    picture = next((picture for picture in result["pictures"] if picture["id"] == "clusters"), None)
    if picture is None:
        return (), ""
    groups: dict[str, list[tuple[str, str]]] = {}
    for row in picture["rows"]:
        groups.setdefault(row["group"], []).append((thumbnail(_decoded(row["image"])), row["caption"]))
    return tuple(Cluster(name=name, images=tuple(images)) for name, images in groups.items()), picture["note"]


def _decoded(text: str) -> UInt8[Tensor, "3 h w"]:
    """A PNG that a study wrote into its result."""
    with Image.open(io.BytesIO(base64.b64decode(text)), formats=["PNG"]) as image:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)
