"""Splitting rows so that every class keeps its share: validation, test, and smaller training sets.

All draws are pure functions of the labels and a seed. The test rows do not depend on how many validation rows
are asked for, and neither depends on how many training rows are kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Int64
from torch import Tensor

from shoal.data.normalise import channel_statistics
from shoal.data.sets import ImageSet, ImageSplits
from shoal.errors import wrong

DEFAULT_VALIDATION = 0.1
DEFAULT_TEST = 0.2
_TEST, _VALIDATION, _TRAIN = range(3)  # the purposes that random numbers are drawn for


@dataclass(frozen=True, eq=False, kw_only=True)
class PublishedSet:
    """A data set as its authors, or its folders, divide it; `split` makes of it what a study needs.

    Attributes:
        train: the training rows, or all rows where there is no division.
        test: the published test rows, or None.
        validation: the published validation rows, or None.
    """

    train: ImageSet
    test: ImageSet | None = None
    validation: ImageSet | None = None

    def resized(self, size: int | None) -> "PublishedSet":
        """All parts with images of size × size; None changes nothing."""
        if size is None:
            return self
        resized = {k: v.resized(size) if v is not None else None for k, v in vars(self).items()}
        return replace(self, **resized)

    def split(
        self,
        *,
        validation: int | float | None = None,
        test: int | float = DEFAULT_TEST,
        train_rows: int | None = None,
        seed: int = 0,
        default_validation: float = DEFAULT_VALIDATION,
    ) -> ImageSplits:
        """Divide into training, validation and test rows, each class in its share.

        Args:
            validation: rows (int) or share of the training data (float in [0, 1)); 0 trains on all rows. None
                takes the published validation rows, or `default_validation` where there are none.
            test: as `validation`, used only where no test rows are published.
            train_rows: keep this many training rows, each class in its share; None keeps all.
            seed: of all draws.
            default_validation: share of the training data, see `validation`.

        Returns:
            The three parts, with normalisation constants of the training rows.

        Raises:
            InputError: if a size does not fit the data.
        """
        train, held_out, tested = self.train, self.validation, self.test
        if tested is None:
            train, tested = _carve(train, test, "test", _generator(seed, _TEST))
        if held_out is not None and validation is not None:
            train, held_out = _joined(train, held_out), None
        if held_out is None:
            share = default_validation if validation is None else validation
            train, held_out = _carve(train, share, "validation", _generator(seed, _VALIDATION))
        if train_rows is not None and train_rows != len(train):
            train = stratified_sample(train, train_rows, seed=seed)
        mean, std = channel_statistics(train.images)
        return ImageSplits(train=train, validation=held_out, test=tested, mean=mean, std=std, seed=seed)


def stratified_sample(data: ImageSet, rows: int, *, seed: int = 0) -> ImageSet:
    """Draw `rows` rows without replacement, each class in its share (to within one row).

    Args:
        data: where to draw from.
        rows: from 1 to len(data); every class is kept where `rows` is at least the number of classes.
        seed: of the draw.

    Returns:
        The drawn rows, in the order that they had.

    Raises:
        InputError: if there are not so many rows.
    """
    if isinstance(rows, bool) or not 1 <= rows <= len(data):
        raise wrong("training rows", expected=f"1 to {len(data)}", got=rows)
    drawn = _draw(data.labels, _allocate(data.counts, rows), _generator(seed, _TRAIN))
    return data.take(drawn)


def _carve(data: ImageSet, size: int | float, what: str, generator: torch.Generator) -> tuple[ImageSet, ImageSet]:
    """Take `size` rows out of data; every class that has rows keeps one at least."""
    rows = _rows_of(size, data, what)
    if not rows:
        return data, data.take(torch.empty(0, dtype=torch.int64))
    taken = _draw(data.labels, _allocate([max(0, n - 1) for n in data.counts], rows), generator)
    keep = torch.ones(len(data), dtype=torch.bool)
    keep[taken] = False
    return data.take(keep.nonzero().flatten()), data.take(taken)


def _rows_of(size: int | float, data: ImageSet, what: str) -> int:
    """A number of rows from a number or a share; a share above 0 gives each class a row if it can."""
    present = sum(n > 0 for n in data.counts)
    most = len(data) - present
    if isinstance(size, bool) or size < 0 or (isinstance(size, float) and not size < 1):
        expected = f"rows (0 to {most:,}) or a share of them (0.0 up to 1.0, not 1)"
        raise wrong(f"{what} size", expected=expected, got=size)
    rows = size if isinstance(size, int) else round(size * len(data))
    if isinstance(size, float) and size > 0:
        rows = min(max(rows, present), most)
    if rows > most or (size > 0 and not rows):
        expected = f"at most {most:,} of {len(data):,} rows, so that each class keeps one to train on"
        raise wrong(f"{what} size", expected=expected, got=size)
    return rows


def _allocate(counts: Sequence[int], rows: int) -> list[int]:
    """Share `rows` among classes in proportion to `counts`, by largest remainder; none starves if all can eat."""
    total = sum(counts)
    share = [rows * n // total for n in counts]
    by_remainder = sorted(range(len(counts)), key=lambda c: (-(rows * counts[c] % total), c))
    for c in by_remainder[: rows - sum(share)]:
        share[c] += 1
    hungry = [c for c, n in enumerate(counts) if n and not share[c]]
    for c in hungry if rows >= sum(n > 0 for n in counts) else []:
        share[max(range(len(share)), key=share.__getitem__)] -= 1
        share[c] += 1
    return share


def _draw(labels: Int64[Tensor, "n"], per_class: Sequence[int], generator: torch.Generator) -> Int64[Tensor, "m"]:
    """That many rows of each class, sorted."""
    parts = []
    for c, amount in enumerate(per_class):
        members = (labels == c).nonzero().flatten()
        parts.append(members[torch.randperm(len(members), generator=generator)[:amount]])
    return torch.cat(parts).sort().values


def _joined(first: ImageSet, second: ImageSet) -> ImageSet:
    """Rows of both; row numbers of the second go on where the first's published order ends."""
    start = int(first.rows.max()) + 1 if len(first) else 0
    return replace(
        first,
        images=torch.cat((first.images, second.images)),
        labels=torch.cat((first.labels, second.labels)),
        rows=torch.cat((first.rows, second.rows + start)),
        files=first.files + second.files,
    )


def _generator(seed: int, purpose: int) -> torch.Generator:
    return torch.Generator().manual_seed((3 * seed + purpose) % 2**63)
