"""Exact nearest neighbours on one machine: fast distances choose candidates, and a proof says when they are enough.

    found = nearest(references, queries, 30)        # .index and .distance, [m, 30] each, nearest first
    found = nearest(references, None, 30)           # every reference among the others

A product of matrices gives all distances fast and not quite right: ‖q‖² − 2 q·r + ‖r‖² loses digits where rows are
close, and rounding would then decide who is a neighbour. So the product only chooses candidates, more than are asked
for. Their distances are measured again, as differences, in float64, and a bound on the product's rounding tells whether
one that was left out could be nearer; such a query is searched again with more candidates. A product is the more exact,
the nearer rows are to its origin, at first the mean of all: queries that are still not sure, in a heap of rows that are
almost alike, are searched around one of them, and the last of all without a shortcut. The answer is that of brute force
in float64, and equal distances go to the lower index.

Rows that occur more than once are searched once: a dead layer, whose rows are all alike, costs no more than another.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from shoal.difficulty.different import Different
from shoal.difficulty.shorter import Shorter
from shoal.difficulty.tables import DirectTables, ProductTables
from shoal.errors import wrong

SPARE = (8, 40, 200)  # candidates beyond those that are asked for: at first, and for queries that are not sure then
QUERIES_AT_ONCE = 512
ROWS_AT_ONCE = 4096  # where a copy of all would take much memory
NUMBERS_AT_ONCE = 2**21  # of rows that are measured again: near the cache, and few calls for threads to wait in
FEW = 32  # dimensions up to which differences cost no more than a product
WIDE = 256  # dimensions from which on shorter rows are tried first, of a third of that
MOST_KEPT = 1024  # numbers of a shorter row
MANY = 2**20  # dimensions beyond which a product's bound says nothing
AROUND = (1024, 8)  # queries that are searched around one of them; it is worth it where as many are sure then
SMALL = 2.0**-30  # the largest number of rows whose squares may be too small for float32
LARGE = 1e15  # numbers beyond which a square, and a sum of them, may be more than float32 holds

Found = tuple[Tensor, Tensor]  # neighbours of all queries, and their square distances, to be filled in


@dataclass(frozen=True)
class Neighbours:
    """Neighbours of queries, nearest first.

    Attributes:
        index: rows of the references.
        distance: Euclidean, or 1 − cosine.
    """

    index: Int[Tensor, "queries k"]
    distance: Float[Tensor, "queries k"]


def nearest(
    references: Float[Tensor, "references dim"],
    queries: Float[Tensor, "queries dim"] | None,
    k: int,
    *,
    metric: str = "euclidean",
) -> Neighbours:
    """Find the k nearest references of every query, exactly.

    Args:
        references: rows; of any dtype, and measured as float32.
        queries: rows; None asks for every reference, each left out of its own neighbours.
        k: how many, at most the references (less one where they are the queries).
        metric: "euclidean" or "cosine"; rows of zeros are alike, and have cosine 0 with all others.

    Returns:
        Neighbours on the CPU, distances in float64; equal distances go to the lower index.

    Raises:
        InputError: if there are fewer than k references, widths differ, or a number is NaN or infinite.

    Example:
        >>> rows = torch.tensor([[0.0], [1.0], [3.0], [3.5]])
        >>> nearest(rows, torch.tensor([[2.9]]), 2).index.tolist()
        [[2, 3]]
        >>> nearest(rows, None, 1).index.tolist()
        [[1], [0], [3], [2]]
    """
    _check(references, queries, k, metric)
    rows = _plain(references, "references")
    asked = rows if queries is None else _plain(queries, "queries")
    factor, large = 1.0, False
    if metric == "cosine":
        rows = _zeros_apart(rows)
        asked = rows if queries is None else _zeros_apart(asked)
    else:
        most = max(abs(float(end)) for x in (rows, asked) if len(x) for end in torch.aminmax(x))
        large = most > LARGE
        if 0 < most < SMALL:  # a power of two, by which no number changes its digits
            factor = 2.0 ** min(100, -math.frexp(most)[1])
            rows, asked = rows * factor, asked * factor
    different = Different(rows)
    wanted = k + (queries is None)  # a reference finds itself, too
    search = _Search(different.rows, min(wanted, len(different.rows)), metric, direct=large)
    near, far = search.all(asked)
    found = []
    for at in range(0, len(asked), QUERIES_AT_ONCE):
        some = slice(at, at + QUERIES_AT_ONCE)
        index, squares = different.members(near[some], far[some], wanted)
        if queries is None:
            index, squares = _without(torch.arange(len(asked))[some], index, squares)
        found.append((index, squares))
    index = torch.cat([index for index, _ in found]) if found else torch.empty(0, k, dtype=torch.long)
    squares = torch.cat([squares for _, squares in found]) if found else torch.empty(0, k, dtype=torch.float64)
    return Neighbours(index, squares / 2 if metric == "cosine" else squares.sqrt() / factor)


class _Search:
    """References, all different, that are ready to be searched; direct: without products."""

    def __init__(self, references: Tensor, k: int, metric: str, *, direct: bool = False):
        self.references, self.k, self.cosine = references, k, metric == "cosine"  # (n, D)
        self.direct = direct or not FEW < references.shape[1] <= MANY

    def all(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Neighbours of queries, and their square distances, (m, k)."""
        index = torch.empty(len(queries), self.k, dtype=torch.long)
        found = index, torch.empty(len(queries), self.k, dtype=torch.float64)
        if not len(queries):
            return found
        left = torch.arange(len(queries))
        middle = torch.zeros_like(self.references[0]) if self.cosine else self.references.mean(0)
        if self.direct:
            tables = DirectTables(self._exact(self.references))
            self._fill_without_shortcut(found, queries, self._fill(found, queries, left, self._exact, tables))
            return found
        if min(self.references.shape[1], len(self.references) // 32, len(queries) // 8) >= WIDE:
            left = self._fill_by_shorter_rows(found, queries, left, middle)
        left = self._fill_around(found, queries, left, middle)
        together, worth = AROUND
        given_up = worth
        while len(left) > worth:
            middle = self._exact(queries[left[0]])
            far = torch.cat([(self._exact(queries[some]) - middle).norm(dim=1) for some in left.split(ROWS_AT_ONCE)])
            near, left = left[far.argsort(stable=True)].tensor_split([together])
            unsure = self._fill_around(found, queries, near, middle if self.cosine else middle.float())
            if len(near) - len(unsure) < worth:  # the more often, the fewer are tried
                self._fill_without_shortcut(found, queries, unsure[:given_up])
                unsure, given_up = unsure[given_up:], 2 * given_up
            else:
                given_up = worth
            left = torch.cat([left, unsure])
        self._fill_without_shortcut(found, queries, left)
        return found

    def _fill_around(self, found: Found, queries: Tensor, rows: Tensor, middle: Tensor) -> Tensor:
        """By distances around a middle."""
        if not len(rows):
            return rows
        prepare = lambda x: self._around(x, middle)  # noqa: E731
        return self._fill(found, queries, rows, prepare, ProductTables(self.references, prepare))

    def _fill_by_shorter_rows(self, found: Found, queries: Tensor, rows: Tensor, middle: Tensor) -> Tensor:
        """By distances that are at most the true ones; if that leaves most of the first open, it ends with them."""
        numbers = min(self.references.shape[1] // 3, MOST_KEPT)
        sample = torch.randperm(len(self.references), generator=torch.Generator().manual_seed(0))[: 2 * numbers]
        shorter = Shorter(self._around(self.references[sample], middle), numbers)
        prepare = lambda x: shorter(self._around(x, middle))  # noqa: E731
        tables = ProductTables(self.references, prepare, rounding=shorter.rounding)
        first, others = rows.tensor_split([QUERIES_AT_ONCE])
        left = self._fill(found, queries, first, prepare, tables, SPARE[:1])
        if 2 * len(left) > len(first):
            return torch.cat([left, others])
        return torch.cat([left, self._fill(found, queries, others, prepare, tables)])

    def _fill(
        self,
        found: Found,
        queries: Tensor,
        rows: Tensor,
        prepare: Callable[[Tensor], Tensor],
        tables: DirectTables | ProductTables,
        spares: tuple[int, ...] = SPARE,
    ) -> Tensor:
        """Find the neighbours of some queries; the rows of those that are not sure."""
        unsure = []
        for some in rows.split(QUERIES_AT_ONCE):
            table = tables.table(prepare(queries[some]))
            left = torch.arange(len(some))
            for spare in spares:
                wanted = min(self.k + spare, len(self.references))
                candidates, others = table.least(left, wanted)
                index, squares = self._measured(queries[some[left]], candidates)
                for kept, now in zip(found, (index, squares), strict=True):
                    kept[some[left]] = now
                left = left[~(others > squares[:, -1])] if wanted < len(self.references) else left[:0]
                if not len(left):
                    break
            unsure.append(some[left])
        return torch.cat(unsure)

    def _measured(self, queries: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
        """The k nearest of some candidates by differences in float64, ties to the lower row."""
        candidates = candidates.sort(1).values  # (m, c)
        at_once = max(1, NUMBERS_AT_ONCE // (candidates.shape[1] * queries.shape[1]))
        found = []
        for some, asked in zip(candidates.split(at_once), queries.split(at_once), strict=True):
            apart = self._exact(self.references[some])  # (a, c, D)
            apart -= self._exact(asked)[:, None]
            found.append(apart.square_().sum(2))
        squares, order = torch.cat(found).sort(dim=1, stable=True)
        return candidates.gather(1, order)[:, : self.k], squares[:, : self.k]

    def _fill_without_shortcut(self, found: Found, queries: Tensor, rows: Tensor) -> None:
        """Brute force in float64, a query at a time."""
        for row in rows.tolist():
            query = self._exact(queries[row])
            parts = [(self._exact(part) - query).square().sum(1) for part in self.references.split(ROWS_AT_ONCE)]
            least, order = torch.cat(parts).sort(stable=True)
            for kept, now in zip(found, (order, least), strict=True):
                kept[row] = now[: self.k]

    def _exact(self, rows: Tensor) -> Tensor:
        """Rows between which distances are measured, float64: as given, or of length 1."""
        rows = rows.double()
        return rows / rows.norm(dim=-1, keepdim=True) if self.cosine else rows

    def _around(self, rows: Tensor, middle: Tensor) -> Tensor:
        """In float32 around a middle: numbers are small there."""
        return (self._exact(rows) - middle).float() if self.cosine else rows - middle


def _without(own: Tensor, index: Tensor, squares: Tensor) -> tuple[Tensor, Tensor]:
    """Leave each query's own row out; where rows that are equal to it have pushed it out, the last one."""
    here = index == own[:, None]
    here[:, -1] |= ~here.any(1)
    kept = ~here
    shape = len(index), index.shape[1] - 1
    return index[kept].view(shape), squares[kept].view(shape)


def _zeros_apart(rows: Tensor) -> Tensor:
    """Rows of zeros get a direction of their own, in one more dimension."""
    return torch.cat([rows, (rows == 0).all(1, keepdim=True).to(rows)], 1)


def _plain(rows: Tensor, name: str) -> Tensor:
    """Rows in float32 on the CPU, finite."""
    rows = rows.detach().float().cpu().contiguous()
    if not all(bool(torch.isfinite(part).all()) for part in rows.split(ROWS_AT_ONCE)):
        raise wrong(name, expected="finite numbers, as float32 holds them", got="NaN or infinity")
    return rows


def _check(references: Tensor, queries: Tensor | None, k: int, metric: str) -> None:
    if metric not in ("euclidean", "cosine"):
        raise wrong("metric", expected='"euclidean" or "cosine"', got=repr(metric))
    for name, rows in (("references", references), ("queries", queries)):
        if rows is None:
            continue
        if rows.ndim != 2 or not rows.shape[1]:
            raise wrong(name, expected="rows [n, dim]", got=list(rows.shape))
    if queries is not None and queries.shape[1] != references.shape[1]:
        raise wrong("queries", expected=f"rows of {references.shape[1]}, as the references", got=queries.shape[1])
    others = len(references) - (queries is None)
    if not isinstance(k, int) or isinstance(k, bool) or k < 1:
        raise wrong("k", expected="a whole number >= 1", got=k)
    if k > others:
        what = "other references" if queries is None else "references"
        raise wrong("k", expected=f"at most the {others} {what}", got=k, fix="give more references or a smaller k")
