"""Batches of about as many tokens each: documents of one length together, so that little padding is computed.

Which rows are together is drawn anew for every epoch, among documents of about one length; how many batches there are
and how large each is stays the same, so that a step is a pure function of its number and a run can go on anywhere.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from shoal.engine import stream
from shoal.engine.device import World
from shoal.errors import wrong
from shoal.summarize.tokenizer import END, PAD, START

BUCKET = 8  # tokens: documents are sorted by their length rounded up to a multiple of it
SUMMARY_BUCKET = 4  # the same for the summaries of documents of one length


@dataclass(frozen=True, eq=False)
class Encoded:
    """Documents and summaries as numbers.

    Attributes:
        sources: of each document, cut to the model's length.
        targets: of each summary, from its start to its end; cut likewise.
        cut: documents that were cut.
        cut_summaries: summaries that were cut.
    """

    sources: list[list[int]]
    targets: list[list[int]]
    cut: int = 0
    cut_summaries: int = 0

    def __len__(self) -> int:
        return len(self.sources)

    def take(self, rows: Sequence[int]) -> "Encoded":
        """Some of the rows."""
        return Encoded([self.sources[row] for row in rows], [self.targets[row] for row in rows])


def encode_pairs(
    sources: Sequence[Sequence[int]], targets: Sequence[Sequence[int]], max_source: int, max_target: int
) -> Encoded:
    """Cut to the model's lengths, and put start and end around the summaries.

    Args:
        sources: numbers of every document.
        targets: numbers of every summary, without start and end.
        max_source: tokens of a document that are read.
        max_target: tokens of a summary that are written, its end included.
    """
    return Encoded(
        [list(source[:max_source]) or [END] for source in sources],  # an empty document is one token of nothing
        [[START, *target[: max_target - 1], END] for target in targets],
        sum(len(source) > max_source for source in sources),
        sum(len(target) > max_target - 1 for target in targets),
    )


class TokenBatches:
    """Batches for `shoal.engine.fit`: pairs (documents [b, n], summaries [b, m]), padded at the end.

    Args:
        data: to train on.
        tokens: of the documents of a batch, padding included; a batch holds at least one row.
        seed: of the order.

    Raises:
        InputError: if there is no row.
    """

    def __init__(self, data: Encoded, *, tokens: int, seed: int = 0):
        if not len(data):
            raise wrong("training data", expected="at least one pair", got="none")
        self.data, self.seed = data, seed
        lengths = torch.tensor([-(-len(source) // BUCKET) for source in data.sources])
        self._by_length = lengths.argsort(stable=True)
        self._lengths = lengths[self._by_length]
        summaries = torch.tensor([len(target) // SUMMARY_BUCKET for target in data.targets])
        self._summaries = summaries[self._by_length]
        self._bounds = list(_bounds((BUCKET * self._lengths).tolist(), tokens))
        self.steps_per_epoch = len(self._bounds)
        self._epoch, self._rows, self._order = -1, torch.empty(0), torch.empty(0)

    def size_at(self, progress: float) -> str:  # noqa: ARG002 - one size
        """Batches take about the same time each."""
        return "full"

    def sizes(self) -> tuple[str, ...]:
        """One size."""
        return ("full",)

    def batch(self, step: int, size: str, world: World) -> tuple[Tensor, Tensor]:  # noqa: ARG002
        """This process's share of the batch of one step."""
        epoch, place = divmod(step, self.steps_per_epoch)
        self._shuffle(epoch)
        begin, end = self._bounds[int(self._order[place])]
        rows = self._rows[begin:end].tolist()
        return pad_rows(self.data, rows[world.rank :: world.size] or rows[:1])

    def _shuffle(self, epoch: int) -> None:
        if epoch == self._epoch:
            return
        generator = stream(self.seed, "batches", epoch)
        drawn = torch.rand(len(self._lengths), generator=generator, dtype=torch.float64)
        within = (self._summaries + drawn) / (self._summaries.max() + 1)  # in [0, 1): at random among equal lengths
        among = (self._lengths + within).argsort()  # documents' lengths stay as they were
        self._rows = self._by_length[among]
        self._order = torch.randperm(len(self._bounds), generator=generator)
        self._epoch = epoch


def _bounds(lengths: Sequence[int], tokens: int) -> Iterator[tuple[int, int]]:
    """Cut rows, sorted by length, where a batch is full."""
    begin = 0
    for row, length in enumerate(lengths):
        if row > begin and (row + 1 - begin) * length > tokens:
            yield begin, row
            begin = row
    yield begin, len(lengths)


def pad_rows(data: Encoded, rows: Sequence[int]) -> tuple[Int[Tensor, "b n"], Int[Tensor, "b m"]]:
    """Some rows as two tensors."""
    return pad([data.sources[row] for row in rows]), pad([data.targets[row] for row in rows])


def pad(lists: Sequence[Sequence[int]]) -> Int[Tensor, "b n"]:
    """Lists of numbers, padded at the end to the longest."""
    longest = max(map(len, lists))
    return torch.tensor([[*numbers, *[PAD] * (longest - len(numbers))] for numbers in lists])


def in_order_of_length(data: Encoded, tokens: int) -> Iterator[tuple[list[int], Tensor, Tensor]]:
    """All rows once, short documents first: (rows, documents, summaries)."""
    if not len(data):
        return
    order = sorted(range(len(data)), key=lambda row: len(data.sources[row]))
    for begin, end in _bounds([len(data.sources[row]) for row in order], tokens):
        rows = order[begin:end]
        yield rows, *pad_rows(data, rows)
