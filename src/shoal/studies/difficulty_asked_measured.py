"""Images of one's own after they were measured: what each probe, score and label says of every one of them.

measured.parts[0].depth.depth, measured.issues.score       # of the training images
measured.joined(lambda part: part.depth.soft_depth)        # of all images
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unicodedata import category

import torch
from torch import Tensor

from shoal.data import ImageSet, ImageSplits
from shoal.difficulty import Depth, LabelIssues, ScoreTable


@dataclass(frozen=True, eq=False, kw_only=True)
class Part:
    """Images of one part of the data, measured.

    Attributes:
        name: "train" or "test".
        images: with their labels.
        depth: where each is settled.
        issues: how right the labels are; of training images alone.
        scores: all scores that there are.
    """

    name: str
    images: ImageSet
    depth: Depth
    issues: LabelIssues | None
    scores: ScoreTable

    def __len__(self) -> int:
        return len(self.images)

    @property
    def right(self) -> float:
        """Share of images for which the network's answer is the label."""
        return float((self.depth.predicted == self.depth.labels).double().mean())

    def file(self, row: int) -> str:
        """Path within the folder, made printable; the row of a named data set."""
        return printable(self.images.files[row]) if self.images.files else str(int(self.images.rows[row]))


@dataclass(frozen=True, eq=False, kw_only=True)
class Measured:
    """All images, measured.

    Attributes:
        splits: the data.
        folder: that files are in; None for a named data set.
        parts: the training images, and test images where there are some.
        network: what was asked, as half a sentence.
        left_out: a sentence on scores that could not be had; empty where there are all.
        environment: of the run.
        seconds: by part of the run.
    """

    splits: ImageSplits
    folder: Path | None
    parts: tuple[Part, ...]
    network: str
    left_out: str
    environment: dict[str, Any]
    seconds: dict[str, float]

    @property
    def words(self) -> str:
        """The data in words."""
        return counted(self.splits)

    @property
    def issues(self) -> LabelIssues:
        """How right the labels of the training images are, whose places come first."""
        issues = self.parts[0].issues
        assert issues is not None
        return issues

    @property
    def best_probe(self) -> tuple[str, float]:
        """The probe that says the label of most training images, and of what share."""
        depth = self.parts[0].depth
        best = depth.probe_accuracy.max(0)
        return depth.layers[int(best.indices)], float(best.values)

    @property
    def places(self) -> list[tuple[Part, int]]:
        """Every image as part and row, in the order of `joined`."""
        return [(part, row) for part in self.parts for row in range(len(part))]

    def joined(self, column: Callable[[Part], Tensor]) -> Tensor:
        """A column of all parts, one after the other."""
        return torch.cat([column(part) for part in self.parts])


def named(part: str, file: str) -> str:
    """An image's path, or the row of a named data set, for people.

    Example:
        >>> named("test", "test/cat/1.png"), named("test", "17")
        ('test/cat/1.png', 'test row 17')
    """
    return f"{part} row {file}" if file.isdecimal() else file  # a path has a suffix


def printable(text: str) -> str:
    r"""A file's name as UTF-8 and a terminal can take it: control characters and broken UTF-8 become their escapes.

    Example:
        >>> printable("Füße & <b>.png"), printable("a\nb.png"), printable("a\udcff.png")
        ('Füße & <b>.png', 'a\\nb.png', 'a\\udcff.png')
    """
    return "".join(c.encode("unicode_escape").decode() if category(c) in ("Cc", "Cs") else c for c in text)


def counted(splits: ImageSplits) -> str:
    """The data in words, without parts that are empty."""
    channels, height, width = splits.shape
    rows = f"{len(splits.train):,}" + (f" + {len(splits.test):,} test" if len(splits.test) else "")
    return f"{splits.name}: {rows} images {height}×{width}×{channels} in {len(splits.classes)} classes"
