"""The images of the early-exit study: what is trained on, what thresholds are chosen on, what is looked at once."""

from typing import Any

from shoal.data import ImageSplits
from shoal.data.download import Report
from shoal.studies.exits_config import BUDGETS, ExitsConfig
from shoal.studies.found_images import find_images, identity_of

TEST_ROWS = 10_000  # enough for half a point
QUICK_TEST_ROWS = 2_000


def read_data(config: ExitsConfig, fetching: Report | None = None) -> tuple[ImageSplits, dict[str, Any]]:
    """The data of the run, and what the report says about them."""
    test_rows = QUICK_TEST_ROWS if config.budget == "quick" else TEST_ROWS
    validation = BUDGETS[config.budget].validation
    splits, about = find_images(config, validation=validation, test_rows=test_rows, fetching=fetching)
    return splits, about | {
        "training": len(splits.train),
        "validation": len(splits.validation),
        "test": len(splits.test),
    }


def identity(splits: ImageSplits) -> dict[str, Any]:
    """What tells these data from others: a run must not go on with other images."""
    return identity_of(splits.name, (splits.train, splits.validation, splits.test), len(splits.train))
