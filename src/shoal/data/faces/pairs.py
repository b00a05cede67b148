"""Pairs of images for verification: `FacePairs`, two row numbers each, and whether both show one person.

pairs = read_pair_list(".../pairsDevTest.txt", rows)
a, b = pairs.gather(embeddings)               # [pairs, dim] each
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Int64, Shaped
from torch import Tensor

from shoal.errors import wrong

FOLDS = 10


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FacePairs:
    """Pairs of rows of a `FaceSet`.

    Attributes:
        a: int64 [p], row of the first image.
        b: int64 [p], row of the second.
        same: bool [p], whether both show the same person.
        fold: int64 [p], the part that a pair belongs to: what is measured on one part is chosen on the others.
        name: for people, for example "View 1, test".

    Raises:
        InputError: if the parts do not belong together.

    Example:
        >>> pairs = FacePairs(a=torch.tensor([0, 0]), b=torch.tensor([1, 2]), same=torch.tensor([True, False]),
        ...                   fold=torch.tensor([0, 0]), name="toy")
        >>> pairs
        FacePairs('toy', 1 matched and 1 mismatched)
        >>> pairs.gather(torch.tensor([[1.0], [2.0], [3.0]]))[1].tolist()
        [[2.0], [3.0]]
    """

    a: Tensor
    b: Tensor
    same: Tensor
    fold: Tensor
    name: str = ""

    def __post_init__(self):
        shape = self.a.shape
        for what, values, kind in (
            ("a", self.a, torch.int64),
            ("b", self.b, torch.int64),
            ("same", self.same, torch.bool),
            ("fold", self.fold, torch.int64),
        ):
            if values.dtype != kind or values.shape != shape or values.ndim != 1:
                got = f"{values.dtype} {list(values.shape)}"
                raise wrong(f"pairs, {what}", expected=f"{kind} [{shape[0] if shape else 'p'}]", got=got)

    def __len__(self) -> int:
        return len(self.a)

    def __repr__(self) -> str:
        matched = int(self.same.sum())
        return f"FacePairs({self.name!r}, {matched:,} matched and {len(self) - matched:,} mismatched)"

    def take(self, index: Shaped[Tensor, "m"]) -> "FacePairs":
        """The pairs of these numbers, or where a mask is True.

        Args:
            index: int64 [m], or bool [p].
        """
        kept = {part: getattr(self, part)[index] for part in ("a", "b", "same", "fold")}
        return replace(self, **kept)

    def gather(self, rows: Shaped[Tensor, "n ..."]) -> tuple[Shaped[Tensor, "p ..."], Shaped[Tensor, "p ..."]]:
        """What belongs to the first, and to the second image of every pair.

        Args:
            rows: embeddings, or anything else with a row per image of the set.

        Returns:
            Two tensors with a row per pair.

        Raises:
            InputError: if a pair names an image that has no row.
        """
        self.check(len(rows))
        return rows[self.a.to(rows.device)], rows[self.b.to(rows.device)]

    def check(self, images: int) -> None:
        """Refuse pairs that name images which are not there.

        Args:
            images: how many there are.

        Raises:
            InputError: naming the first such pair.
        """
        ends = torch.stack((self.a, self.b))  # (2, p)
        missing = ((ends < 0) | (ends >= images)).any(0)
        if missing.any():
            first = int(missing.nonzero()[0])
            got = f"rows {int(self.a[first])} and {int(self.b[first])} in pair {first}"
            what = f"pairs{f' of {self.name}' if self.name else ''}"
            expected = f"rows 0 to {images - 1}" if images else "images, which are not there"
            fix = f"{int(missing.sum()):,} of {len(self):,} pairs name missing images"
            raise wrong(what, expected=expected, got=got, fix=fix)


def folds_in_order(same: Bool[Tensor, "p"], folds: int = FOLDS) -> Int64[Tensor, "p"]:
    """Parts of equal size, in the order that pairs come in, each with its share of either kind.

    Lists of pairs are sorted by name, so that the pairs of a person mostly fall into one part.

    Args:
        same: which pairs are matched.
        folds: how many parts, at least 2.

    Example:
        >>> folds_in_order(torch.tensor([True, True, True, True, False, False]), 2).tolist()
        [0, 0, 1, 1, 0, 1]
    """
    if folds < 2:
        raise wrong("folds", expected="at least 2", got=folds)
    fold = torch.empty(len(same), dtype=torch.int64)
    for kind in (same, ~same):
        count = int(kind.sum())
        fold[kind] = torch.arange(count) * folds // max(count, 1)
    return fold
