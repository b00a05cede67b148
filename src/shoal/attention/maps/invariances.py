"""Exact invariances of softmax attention, used to make the kernel easy: centring and balancing.

Softmax does not change when every key moves by the same vector, nor when queries are multiplied by Ψ and keys by Ψ⁻ᵀ.
Queries may be centred too, at the price of a factor per key. With means μ and coordinates as in
`shoal.attention.maps.base`:

    scale · q·k = x·y + scale · q·μ_k + scale · μ_q·(k − μ_k)
"""

import torch
from jaxtyping import Float
from torch import Tensor

_RIDGE = 1e-3  # of the mean variance: a direction without any must not be divided by zero


class Invariances:
    """Names and neutral values of what `find_invariances` finds."""

    @staticmethod
    def none(dim: int) -> dict[str, Tensor]:
        """No centring and no balancing."""
        mean, basis = torch.zeros(1, 1, dim), torch.eye(dim)[None]
        return {"query_mean": mean, "key_mean": mean.clone(), "query_basis": basis, "key_basis": basis.clone()}


def find_invariances(
    q: Float[Tensor, "batch heads n_q dim"], k: Float[Tensor, "batch heads n_k dim"]
) -> dict[str, Tensor]:
    """Means, and bases in which centred queries and keys have the same second moments.

    Ψ is the symmetric root of the geometric mean of both covariances, the only positive P = ΨᵀΨ with P C_q P = C_k.

    Args:
        q: calibration queries, per head.
        k: calibration keys, per head.

    Returns:
        query_mean and key_mean (H, 1, D); query_basis Ψᵀ and key_basis Ψ⁻¹ (H, D, D), to be multiplied from the right,
        both turned to the axes of the largest variance.
    """
    rows = [x.transpose(0, 1).flatten(1, 2).double() for x in (q, k)]  # (H, B·n, D)
    means = [x.mean(1, keepdim=True) for x in rows]
    c_q, c_k = (_covariance(x - mean) for x, mean in zip(rows, means, strict=True))
    root, inverse_root = _power(c_q, 0.5), _power(c_q, -0.5)
    metric = inverse_root @ _power(root @ c_k @ root, 0.5) @ inverse_root  # P
    psi, inverse_psi = _power(metric, 0.5), _power(metric, -0.5)
    axes = torch.linalg.eigh(psi @ c_q @ psi).eigenvectors  # a rotation of both changes nothing either
    skew = ((rows[0] - means[0]) @ (psi @ axes)).pow(3).sum(1, keepdim=True)  # (H, 1, D)
    axes = torch.where(skew < 0, -axes, axes)  # eigenvectors have no sign; the data's are the same on any machine
    found = {"query_mean": means[0], "key_mean": means[1], "query_basis": psi @ axes, "key_basis": inverse_psi @ axes}
    return {name: tensor.float() for name, tensor in found.items()}


def _covariance(centred: Tensor) -> Tensor:
    """Second moments of centred rows, (H, D, D), with a ridge."""
    moments = centred.mT @ centred / centred.shape[1]
    level = moments.diagonal(dim1=-2, dim2=-1).mean(-1)[:, None, None].clamp_min(1e-12)
    return moments + _RIDGE * level * torch.eye(moments.shape[-1], dtype=moments.dtype, device=moments.device)


def _power(matrix: Tensor, exponent: float) -> Tensor:
    """A power of symmetric positive matrices."""
    values, vectors = torch.linalg.eigh((matrix + matrix.mT) / 2)
    return (vectors * values.clamp_min(1e-30).pow(exponent)[:, None, :]) @ vectors.mT
