"""What `shoal faces verify` does: how well a saved network tells people apart, and which threshold to take.

    found = verify_saved(Path("faces.safetensors"), "lfw", FaceVerifyingConfig(far=0.01), progress)
    found.lines()

Where the network was trained on the same photos, people of whom it knows an image are left out, or said to be in.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shoal.data.faces import FacePairs, FaceSet, lfw_pairs, lfw_rows, load_faces, read_pair_list, split_faces
from shoal.data.faces.drawing import draw_some
from shoal.engine import Progress
from shoal.errors import InputError, wrong
from shoal.faces.embedding import embed
from shoal.faces.network import FaceNetwork
from shoal.faces.pair_distances import pair_distances
from shoal.faces.saving import load_network
from shoal.faces.thresholds import threshold_at
from shoal.faces.verification import FARS, verification
from shoal.studies.faces_asked import plain_verification, verification_lines
from shoal.studies.faces_asked_config import FaceVerifyingConfig
from shoal.studies.faces_asked_data import Reading, pairs_of_strangers, strangers_to, trained_on

LISTS = {1: "pairsDevTest.txt", 2: "pairs.txt"}


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What was found, in plain values.

    Attributes:
        model: the file.
        data: in words.
        pairs: in words.
        verification: accuracy, standard_error, auc and val (far, val, standard_error, resolved).
        threshold: far, value, low, high, measured, pairs and confidence; None where it was refused.
        refused: why there is none.
        warnings: what makes the numbers look better than they are.
    """

    model: str
    data: str
    pairs: str
    verification: dict[str, Any]
    threshold: dict[str, Any] | None
    refused: str
    warnings: list[str]

    def lines(self) -> list[str]:
        """The same to read."""
        told = [
            *(f"note: {text}" for text in self.warnings),
            f"{self.pairs}, {self.data}",
            *verification_lines(self.verification),
        ]
        if self.threshold is None:
            return [*told, f"no threshold: {self.refused}"]
        at = self.threshold
        return [
            *told,
            f"threshold {at['value']:.4f} for a FAR of {at['far']:g}; true one with {100 * at['confidence']:g} % "
            f"confidence each: at least {at['low']:.4f}, at most {at['high']:.4f} ({at['pairs']:,} pairs of strangers)",
        ]


def verify_saved(model: Path, data: str, config: FaceVerifyingConfig, progress: Progress) -> Verified:
    """Verify a saved network.

    Args:
        model: the file.
        data: a folder of people's folders, or a set's name.
        config: what is verified.
        progress: told how it goes.

    Raises:
        InputError: if the file holds no network, or the faces are too few.
        ShoalError: if a file is damaged.
    """
    _check(config)
    network, about = load_network(model)
    faces = load_faces(
        data,
        image_size=network.image_size,
        crop=crop_of(about) if config.crop is None else config.crop,
        offline=config.offline,
        progress=Reading(progress, "reading photos"),
    )
    faces, pairs, warnings = _choose(faces, config, about)
    progress.say(f"embedding {len(faces):,} images")
    embeddings = embed(network, faces.images, flip=config.flip, device=config.device)
    a, b = pairs.gather(embeddings)
    fars = tuple(sorted({*FARS, config.far}))
    found = verification(a, b, pairs.same, fold=pairs.fold, far=fars)
    strangers = pairs_of_strangers(faces.labels, config.seed)
    threshold, refused = _threshold(pair_distances(embeddings[strangers[:, 0]], embeddings[strangers[:, 1]]), config)
    return Verified(
        model=str(model),
        data=f"{len(faces):,} images of {len(faces.people):,} people of {faces.title} ({_whose(network)})",
        pairs=f"{pairs.name}: {found.matched:,} matched and {found.mismatched:,} mismatched pairs",
        verification=plain_verification(found),
        threshold=threshold,
        refused=refused,
        warnings=warnings,
    )


def _check(config: FaceVerifyingConfig) -> None:
    if not 0 < config.far <= 0.5:
        raise wrong("far", expected="a share in (0, 0.5]", got=config.far, fix="give 0.1 % as 0.001")
    if not 0.5 <= config.confidence < 1:
        raise wrong("confidence", expected="a number in [0.5, 1)", got=config.confidence, fix="give 95 % as 0.95")
    if config.draw < 1:
        raise wrong("draw", expected="a whole number >= 1", got=config.draw)


def crop_of(about: dict[str, Any]) -> float:
    """Share of a photo's centre that a saved network was trained on."""
    data = about.get("data")
    crop = data.get("crop", 1.0) if isinstance(data, dict) else 1.0
    return float(crop) if isinstance(crop, int | float) and 0 < crop <= 1 else 1.0


def _choose(faces: FaceSet, config: FaceVerifyingConfig, about: dict[str, Any]) -> tuple[FaceSet, FacePairs, list[str]]:
    """Faces and pairs to verify, and what is to be said of them."""
    if config.pairs is not None:
        pairs = read_pair_list(config.pairs, lfw_rows(faces), name=str(config.pairs))
    elif faces.name == "lfw" and config.view == 1:
        splits = split_faces(faces)
        faces, pairs = splits.test, splits.test_pairs
    elif faces.name == "lfw":
        pairs = lfw_pairs(faces, LISTS[config.view])
    else:
        left = strangers_to(faces, about)
        if not len(left):
            fix = "the network was trained on all of them"
            raise wrong("faces", expected="people that the network was not trained on", got="none", fix=fix)
        few = len(faces.people) - len(left.people)
        notes = [f"{few:,} people that the network was trained on are left out"] if few else []
        return left, draw_some(left.labels, pairs=config.draw, seed=config.seed), notes
    return faces, pairs, _seen(faces, about)


def _seen(faces: FaceSet, about: dict[str, Any]) -> list[str]:
    """That a network was trained on what it is measured on."""
    seen = int(trained_on(faces, about).sum())
    if not seen:
        return []
    return [f"the network was trained on {seen:,} of these {len(faces):,} images: with new people it does worse"]


def _threshold(distances: Any, config: FaceVerifyingConfig) -> tuple[dict[str, Any] | None, str]:
    try:
        found = threshold_at(config.far, distances, confidence=config.confidence)
    except InputError as error:  # the settings are in range: pairs are too few
        return None, str(error)
    measured = found.far_measured
    return {
        "far": found.far,
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "measured": [measured.value, measured.low, measured.high],
        "pairs": found.pairs,
        "confidence": found.confidence,
    }, ""


def _whose(network: FaceNetwork) -> str:
    height, width = network.image_size
    return f"{network.name}, {network.embedding_dim} numbers, {height}×{width} pixels"
