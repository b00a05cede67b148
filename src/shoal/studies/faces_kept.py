"""What a run of the study of faces keeps beside its networks: distances of strangers, and some of the test faces.

    kept = load_kept_faces("runs/faces-quick-digits-1a2b3c")
    threshold_at(0.05, kept.distances)

The faces are some of those that the report may show, in the user's own folder and nowhere else.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from shoal.engine import RunFolder
from shoal.errors import ShoalError
from shoal.faces.network import FaceNetwork
from shoal.faces.saving import load_network
from shoal.studies.faces_looking import Looking
from shoal.studies.faces_measurements_groups import Grouped
from shoal.studies.faces_measurements_networks import distances_to_choose_with
from shoal.studies.faces_names import MAIN, part_of
from shoal.studies.kept import evenly, keep, load_kept

PEOPLE, EACH = 12, 4  # to be picked, and images of each


@dataclass(frozen=True, eq=False, kw_only=True)
class KeptFaces:
    """A network, and what its distances mean.

    Attributes:
        network: the one that most was measured with; on the CPU, in evaluation mode.
        distances: squared, of people who are different, and whom it was not trained on; what thresholds follow from.
        images: some test faces, sorted by person.
        people: the name of whoever is on each.
        are_faces: whether these are faces, or stand-ins.
    """

    network: FaceNetwork
    distances: Float[Tensor, " pairs"]
    images: UInt8[Tensor, "n 3 h w"]
    people: tuple[str, ...]
    are_faces: bool


def keep_faces(run: RunFolder, look: Looking) -> None:
    """Write it into the run folder.

    Args:
        run: its folder.
        look: at the faces of the run.
    """
    test = look.faces.test
    rows = to_pick(look.grouped)
    keep(
        run,
        {
            "distances": distances_to_choose_with(look),
            "images": test.images[rows],
            "people": [test.people[label] for label in test.labels[rows].tolist()],
            "are_faces": test.are_faces,
        },
    )


def to_pick(grouped: Grouped) -> Int64[Tensor, " n"]:
    """Rows of a few people, evenly among those of whom several images were clustered, and a few images of each.

    Args:
        grouped: the clustered faces.
    """
    people = grouped.labels.unique()
    chosen = people[evenly(len(people), PEOPLE)]
    return torch.cat([grouped.rows[grouped.labels == person][:EACH] for person in chosen])


def network_file(folder: str | Path) -> Path:
    """Where a run has its main network."""
    return Path(folder) / "networks" / f"{part_of(MAIN)}.safetensors"


def load_kept_faces(folder: str | Path) -> KeptFaces:
    """Read what `keep_faces` wrote, and the network.

    Raises:
        ShoalError: if the run is of an earlier version and kept nothing, or a file is damaged.
    """
    state = load_kept(folder, "faces")
    network, _ = load_network(network_file(folder))
    try:
        return KeptFaces(
            network=network,
            distances=state["distances"],
            images=state["images"],
            people=tuple(state["people"]),
            are_faces=state["are_faces"],
        )
    except KeyError as error:
        raise ShoalError(f"{folder}: expected what a run of faces keeps, got: no {error}; run it again") from None
