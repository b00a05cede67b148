"""Rows that occur more than once: each is searched once, and stands for all that are equal to it."""

import torch
from torch import Tensor

ROWS_AT_ONCE = 4096  # where a copy of all would take much memory


class Different:
    """The different rows among references, in the order in which they come first."""

    def __init__(self, references: Tensor):
        group, sizes = groups_of(references)
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


def groups_of(rows: Tensor) -> tuple[Tensor, Tensor]:
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
