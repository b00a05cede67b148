"""The definition of nearest neighbours, a pair at a time: what `nearest` is tested against."""

import torch
from jaxtyping import Float
from torch import Tensor


def nearest_by_definition(
    references: Float[Tensor, "references dim"], queries: Float[Tensor, "queries dim"] | None, k: int, *, metric: str
) -> list[list[int]]:
    """Rows of the k nearest references of every query; arguments as of `nearest`."""
    rows = references.double()
    asked = rows if queries is None else queries.double()
    if metric == "cosine":
        rows, asked = _directions(rows), _directions(asked)
    found = []
    for at, query in enumerate(asked):
        others = [
            (float((row - query).square().sum()), other)
            for other, row in enumerate(rows)
            if queries is not None or other != at
        ]
        found.append([other for _, other in sorted(others)[:k]])
    return found


def _directions(rows: Float[Tensor, "n dim"]) -> Float[Tensor, "n dim+1"]:
    """Rows of length 1; rows of zeros have a direction of their own, which none of the others has a part of."""
    lengths = rows.norm(dim=1, keepdim=True)
    zeros = lengths == 0
    return torch.cat([rows / lengths.masked_fill(zeros, 1.0), zeros.to(rows)], 1)
