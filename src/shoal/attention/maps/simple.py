"""Maps without randomness and without exponentials: kernels of their own that stand in for softmax's.

`elu` and `relu` do not approximate exp(q·k); networks are trained with them. `taylor` is its series up to the square.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from shoal.attention.features import Features
from shoal.attention.maps.base import FeatureMap, Role


class Elementwise(FeatureMap):
    """A map with one feature per dimension; `num_features` is `dim`, whatever was asked for."""

    exponential, estimates_softmax = False, False

    def __init__(self, dim: int, num_features: int, **options: Any):
        super().__init__(dim, dim, **options)


class Elu(Elementwise):
    """elu(x) + 1, of queries and keys as they are: `scale` does not enter.

    Source: Katharopoulos et al. 2020, "Transformers are RNNs", section 3.2.1 (arXiv 2006.16236).
    """

    name = "elu"

    def features(self, x: Tensor, role: Role, scale: float) -> Features:
        """Positive."""
        return Features(F.elu(x) + 1)


class Relu(Elementwise):
    """max(x, 0), of queries and keys as they are; a row without any positive entry has the denominator 0.

    Source: Choromanski et al. 2021, "Rethinking attention with Performers", section 2.2 (arXiv 2009.14794).
    """

    name = "relu"

    def features(self, x: Tensor, role: Role, scale: float) -> Features:
        """Never negative."""
        return Features(x.relu())


class Taylor(FeatureMap):
    """1 + x·y + (x·y)²/2, in 1 + D + D(D+1)/2 features; never below 1/2.

    Source: Keles et al. 2023, "On the computational complexity of self-attention", section 5 (arXiv 2209.04881).
    """

    name, exponential = "taylor", False
    pairs: Tensor  # (2, D (D + 1) / 2)

    def __init__(self, dim: int, num_features: int, **options: Any):
        super().__init__(dim, 1 + dim + dim * (dim + 1) // 2, **options)
        row, column = torch.triu_indices(dim, dim)
        self.register_buffer("pairs", torch.stack([row, column]), persistent=False)

    def features(self, x: Tensor, role: Role, scale: float) -> Features:
        """One, the row, and its products; those of different entries stand for two."""
        x = scale**0.5 * x
        row, column = self.pairs
        products = x[..., row] * x[..., column] * torch.where(row == column, x.new_tensor(0.5**0.5), x.new_tensor(1.0))
        return Features(torch.cat([torch.ones_like(x[..., :1]), x, products], -1))
