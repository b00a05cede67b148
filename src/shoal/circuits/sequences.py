"""Every sequence up to a length, as far as that can be done, and a seeded sample beyond."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

MOST = 200_000  # sequences of one length that are all looked at
_AT_ONCE = 8192


@dataclass(frozen=True)
class Sequences:
    """Sequences of every length up to a longest.

    Attributes:
        tokens: how many there are to choose from.
        max_len: longest sequence.
        most: sequences of one length that are all made; of longer ones, so many are drawn.
        seed: of the draw.
    """

    tokens: int
    max_len: int
    most: int = MOST
    seed: int = 0

    @property
    def complete_up_to(self) -> int:
        """The length up to which every sequence is there."""
        return max((n for n in range(1, self.max_len + 1) if self.tokens**n <= self.most), default=0)

    def __iter__(self) -> Iterator[Int[Tensor, "batch n"]]:
        """Batches of sequences of one length, the shortest first."""
        generator = torch.Generator().manual_seed(self.seed)
        for length in range(1, self.max_len + 1):
            if self.tokens**length <= self.most:
                yield from _all(self.tokens, length).split(_AT_ONCE)
            else:
                drawn = torch.randint(self.tokens, (self.most, length), generator=generator)
                yield from drawn.split(_AT_ONCE)


def _all(tokens: int, length: int) -> Int[Tensor, "count n"]:
    """All sequences of a length, in the order of counting."""
    count = torch.arange(tokens**length)[:, None]
    return count // tokens ** torch.arange(length - 1, -1, -1) % tokens


def padded(tokens: int, max_len: int, padding: int) -> Int[Tensor, "count n"]:
    """Every sequence up to a length in one tensor, the shorter ones padded."""
    pad = torch.nn.functional.pad
    return torch.cat([pad(_all(tokens, n), (0, max_len - n), value=padding) for n in range(1, max_len + 1)])


def all_or_some(
    tokens: int, max_len: int, padding: int, *, most: int, generator: torch.Generator
) -> Int[Tensor, "count n"]:
    """Every sequence up to a length, or so many drawn ones of any length where there are more."""
    if sum(tokens**n for n in range(1, max_len + 1)) <= most:
        return padded(tokens, max_len, padding)
    drawn = torch.randint(tokens, (most, max_len), generator=generator)
    lengths = torch.randint(1, max_len + 1, (most, 1), generator=generator)
    return drawn.masked_fill(torch.arange(max_len) >= lengths, padding)


def longest(tokens: int, max_len: int, *, most: int, generator: torch.Generator) -> Int[Tensor, "count n"]:
    """Every sequence of the full length, or so many drawn ones where there are more."""
    if tokens**max_len <= most:
        return _all(tokens, max_len)
    return torch.randint(tokens, (most, max_len), generator=generator)
