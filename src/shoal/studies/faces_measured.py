"""What the study of faces measured, as plain values: what claims, tables and pictures are made of.

Everything here can be made up by a test.
"""

from dataclasses import dataclass, field
from typing import Any

from shoal.studies.faces_checked import Checked
from shoal.studies.faces_measured_parts import (
    Altered,
    Batch,
    Clustered,
    Generations,
    Layer,
    Network,
    Promised,
    Rates,
    SetSize,
    Shown,
)


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a training went.

    Attributes:
        rows: its history, see `shoal.faces.fit_faces`.
        seconds: that it took.
        precision: that it was trained in.
        collapsed: what the alarm said; empty where there was none.
        images, people: that it saw.
        dim: numbers of an embedding.
    """

    rows: list[dict[str, Any]]
    seconds: float
    precision: str
    collapsed: str
    images: int
    people: int
    dim: int

    @property
    def epochs(self) -> float:
        """Passes over its images."""
        return self.rows[-1]["epoch"] if self.rows else 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """Everything.

    Attributes:
        are_faces: whether these are faces at all.
        trainings: by name, those for compatibility among them.
        checked: verification with each network by itself, by name; also "untrained", "pixels" and, of faces,
            "mirrored" (the main network, with mirror images).
        apart: mean squared distance of the mismatched test pairs, part by part, of the networks that mining is compared
            with, and untrained.
        rates: of the main network; `promised`: a threshold of it.
        dims: sizes of embeddings and the names of their networks, rising; empty where they were not compared.
        shares: images that networks were trained on, and their names, rising; empty likewise.
        generations: old and new networks.
        jpeg: verification by quality of JPEG, with the main network; `sides`: by pixels a side.
        side: pixels a side of the images.
        set_sizes: rising.
        batches: rising; `mined_from`: people of a batch where triplets teach alone, and images of each at most.
        threshold: that clusters were joined at, chosen on other people.
        clustered: test faces by the main network; `control`: by the untrained one; `grouped`: how the groups were made.
        faces, persons: that were clustered.
        altered: by name of the alteration; `unaltered` the same pairs as they are.
        layers: of the paper's tables.
        networks: all of them.
        pairs: matched and mismatched test pairs.
        shown: clusters.
    """

    are_faces: bool
    trainings: dict[str, Training]
    checked: dict[str, Checked]
    apart: dict[str, list[float]]
    rates: Rates
    promised: Promised
    dims: list[tuple[int, str]]
    shares: list[tuple[int, str]]
    generations: tuple[Generations, ...]
    jpeg: dict[int, Checked]
    sides: dict[int, Checked]
    side: int
    set_sizes: tuple[SetSize, ...]
    batches: tuple[Batch, ...]
    mined_from: tuple[int, int]
    threshold: float
    clustered: Clustered
    control: Clustered
    grouped: str
    faces: int
    persons: int
    altered: dict[str, Altered]
    unaltered: Altered
    layers: tuple[Layer, ...]
    networks: tuple[Network, ...]
    pairs: tuple[int, int]
    shown: Shown = field(default_factory=lambda: Shown(rows=[], sizes=[], mostly=[], purity=[]))

    @property
    def trained_batch(self) -> Batch:
        """Of the size that the trainings with triplets alone have; where people are few, a smaller one is the same."""
        people, images = self.mined_from
        return [one for one in self.batches if one.identities <= people and one.per_identity == images][-1]
