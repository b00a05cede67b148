"""What a run of the study of faces keeps beside its networks: distances of strangers, and faces of its clusters.

    kept = load_kept_faces("runs/faces-quick-digits-1a2b3c")
    threshold_at(0.05, kept.distances)

The faces are those that the report shows, in the user's own folder and nowhere else.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from shoal.engine import RunFolder
from shoal.errors import ShoalError
from shoal.faces.network import FaceNetwork
from shoal.faces.saving import load_network
from shoal.studies.faces_looking import Looking
from shoal.studies.faces_measured import Measured
from shoal.studies.faces_measurements_networks import distances_to_choose_with
from shoal.studies.faces_names import MAIN, part_of
from shoal.studies.kept import keep, load_kept

EACH = 4  # faces of a cluster, at most


@dataclass(frozen=True, eq=False, kw_only=True)
class KeptFaces:
    """A network, and what its distances mean.

    Attributes:
        network: the one that most was measured with; on the CPU, in evaluation mode.
        distances: squared, of people who are different, and whom it was not trained on; what thresholds follow from.
        images: test faces of the largest clusters.
        people: the name of whoever is on each.
        cluster: the number of the cluster of each, from 0.
        are_faces: whether these are faces, or stand-ins.
    """

    network: FaceNetwork
    distances: Float[Tensor, " pairs"]
    images: UInt8[Tensor, "n 3 h w"]
    people: tuple[str, ...]
    cluster: tuple[int, ...]
    are_faces: bool


def keep_faces(run: RunFolder, look: Looking, found: Measured) -> None:
    """Write it into the run folder.

    Args:
        run: its folder.
        look: at the faces of the run.
        found: what was measured.
    """
    test = look.faces.test
    chosen = [(number, row) for number, rows in enumerate(found.shown.rows) for row in rows[:EACH]]
    rows = torch.tensor([row for _, row in chosen], dtype=torch.long)
    keep(
        run,
        {
            "distances": distances_to_choose_with(look),
            "images": test.images[rows],
            "people": [test.people[label] for label in test.labels[rows].tolist()],
            "cluster": [number for number, _ in chosen],
            "are_faces": test.are_faces,
        },
    )


def load_kept_faces(folder: str | Path) -> KeptFaces:
    """Read what `keep_faces` wrote, and the network.

    Raises:
        ShoalError: if the run is of an earlier version and kept nothing, or a file is damaged.
    """
    state = load_kept(folder, "faces")
    network, _ = load_network(Path(folder) / "networks" / f"{part_of(MAIN)}.safetensors")
    try:
        return KeptFaces(
            network=network,
            distances=state["distances"],
            images=state["images"],
            people=tuple(state["people"]),
            cluster=tuple(state["cluster"]),
            are_faces=state["are_faces"],
        )
    except KeyError as error:
        raise ShoalError(f"{folder}: expected what a run of faces keeps, got: no {error}; run it again") from None
