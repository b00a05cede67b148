"""The images of the early-exit study: what is trained on, what thresholds are chosen on, what is looked at once."""

import hashlib
from dataclasses import replace
from typing import Any

import torch

from shoal.data import ImageSplits, find_best
from shoal.data.download import Report
from shoal.engine import stream
from shoal.errors import wrong
from shoal.studies.exits_config import BUDGETS, ExitsConfig

FOLDER_SIZE = 32  # pixels: what the study's networks are made for
TEST_ROWS = 10_000  # enough for half a point
QUICK_TEST_ROWS = 2_000


def read_data(config: ExitsConfig, fetching: Report | None = None) -> tuple[ImageSplits, dict[str, Any]]:
    """The data of the run, and what the report says about them."""
    budget = BUDGETS[config.budget]
    choice = find_best(
        config.data or None,
        size=config.image_size or None,
        folder_size=FOLDER_SIZE,
        offline=config.offline,
        default_validation=budget.validation,
        seed=config.seed,
        progress=fetching,
    )
    splits = choice.splits
    rows = min(len(splits.test), QUICK_TEST_ROWS if config.budget == "quick" else TEST_ROWS)
    # In a random order: a folder's images are sorted by class, and batches of one class would mislead the timing.
    order = torch.randperm(len(splits.test), generator=stream(config.seed, "test order"))[:rows]
    splits = replace(splits, test=splits.test.take(order))
    about = {
        "name": splits.name,
        "name_or_path": config.data or choice.data,
        "source": splits.source,
        "why": choice.why,
        "better": choice.better,
        "classes": len(splits.classes),
        "image": "×".join(map(str, splits.shape)),
        "training": len(splits.train),
        "validation": len(splits.validation),
        "test": len(splits.test),
    }
    if not len(splits.validation):
        raise wrong("data", expected="enough images for a validation split", got=str(splits))
    return splits, about


def identity(splits: ImageSplits) -> dict[str, Any]:
    """What tells these data from others: a run must not go on with other images."""
    digest = hashlib.sha256()
    for part in (splits.train, splits.validation, splits.test):
        digest.update(part.labels.numpy().tobytes())
        digest.update(part.images[:: max(1, len(part) // 64)].contiguous().numpy().tobytes())
    return {"name": splits.name, "rows": len(splits.train), "sha256": digest.hexdigest()[:16]}
