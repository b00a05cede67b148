"""The gradient of a sum over triplets by the embeddings, without a row of numbers for every triplet.

With C[a, x] = ∂L/∂|a − x|² and S = C + Cᵀ, ∂L/∂E = 2 (diag(S 1) − S) E: one product of batch × batch × dim in
place of gathering and adding `triplets` × `dim` numbers three times. For triplets S holds whole numbers, so
that the order in which they are added does not matter, on a GPU either.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from shoal.faces import mining_numba
from shoal.faces.triplets import Triplets


def pull(
    rows: Float[Tensor, "batch dim"],
    triplets: Triplets,
    *,
    backend: str = "auto",
    scratch: Float[Tensor, "batch batch"] | None = None,
) -> Float[Tensor, "batch dim"]:
    """Half of the gradient of Σ |a − p|² − |a − n|² over the triplets, by the rows.

    Args:
        rows: embeddings, float32 or float64.
        triplets: to sum over.
        backend: "auto", "torch" or "numba"; they differ by the order of additions.
        scratch: memory that may be overwritten.
    """
    if mining_numba.uses_numba(backend, rows.device, rows.dtype, len(rows)):
        return mining_numba.pull(rows.contiguous(), triplets)
    weights = rows.new_empty(len(rows), len(rows)) if scratch is None else scratch
    flat = weights.zero_().view(-1)
    one = rows.new_ones(()).expand(len(triplets))
    for other, sign in ((triplets.positive, one), (triplets.negative, -one)):
        flat.scatter_add_(0, triplets.anchor * len(rows) + other, sign)
        flat.scatter_add_(0, other * len(rows) + triplets.anchor, sign)
    return torch.addmm(weights.sum(1, keepdim=True) * rows, weights, rows, alpha=-1)


def with_gradient(embeddings: Tensor, value: Float[Tensor, ""], gradient: Tensor | None) -> Float[Tensor, ""]:
    """A value whose gradient by the embeddings is known: backpropagation goes on from there.

    Args:
        embeddings: what the value was computed from.
        value: without a graph.
        gradient: of the value by the embeddings; None for a value without gradient.
    """
    return value if gradient is None else _WithGradient.apply(embeddings, value, gradient)  # type: ignore[return-value]


class _WithGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, embeddings: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        ctx.dtype = embeddings.dtype
        return value.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (gradient,) = ctx.saved_tensors
        return (slope * gradient).to(ctx.dtype), None, None
