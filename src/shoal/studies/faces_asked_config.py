"""Settings of `shoal faces` for photos of one's own; imports nothing heavy, for the command line."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from shoal.errors import wrong

Network = Literal["nn1", "nn2", "nn3", "nn4", "nns1", "nns2", "compact"]
Mining = Literal["semi-hard", "hardest", "random", "all", "all-semi-hard"]
Optimizer = Literal["muon", "sgd", "adamw"]
_NOT_FOR_TRAINING = ("held_out", "watch_people", "crop", "offline")


@dataclass(frozen=True, kw_only=True)
class FaceTrainingConfig:
    """How a face network is trained; what is not given is as in `shoal.faces.FacesConfig`.

    Args:
        minutes: training time; 10 unless given.
        epochs: train for so many epochs instead, whatever the time.
        network: which one; compact is ours, for small data and CPUs.
        embedding_dim: numbers of an embedding.
        image_size: pixels a side; those the network was designed for unless given.
        pretraining: share of the training that goes into classifying people; 0 learns from triplets alone.
        classification: weight of the classifier's loss beside the triplets'.
        batch_size: images of a step of classification.
        margin: of the triplet loss, in squared distance.
        mining: of triplets.
        identities: people of a step of triplets.
        per_identity: at most so many images of each.
        optimizer: of both.
        learning_rate: at the peak of the schedule.
        triplet_rate: the same for triplets, as a share of learning_rate.
        precision: auto (measured), fp32 or bf16.
        device: auto, cpu or cuda.
        held_out: share of the people of a folder who are kept to report on; LFW's own lists say who.
        watch_people: share of the others, of those with several images, who are kept to watch the training with; 0
            trains on everybody.
        crop: share of the photo's centre that is taken, 1 for the largest square.
        offline: never fetch faces.
        seed: of everything.
    """

    minutes: float | None = None
    epochs: float | None = None
    network: Network | None = None
    embedding_dim: int | None = None
    image_size: int | None = None
    pretraining: float | None = None
    classification: float | None = None
    batch_size: int | None = None
    margin: float | None = None
    mining: Mining | None = None
    identities: int | None = None
    per_identity: int | None = None
    optimizer: Optimizer | None = None
    learning_rate: float | None = None
    triplet_rate: float | None = None
    precision: str | None = None
    device: str | None = None
    held_out: float = 0.3
    watch_people: float = 0.05
    crop: float = 1.0
    offline: bool = False
    seed: int = 0

    def given(self) -> dict[str, Any]:
        """What was given of the training's own settings; epochs mean that time does not matter.

        Raises:
            InputError: if time and epochs are both given.
        """
        found = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in _NOT_FOR_TRAINING}
        found = {name: value for name, value in found.items() if value is not None}
        if found.get("minutes") and "epochs" in found:
            raise wrong("training time", expected="minutes or epochs", got="both")
        return {"minutes": 0.0} | found if "epochs" in found else found


@dataclass(frozen=True, kw_only=True)
class FaceVerifyingConfig:
    """What is verified.

    Args:
        view: LFW's list of pairs: 1 to develop with, 2 for a final report.
        pairs: a file of pairs in LFW's form ("name n1 n2" and "name1 n1 name2 n2"), for photos named as LFW's.
        draw: pairs of each kind to draw where no list says.
        far: false-accept rate that a threshold is wanted for, 0.001 for one pair in a thousand.
        confidence: of the threshold's interval.
        flip: embed mirrored images too, for twice the time.
        crop: share of the photo's centre that is taken; that of the training unless given.
        offline: never fetch faces.
        device: auto, cpu or cuda.
        seed: of what is drawn.
    """

    view: Literal[1, 2] = 1
    pairs: Path | None = None
    draw: int = 3000
    far: float = 0.001
    confidence: float = 0.95
    flip: bool = True
    crop: float | None = None
    offline: bool = False
    device: str = "auto"
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class EmbeddingConfig:
    """How photos are embedded.

    Args:
        boxes: a CSV file with file, left, top, right and bottom in pixels; the centre of each photo unless given.
        crop: share of the centre, or of the box, that is taken (1.2 takes a tenth more at each edge of a box); that of
            the training unless given, 1 for boxes.
        flip: embed mirrored images too, for twice the time.
        batch_size: images at a time.
        device: auto, cpu or cuda.
        precision: fp32 or bf16.
    """

    boxes: Path | None = None
    crop: float | None = None
    flip: bool = True
    batch_size: int = 256
    device: str = "auto"
    precision: Literal["fp32", "bf16"] = "fp32"


@dataclass(frozen=True, kw_only=True)
class ClusteringConfig:
    """How faces are grouped.

    Args:
        threshold: groups at most so far apart are joined, in squared distance from 0 to 4; see shoal faces verify.
        linkage: how far groups are apart: by the mean, the largest or the smallest distance of their faces.
        links: a CSV file of what is known, with link ("must" or "cannot" be one person), first and second: numbers
            of the column "row" of faces.csv.
    """

    threshold: float = 1.0
    linkage: Literal["average", "complete", "single"] = "average"
    links: Path | None = None
