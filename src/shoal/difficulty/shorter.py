"""Shorter rows that are never farther apart: leading principal coordinates, and the length of the rest.

A row x becomes (Vᵀx, ‖x − VVᵀx‖), V with orthonormal columns. Square distances of these are at most those of the rows,
by the triangle inequality in the space that V leaves out: a bound from a product a third as wide. Rows of pixels, and
of most layers, differ along few directions, so that it is a close one.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor


class Shorter:
    """Makes rows shorter.

    Args:
        sample: of the rows, along which most of them differ; at least as many as `numbers`.
        numbers: that are kept of every row, at most dim; one more is for the rest.

    Attributes:
        rounding: how much of its length a shortened row may be off, in float64.
    """

    def __init__(self, sample: Float[Tensor, "s dim"], numbers: int):
        whole = sample.double()
        _, turned = torch.linalg.eigh(whole @ whole.T)  # the largest last
        self.axes, _ = torch.linalg.qr(whole.T @ turned[:, -numbers:])  # (D, d)
        # ‖Vᵀx‖ is off by at most √d · dim · ε / 2 of ‖x‖, so ‖x‖² − ‖Vᵀx‖² by a few of these, its root by their root
        terms = (8 + 2 * math.sqrt(self.axes.shape[1])) * sample.shape[1]
        self.rounding = math.sqrt(terms * torch.finfo(torch.float64).eps)

    def __call__(self, rows: Float[Tensor, "m dim"]) -> Float[Tensor, "m shorter"]:
        """Shorter rows, float32."""
        whole = rows.double()
        kept = whole @ self.axes  # (m, d)
        rest = (whole.square().sum(1) - kept.square().sum(1)).clamp_min(0).sqrt()
        return torch.cat([kept, rest[:, None]], 1).float()
