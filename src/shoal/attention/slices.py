"""One call cut into slices of the batch and the heads, done one after the other.

Heads need nothing of each other, and what one of them needs while its rows go by fits into the cache.
"""

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from shoal.attention.problem import Problem

_ROWS = 2048  # of a slice, over its heads: enough to pay for Python, few enough for the cache


@dataclass(frozen=True)
class Slice:
    """Rows of the batch, and key heads; all heads, or those of one row."""

    batch: slice
    heads: slice

    def of(self, tensor: Tensor) -> Tensor:
        """The slice of a (B, K, ...) tensor."""
        return tensor[self.batch, self.heads]

    def pairs(self, tensor: Tensor) -> Tensor:
        """The slice of a contiguous (B, K, ...) tensor as (P, ...), a view."""
        return self.of(tensor).flatten(0, 1)

    def problem(self, whole: Problem) -> Problem:
        """The call on this slice."""
        return whole.replace(
            q=self.of(whole.q),
            k=self.of(whole.k),
            v=self.of(whole.v),
            mask=None if whole.mask is None else whole.mask[self.batch],
            feature_map=whole.feature_map and whole.feature_map.of_heads(self.heads),
        )


def slices_of(problem: Problem) -> list[Slice]:
    """How a call is cut: into rows of the batch where sequences are short, into heads where they are long."""
    batch, heads, length = problem.k.shape[:3]
    most = max(1, _ROWS // max(1, length, problem.q.shape[3]))  # heads of a slice
    if problem.k.device.type != "cpu" or most >= batch * heads or not batch:
        return [Slice(slice(0, batch), slice(0, heads))]
    if most >= heads:
        return [Slice(rows, slice(0, heads)) for rows in _ranges(batch, -(-batch * heads // most))]
    divisible = problem.feature_map is None or problem.feature_map.divisible
    shares = _ranges(heads, -(-heads // most)) if divisible else [slice(0, heads)]
    return [Slice(slice(b, b + 1), share) for b in range(batch) for share in shares]


def _ranges(count: int, shares: int) -> list[slice]:
    edges = [round(count * i / shares) for i in range(shares + 1)]
    return [slice(low, high) for low, high in pairwise(edges) if high > low]
