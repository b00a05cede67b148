"""How a study of images finds them: the same images in the same order, and what the report says of them."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from shoal.data import ImageSet, ImageSplits, find_best
from shoal.data.download import Report
from shoal.engine import stream
from shoal.errors import wrong
from shoal.studies.difficulty_config import DifficultyConfig
from shoal.studies.exits_config import ExitsConfig

FOLDER_SIZE = 32  # pixels that a folder's images are brought to: what the studies' networks are made for


def find_images(
    config: ExitsConfig | DifficultyConfig, *, validation: float, test_rows: int, fetching: Report | None = None
) -> tuple[ImageSplits, dict[str, Any]]:
    """Find and divide the images.

    Args:
        config: which data, and the side of the images.
        validation: share of the training images that is held out, where the data have no such part.
        test_rows: at most so many.
        fetching: told how a fetch goes.

    Returns:
        The images, those for the test in a random order, and what the report says of them; there, "name_or_path"
        leads to the same data again.

    Raises:
        InputError: if there are too few for a validation split, or the data cannot be used.
    """
    choice = find_best(
        config.data or None,
        size=config.image_size or None,
        folder_size=FOLDER_SIZE,
        offline=config.offline,
        default_validation=validation,
        seed=config.seed,
        progress=fetching,
    )
    splits = choice.splits
    if not len(splits.validation):
        raise wrong("data", expected="enough images for a validation split", got=str(splits))
    # In a random order: a folder's images are sorted by class, and the first few would be of one class.
    order = torch.randperm(len(splits.test), generator=stream(config.seed, "test order"))[:test_rows]
    about = {
        "name": splits.name,
        "name_or_path": str(config.data or choice.data),
        "source": splits.source,
        "why": choice.why,
        "better": choice.better,
        "classes": len(splits.classes),
        "image": "×".join(map(str, splits.shape)),
    }
    return replace(splits, test=splits.test.take(order)), about


def identity_of(name: str, parts: Sequence[ImageSet], rows: int) -> dict[str, Any]:
    """What tells these images from others: a run must not go on with others.

    Args:
        name: of the data.
        parts: the images, by part.
        rows: that are trained on.
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.labels.numpy().tobytes())
        digest.update(part.images[:: max(1, len(part) // 64)].contiguous().numpy().tobytes())
    return {"name": name, "rows": rows, "sha256": digest.hexdigest()[:16]}
