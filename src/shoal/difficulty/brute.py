"""The definition of nearest neighbours, a pair at a time: what `nearest` is tested against."""

from jaxtyping import Float
from torch import Tensor


def nearest_by_definition(
    references: Float[Tensor, "references dim"], queries: Float[Tensor, "queries dim"] | None, k: int, *, metric: str
) -> list[list[int]]:
    """Rows of the k nearest references of every query; arguments as of `nearest`."""
    rows = references.double()
    asked = rows if queries is None else queries.double()
    if metric == "cosine":
        rows, asked = (x / x.norm(dim=1, keepdim=True).clamp_min(1e-300) for x in (rows, asked))
    found = []
    for at, query in enumerate(asked):
        others = [
            (float((row - query).square().sum()), other)
            for other, row in enumerate(rows)
            if queries is not None or other != at
        ]
        found.append([other for _, other in sorted(others)[:k]])
    return found
