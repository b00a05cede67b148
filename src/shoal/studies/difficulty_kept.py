"""What a run of the difficulty study keeps: its network, the images that probes see, and test images from easy to hard.

kept = load_kept_difficulty("runs/difficulty-quick-digits-1a2b3c")
prediction_depth(kept.model, kept.references.pair, kept.shown.pair, layers=kept.layers, prepare=kept.normalise)
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor, nn

from shoal.data import ImageSet, Normalise, stratified_sample
from shoal.engine import RunFolder
from shoal.errors import ShoalError
from shoal.nets.saving import load_folder, save_model
from shoal.studies.difficulty_config import DifficultyConfig
from shoal.studies.difficulty_data import StudyImages
from shoal.studies.difficulty_measured import Examples
from shoal.studies.kept import NETWORK, evenly, keep, load_kept

MOST_BYTES = 64_000_000  # of images that probes see; 20,000 of CIFAR-10's


@dataclass(frozen=True, eq=False, kw_only=True)
class KeptDifficulty:
    """A network and its images.

    Attributes:
        model: on the CPU, in evaluation mode.
        layers: that are probed, input and softmax apart.
        k: neighbours that a probe asks.
        normalise: from bytes to what the network takes.
        references: training images that probes see.
        shown: test images, the easiest first.
        depth: of these, as the study measured it.
        all_references: whether no reference of the study is missing: large ones are kept in part.
    """

    model: nn.Module
    layers: tuple[str, ...]
    k: int
    normalise: Normalise
    references: ImageSet
    shown: ImageSet
    depth: Int[Tensor, " shown"]
    all_references: bool


def keep_difficulty(
    run: RunFolder, model: nn.Module, layers: list[str], config: DifficultyConfig, images: StudyImages, test: Examples
) -> None:
    """Write it into the run folder.

    Args:
        run: its folder.
        model: the measured network.
        layers: that were probed.
        config: resolved.
        images: of the run.
        test: what was measured on its test images.
    """
    save_model(model, run.path / NETWORK)
    references = _bounded(images.references, config.k, config.seed)
    order = test.order
    places = order[evenly(len(order))]
    splits = images.splits
    keep(
        run,
        {
            "layers": list(layers),
            "k": config.k,
            "mean": list(splits.mean),
            "std": list(splits.std),
            "references": _state_of(references),
            "shown": _state_of(splits.test.take(places)),
            "depth": torch.tensor(test.depth)[places],
            "all_references": len(references) == len(images.references),
        },
    )


def load_kept_difficulty(folder: str | Path) -> KeptDifficulty:
    """Read what `keep_difficulty` wrote.

    Raises:
        ShoalError: if the run is of an earlier version and kept nothing, or a file is damaged.
    """
    state = load_kept(folder, "difficulty")
    try:
        return KeptDifficulty(
            model=load_folder(Path(folder) / NETWORK),
            layers=tuple(state["layers"]),
            k=state["k"],
            normalise=Normalise(tuple(state["mean"]), tuple(state["std"])),
            references=_images_of(state["references"]),
            shown=_images_of(state["shown"]),
            depth=state["depth"],
            all_references=state["all_references"],
        )
    except (KeyError, TypeError) as error:
        raise ShoalError(f"{folder}: expected what a difficulty run keeps, got: {error!r}; run it again") from None


def _bounded(images: ImageSet, k: int, seed: int) -> ImageSet:
    """All of the images where they are small, or as many as there is room for, each class in its share."""
    rows = max(k + 1, len(images.classes), MOST_BYTES // max(1, images.images[:1].numel()))
    return images if len(images) <= rows else stratified_sample(images, rows, seed=seed)


def _state_of(images: ImageSet) -> dict[str, Any]:
    told = {"name": images.name, "classes": list(images.classes), "source": images.source}
    return told | {"images": images.images, "labels": images.labels, "rows": images.rows}


def _images_of(state: dict[str, Any]) -> ImageSet:
    return ImageSet(**{**state, "classes": tuple(state["classes"])})
