"""The images of the difficulty study: what is trained on, what probes see, what is asked, what people said of it."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from shoal.data import ImageSet, ImageSplits, locate, stratified_sample
from shoal.data.download import Report
from shoal.data.votes import Votes, find_votes
from shoal.errors import wrong
from shoal.studies.difficulty_config import BUDGETS, DifficultyConfig
from shoal.studies.found_images import find_images, identity_of


@dataclass(frozen=True, eq=False, kw_only=True)
class StudyImages:
    """All images of a run.

    Attributes:
        splits: as trained, validated and tested; the test images are in a random order.
        references: training images that probes see.
        watched: places among the references of images that are watched while training.
        held_out: validation images that are watched.
        people: what people said about the images.
        about: what the report says about them.
    """

    splits: ImageSplits
    references: ImageSet
    watched: Int[Tensor, " watched"]
    held_out: ImageSet
    people: Votes
    about: dict[str, Any]

    @property
    def identity(self) -> dict[str, Any]:
        """What tells these images from others: a run must not go on with others."""
        parts = (self.splits.train, self.held_out, self.splits.test, self.references)
        found = identity_of(self.splits.name, parts, len(self.splits.train))
        return found | {"people": list(self.people.names)}


def read_images(config: DifficultyConfig, fetching: Report | None = None) -> StudyImages:
    """Find and divide the images.

    Args:
        config: resolved.
        fetching: told how a fetch goes.

    Raises:
        InputError: if there are too few images for what is asked of them.
    """
    budget = BUDGETS[config.budget]
    splits, about = find_images(config, validation=budget.validation, test_rows=config.test_rows, fetching=fetching)
    train = _at_most(splits.train, config.train_rows, config.seed)
    splits = replace(splits, train=train)
    references = _at_most(train, config.references, config.seed)
    places = replace(references, rows=torch.arange(len(references)), files=())
    held_out = _at_most(splits.validation, budget.watched, config.seed)
    images = StudyImages(
        splits=splits,
        references=references,
        watched=_at_most(places, budget.watched, config.seed).rows,
        held_out=held_out,
        people=find_votes(locate(about["name_or_path"])),
        about=about
        | {
            "training": len(train),
            "training images that probes see": len(references),
            "validation": len(splits.validation),
            "validation images that are watched": len(held_out),
            "test": len(splits.test),
        },
    )
    _check(images, config)
    if images.people.names:
        images.about["people"] = f"{' and '.join(images.people.names)}, for the analysis only"
    return images


def _at_most(images: ImageSet, rows: int, seed: int) -> ImageSet:
    """All of the images, or so many of them, each class in its share."""
    return images if len(images) <= rows else stratified_sample(images, rows, seed=seed)


def _check(images: StudyImages, config: DifficultyConfig) -> None:
    """Refuse now what measuring would refuse after the trainings."""
    for what, part in (("training", images.references), ("test", images.splits.test)):
        if len(found := part.labels.unique()) < 2:
            got = f"only {part.classes[int(found[0])]}" if len(found) else "none"
            raise wrong(f"{what} images", expected="at least two classes", got=got)
    others = len(images.references) - 1
    if config.k > others:
        raise wrong("k", expected=f"at most the {others:,} other training images that probes see", got=config.k)
