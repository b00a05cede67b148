"""Exact nearest neighbours on one machine: fast distances choose candidates, and a proof says when they are enough.

    found = nearest(references, queries, 30)        # .index and .distance, [m, 30] each, nearest first
    found = nearest(references, None, 30)           # every reference among the others

A product of matrices gives all distances fast and not quite right: ‖q‖² − 2 q·r + ‖r‖² loses digits where rows are
close, and rounding would then decide who is a neighbour. So the product only chooses candidates, more than are asked
for. Their distances are measured again, as differences, in float64, and a bound on the product's rounding tells whether
one that was left out could be nearer; such a query is searched again with more candidates, and at last without a
shortcut. The answer is that of brute force in float64, and equal distances go to the lower index.

Rows that occur more than once are searched once: a dead layer, whose rows are all alike, costs no more than another.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from shoal.difficulty.tables import DirectTables, ProductTables
from shoal.errors import wrong

SPARE = (8, 200)  # candidates beyond those that are asked for: at first, and for queries that are not sure then
QUERIES_AT_ONCE = 512
ROWS_AT_ONCE = 4096  # where a copy of all would take much memory
NUMBERS_AT_ONCE = 2**21  # of rows that are measured again: near the cache, and few calls for threads to wait in
FEW = 32  # dimensions for which differences cost no more than a product
LARGE = 1e15  # numbers beyond which a square, and a sum of them, may be more than float32 holds


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
    if metric == "cosine":
        rows, asked = _zeros_apart(rows), _zeros_apart(asked)
    different = _Different(rows)
    wanted = k + (queries is None)  # a reference finds itself, too
    ends = [end for x in (rows, asked) if len(x) for end in torch.aminmax(x)]
    large = max(abs(float(end)) for end in ends) > LARGE
    search = _Search(different.rows, min(wanted, len(different.rows)), metric, direct=large)
    found = []
    for at in range(0, len(asked), QUERIES_AT_ONCE):
        some = asked[at : at + QUERIES_AT_ONCE]
        index, squares = different.members(*search.rows(some), wanted)
        if queries is None:
            index, squares = _without(torch.arange(at, at + len(some)), index, squares)
        found.append((index, squares))
    index = torch.cat([index for index, _ in found]) if found else torch.empty(0, k, dtype=torch.long)
    squares = torch.cat([squares for _, squares in found]) if found else torch.empty(0, k, dtype=torch.float64)
    return Neighbours(index, squares / 2 if metric == "cosine" else squares.sqrt())


class _Search:
    """References, all different, that are ready to be searched; direct: without products."""

    def __init__(self, references: Tensor, k: int, metric: str, *, direct: bool = False):
        self.references, self.k, self.cosine = references, k, metric == "cosine"  # (n, D)
        self.middle = torch.zeros_like(references[0]) if self.cosine else references.mean(0)
        self.direct = direct or references.shape[1] <= FEW
        if self.direct:
            self.tables = DirectTables(self._prepared(references))
        else:
            self.tables = ProductTables(references, self._prepared)

    def rows(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Neighbours of a few queries, and their square distances, (m, k)."""
        table = self.tables.table(self._prepared(queries))
        index = torch.empty(len(queries), self.k, dtype=torch.long)
        squares = torch.empty(len(queries), self.k, dtype=torch.float64)
        left = torch.arange(len(queries))
        for spare in SPARE:
            wanted = min(self.k + spare, len(self.references))
            candidates, others = table.least(left, wanted)
            index[left], squares[left] = self._measured(queries[left], candidates)
            if wanted == len(self.references):
                return index, squares
            left = left[others <= squares[left, -1]]
            if not len(left):
                return index, squares
        index[left], squares[left] = self._without_shortcut(queries[left])
        return index, squares

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

    def _without_shortcut(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Brute force in float64, a query at a time."""
        found = []
        for query in queries:
            parts = [(self._exact(part) - self._exact(query)).square().sum(1) for part in self.references.split(4096)]
            least, order = torch.cat(parts).sort(stable=True)
            found.append((order[: self.k], least[: self.k]))
        return torch.stack([order for order, _ in found]), torch.stack([least for _, least in found])

    def _exact(self, rows: Tensor) -> Tensor:
        """Rows between which distances are measured, float64: as given, or of length 1."""
        rows = rows.double()
        return rows / rows.norm(dim=-1, keepdim=True) if self.cosine else rows

    def _prepared(self, rows: Tensor) -> Tensor:
        """What tables are made of: the same, or in float32 around the references' mean, where numbers are small."""
        if self.direct:
            return self._exact(rows)
        return self._exact(rows).float() if self.cosine else rows - self.middle


class _Different:
    """The different rows among references, in the order in which they come first."""

    def __init__(self, references: Tensor):
        group, sizes = _groups(references)
        self.rows, self.all_differ = references, len(sizes) == len(references)
        if self.all_differ:
            return
        order = group.argsort(stable=True)  # members group by group, in the order of the references
        starts = sizes.cumsum(0) - sizes
        by_first = order[starts].argsort()
        self.rows, self.sizes, self.starts, self.order = (
            references[order[starts][by_first]],
            sizes[by_first],
            starts[by_first],
            order,
        )

    def members(self, index: Tensor, squares: Tensor, wanted: int) -> tuple[Tensor, Tensor]:
        """The nearest references, where `index` has the nearest of the different rows, (m, wanted) each."""
        if self.all_differ:
            return index, squares
        sizes = self.sizes[index]  # (m, k)
        nearer = sizes.cumsum(1) - sizes  # references in the groups before
        last = squares.masked_fill(nearer >= wanted, -torch.inf).amax(1, keepdim=True)
        counts = sizes.clamp_max(wanted) * (squares <= last)  # of every group, those that may be among the wanted
        per_query = counts.sum(1)
        group = torch.arange(index.numel()).repeat_interleave(counts.flatten())  # (N,), query by query
        member = torch.arange(len(group)) - (counts.flatten().cumsum(0) - counts.flatten())[group]
        rows, far = self.order[self.starts[index].flatten()[group] + member], squares.flatten()[group]
        order = rows.argsort(stable=True)  # equal distances go to the lower index
        for key in (far, group // index.shape[1]):  # by query, by distance
            order = order[key[order].argsort(stable=True)]
        best = order[(per_query.cumsum(0) - per_query)[:, None] + torch.arange(wanted)]
        return rows[best], far[best]


def _groups(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Number of the group of every row, equal rows in one, and the sizes of the groups.

    Rows are told apart by sums of their bits with random odd weights. Rows whose sums agree are compared; sorting whole
    rows, as `torch.unique` does, takes several copies of them and is left to sums that agree by accident.
    """
    generator = torch.Generator().manual_seed(0)
    weights = 2 * torch.randint(-(2**62), 2**62, (rows.shape[1],), generator=generator) + 1
    bits = ((part + 0.0).view(torch.int32).long() for part in rows.split(ROWS_AT_ONCE))  # −0 + 0 is 0, as it is equal
    sums = torch.cat([(part * weights).sum(1) for part in bits])
    _, group, sizes = sums.unique(return_inverse=True, return_counts=True)
    number = torch.arange(len(rows))
    first = torch.full((len(sizes),), len(rows)).scatter_reduce_(0, group, number, "amin")
    others = (number != first[group]).nonzero().flatten()
    for some in others.split(ROWS_AT_ONCE):
        if not torch.equal(rows[some], rows[first[group[some]]]):
            _, group, sizes = torch.unique(rows, dim=0, return_inverse=True, return_counts=True)
            break
    return group, sizes


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
    rows = rows.detach().float().cpu()
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
