"""Tables of distances between queries and references, and where a row of one is least.

The c smallest of n numbers lie within the c blocks whose own smallest number is least: any other block has c smaller
numbers elsewhere. So a row is read once for the minima of its blocks, and never sorted.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

BLOCK = 32  # numbers that share a minimum
TILE = 4096  # references at once: their distances stay in the cache


@dataclass(frozen=True)
class Table:
    """Square distances, as far as they are known.

    Attributes:
        numbers: of queries with references; references are padded to whole blocks, far away.
        minima: of blocks. A block of a tile is every TILE/BLOCK-th of its columns, which is how a minimum is fast.
        lower: makes bounds of numbers of some queries: a true square distance is at least that.
    """

    numbers: Float[Tensor, "queries references"]
    minima: Float[Tensor, "queries blocks"]
    lower: Callable[[Tensor, Tensor], Tensor]

    def least(self, rows: Int[Tensor, " rows"], count: int) -> tuple[Int[Tensor, "rows count"], Float[Tensor, " rows"]]:
        """Columns of the least numbers of some rows, and what no true distance of another column is below."""
        places = self._places(self.minima[rows].topk(min(count, self.minima.shape[1]), 1, False, False).indices)
        found, order = self.numbers[rows[:, None], places].topk(count, 1, largest=False)
        return places.gather(1, order), self.lower(found[:, -1], rows)

    def _places(self, blocks: Int[Tensor, "rows blocks"]) -> Int[Tensor, "rows columns"]:
        """Columns of blocks."""
        tile, place = blocks // (TILE // BLOCK), blocks % (TILE // BLOCK)
        width = (self.numbers.shape[1] - tile * TILE).clamp_max(TILE)  # of the tile: the last one may be narrower
        member = torch.arange(BLOCK)
        return ((tile * TILE + place)[..., None] + member * (width // BLOCK)[..., None]).flatten(1)


class ProductTables:
    """Tables by a product of matrices in float32: (1 − 2ε) ‖r‖² − 2 q·r, to which a bound adds (1 − 2ε) ‖q‖².

    Why that is a bound of ‖q − r‖²: a product of n terms rounds by at most γ(n) Σ|a||b|, γ(n) = n u / (1 − n u), in any
    order of summing (Higham 2002, "Accuracy and stability of numerical algorithms", section 3.1; u is half of float32's
    step at 1). Here n is dim + 1 and Σ|a||b| at most ‖q‖² + 2 ‖r‖², as 2 ‖q‖ ‖r‖ ≤ ‖q‖² + ‖r‖². The rows' own rounding
    moves a square distance by at most 2 u (‖q‖ + ‖r‖)², twice where they are made shorter, and each of the two square
    norms and of the last sums rounds once more. All of it together is less than 2 ε (‖q‖² + ‖r‖²) with ε = γ(dim + 8):
    every reference pays for its own size, so that one that is far away makes no other unsure. What is too small for
    float32 is less than its smallest normal number, a product.

    Args:
        references: (n, dim), of which no square is infinite in float32.
        prepare: makes the float32 rows that are multiplied, no farther apart than the references.
        rounding: share of its length by which a row that `prepare` makes may be off, beside float32's rounding.
    """

    def __init__(
        self,
        references: Float[Tensor, "references dim"],
        prepare: Callable[[Tensor], Tensor] = torch.Tensor.float,
        *,
        rounding: float = 0.0,
    ):
        width = prepare(references[:1]).shape[1]
        terms = (width + 8) * torch.finfo(torch.float32).eps / 2 + 2 * rounding
        self.kept = 1 - 2 * terms / (1 - terms)
        self.room = _Room()
        # with ‖r‖²: one product for all of it
        self.references = torch.empty(len(references), width + 1, dtype=torch.float32)
        for at in range(0, len(references), TILE):  # part by part: a copy of all would take much memory
            part = prepare(references[at : at + TILE])
            self.references[at : at + TILE, :-1] = part
            self.references[at : at + TILE, -1] = self.kept * _squares(part)

    def table(self, queries: Float[Tensor, "queries dim"]) -> Table:
        """Of queries with all references; its memory is that of the table before, which is over."""
        small = 4 * (queries.shape[1] + 2) * torch.finfo(torch.float32).tiny
        sizes = (self.kept * _squares(queries) - small).float()
        rows = torch.cat([-2 * queries, queries.new_ones(len(queries), 1)], 1)

        def fill(tile: slice, out: Tensor) -> None:
            torch.mm(rows, self.references[tile].T, out=out)

        lower = lambda least, rows: least + sizes[rows]  # noqa: E731
        with _whole_float32():
            return _filled(self.room, queries, len(self.references), fill, lower)


class DirectTables:
    """Tables by differences in float64, for a few dimensions: as exact as can be, also where rows are very close.

    Args:
        references: (n, dim), float64.
    """

    def __init__(self, references: Float[Tensor, "references dim"]):
        self.references, self.room = references, _Room()

    def table(self, queries: Float[Tensor, "queries dim"]) -> Table:
        """Of queries with all references; its memory is that of the table before, which is over."""
        share = (queries.shape[1] + 8) * torch.finfo(torch.float64).eps

        def fill(tile: slice, out: Tensor) -> None:
            found = torch.cdist(queries, self.references[tile], compute_mode="donot_use_mm_for_euclid_dist")
            torch.square(found, out=out)

        return _filled(self.room, queries, len(self.references), fill, lambda least, _: least * (1 - share))


def _squares(rows: Float[Tensor, "n dim"]) -> Float[Tensor, " n"]:
    """Square norms, in float64."""
    return torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64).square()


class _Room:
    """Memory of a table, taken once: fresh pages for every table would cost about as much time as its product."""

    def __init__(self) -> None:
        self.numbers = self.minima = torch.empty(0)

    def of(self, queries: Tensor, width: int) -> tuple[Tensor, Tensor]:
        """Numbers, and minima of their blocks."""
        if len(self.numbers) < len(queries):
            self.numbers = queries.new_empty(len(queries), width)
            self.minima = queries.new_empty(len(queries), width // BLOCK)
        return self.numbers[: len(queries)], self.minima[: len(queries)]


def _filled(
    room: _Room,
    queries: Tensor,
    references: int,
    fill: Callable[[slice, Tensor], None],
    lower: Callable[[Tensor, Tensor], Tensor],
) -> Table:
    """A table that is filled tile by tile; what lies beyond the references is far away."""
    width = -(-references // BLOCK) * BLOCK
    numbers, minima = room.of(queries, width)
    numbers[:, references:] = torch.inf
    for at in range(0, width, TILE):
        tile, end = slice(at, min(at + TILE, references)), min(at + TILE, width)
        fill(tile, numbers[:, tile])
        torch.amin(numbers[:, at:end].unflatten(1, (BLOCK, -1)), 1, out=minima[:, at // BLOCK : end // BLOCK])
    return Table(numbers, minima, lower)


@contextmanager
def _whole_float32() -> Iterator[None]:
    """Products in float32 proper, also where `torch.set_float32_matmul_precision` lets a CPU round rows to bfloat16."""
    products = torch.backends.mkldnn.matmul  # pyright: ignore[reportAttributeAccessIssue] - torch's stub lacks it
    before = products.fp32_precision
    if before in ("none", "ieee"):
        yield
        return
    products.fp32_precision = "ieee"
    try:
        yield
    finally:
        products.fp32_precision = before
