"""Which rows of a batch show the same person, and the pairs and triplets that this makes.

    people = Identities.of(labels)
    people.pairs()                      # every ordered (anchor, positive), sorted by anchor, then by positive
    people.count_triplets()             # of all (anchor, positive, negative), without making them

Everything here is a handful of tensors as long as the batch; only `pairs` is longer.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int64, Integer
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Triplets:
    """Rows of a batch, three at a time.

    Attributes:
        anchor: a row.
        positive: another row of the same person.
        negative: a row of somebody else.

    Example:
        >>> row = torch.tensor([0, 1])
        >>> triplets = Triplets(anchor=row, positive=row.flip(0), negative=torch.tensor([2, 3]))
        >>> len(triplets), triplets.select(torch.tensor([False, True])).negative
        (2, tensor([3]))
    """

    anchor: Int64[Tensor, " triplets"]
    positive: Int64[Tensor, " triplets"]
    negative: Int64[Tensor, " triplets"]

    def __len__(self) -> int:
        return len(self.anchor)

    def select(self, which: Bool[Tensor, " triplets"] | Int64[Tensor, " chosen"]) -> "Triplets":
        """Some of the triplets, by a mask or by their numbers."""
        return Triplets(self.anchor[which], self.positive[which], self.negative[which])


@dataclass(frozen=True, eq=False)
class Block:
    """Some anchors and their positives.

    Attributes:
        anchors: rows.
        positives: of each anchor, ascending; the anchor itself fills up where there are fewer.
        there: which of them are positives.
    """

    anchors: Int64[Tensor, " anchors"]
    positives: Int64[Tensor, "anchors most"]
    there: Bool[Tensor, "anchors most"]

    def mark_own(self, distances: Float[Tensor, "anchors batch"], value: float) -> None:
        """Write a value where a row is no negative: at the positives and at the anchor itself."""
        distances.scatter_(1, self.positives, value).scatter_(1, self.anchors[:, None], value)


@dataclass(frozen=True, eq=False)
class Identities:
    """Who is on which row of a batch.

    Attributes:
        order: rows sorted by person, ascending within a person.
        who: number of each row's person, from 0.
        start: where the rows of this row's person begin in `order`.
        count: rows of this row's person, itself included.
        place: which of its person's rows this is, from 0: order[start + place] is the row itself.
        people: persons in the batch.
    """

    order: Int64[Tensor, " batch"]
    who: Int64[Tensor, " batch"]
    start: Int64[Tensor, " batch"]
    count: Int64[Tensor, " batch"]
    place: Int64[Tensor, " batch"]
    people: int

    @classmethod
    def of(cls, labels: Integer[Tensor, " batch"]) -> "Identities":
        """Read the labels of a batch; any whole numbers.

        Example:
            >>> people = Identities.of(torch.tensor([7, 3, 7]))
            >>> people.order, people.count
            (tensor([1, 0, 2]), tensor([2, 1, 2]))
        """
        order = labels.argsort(stable=True)
        _, run, counts = torch.unique_consecutive(labels[order], return_inverse=True, return_counts=True)
        begins = counts.cumsum(0) - counts
        arange = torch.arange(len(labels), device=labels.device)
        who, start, count, place = (torch.empty_like(order) for _ in range(4))
        who[order], start[order], count[order] = run, begins[run], counts[run]
        place[order] = arange - begins[run]
        return cls(order, who, start, count, place, len(counts))

    @cached_property
    def partners(self) -> Int64[Tensor, " batch"]:
        """Positives of each row; none where the batch holds one person only, as there is no negative."""
        return self.count - 1 if self.people > 1 else torch.zeros_like(self.count)

    @cached_property
    def first(self) -> Int64[Tensor, " batch"]:
        """Where the pairs of each row begin in `pairs`."""
        return self.partners.cumsum(0) - self.partners

    @cached_property
    def number_of_pairs(self) -> int:
        """Ordered pairs (anchor, positive) that have a negative."""
        return int(self.partners.sum())

    def pairs(self) -> tuple[Int64[Tensor, " pairs"], Int64[Tensor, " pairs"]]:
        """Every ordered pair (anchor, positive) that has a negative, sorted by anchor, then by positive."""
        arange = torch.arange(len(self.count), device=self.count.device)
        anchor = arange.repeat_interleave(self.partners)  # [pairs]
        within = torch.arange(len(anchor), device=anchor.device) - self.first[anchor]
        within += within >= self.place[anchor]  # a row is not its own positive
        return anchor, self.order[self.start[anchor] + within]

    def blocks(self, at_once: int) -> Iterator["Block"]:
        """Rows that have a positive and a negative, some at a time, those with fewest positives first."""
        by_partners = self.partners.argsort(stable=True)
        anchors = by_partners[int((self.partners == 0).sum()) :]
        for begin in range(0, len(anchors), at_once):
            yield self._block(anchors[begin : begin + at_once])

    def _block(self, anchors: Int64[Tensor, " anchors"]) -> "Block":
        most = int(self.partners[anchors[-1]])
        within = torch.arange(most, device=anchors.device)
        there = within < self.partners[anchors, None]  # [anchors, most]
        place = self.place[anchors, None]
        within = torch.where(there, within + (within >= place), place)
        return Block(anchors, self.order[self.start[anchors, None] + within], there)

    def count_triplets(self) -> int:
        """Number of all (anchor, positive, negative) of the batch."""
        return int((self.partners * (len(self.count) - self.count)).sum())
