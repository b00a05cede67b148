"""What `shoal faces cluster` does: embeddings that `shoal faces embed` wrote, grouped by person.

Two faces of one photo are never one person. Where the photos lay in people's folders, the groups are scored by them.
"""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from shoal.faces.cluster_scores import cluster_scores
from shoal.faces.clustering import cluster
from shoal.files import write_text
from shoal.studies.faces_asked_config import ClusteringConfig
from shoal.studies.faces_asked_embed import COLUMNS, Face, read_embedded
from shoal.studies.faces_asked_links import read_links


@dataclass(frozen=True, kw_only=True)
class Clustered:
    """Groups of faces, in plain values.

    Attributes:
        file: the table.
        faces: how many.
        clusters: how many there are.
        largest: faces of the ten largest.
        single: clusters of one face.
        scores: purity, pairwise_f and bcubed_f, where people are known.
    """

    file: str
    faces: int
    clusters: int
    largest: list[int]
    single: int
    scores: dict[str, float] | None

    def lines(self) -> list[str]:
        """The same to read."""
        largest = ", ".join(f"{size:,}" for size in self.largest)
        counts = f"{self.faces:,} faces in {self.clusters:,} groups, {self.single:,} of them of one face"
        told = [self.file, f"{counts}; largest: {largest}"]
        if self.scores:
            told.append(
                f"against the people's folders: purity {self.scores['purity']:.3f}, pairwise F "
                f"{self.scores['pairwise_f']:.3f}, BCubed F {self.scores['bcubed_f']:.3f}"
            )
        return told


def cluster_folder(folder: Path, file: Path, config: ClusteringConfig) -> Clustered:
    """Group the faces of a folder of embeddings, and write the table with a column for the group.

    Args:
        folder: that `shoal faces embed` wrote.
        file: CSV to write.
        config: how.

    Raises:
        InputError: if the folder holds no embeddings, a setting is wrong, or links contradict each other.
        ShoalError: if a file is damaged or cannot be written.
    """
    embedded = read_embedded(folder)
    photos = [face.file for face in embedded.faces]
    must, cannot = read_links(config.links, len(photos)) if config.links else ([], [])
    groups = cluster(
        embedded.embeddings,
        threshold=config.threshold,
        linkage=config.linkage,
        must_link=must,
        cannot_link=cannot,
        same_photo=photos,
    )
    write_text(file, _table(embedded.faces, groups.tolist()))
    sizes = torch.bincount(groups).sort(descending=True).values.tolist()
    return Clustered(
        file=str(file),
        faces=len(groups),
        clusters=len(sizes),
        largest=sizes[:10],
        single=sizes.count(1),
        scores=_scores(embedded.faces, groups),
    )


def _table(faces: list[Face], groups: list[int]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("group", *COLUMNS))
    for row, (face, group) in enumerate(zip(faces, groups, strict=True)):
        edges = ("",) * 4 if face.box is None else tuple(f"{edge:g}" for edge in face.box)
        writer.writerow((group, row, face.file, face.person, *edges))
    return text.getvalue()


def _scores(faces: list[Face], groups: Any) -> dict[str, float] | None:
    """Where everybody is known."""
    people = [face.person for face in faces]
    if not all(people):
        return None
    numbers = {person: number for number, person in enumerate(dict.fromkeys(people))}
    found = cluster_scores(groups, torch.tensor([numbers[person] for person in people]))
    return {"purity": found.purity, "pairwise_f": found.pairwise_f, "bcubed_f": found.bcubed_f}
