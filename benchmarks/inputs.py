"""Made-up inputs of attention: the trained-like ones that random features fail on, and isotropic ones."""

import torch
from torch import Tensor
from torch.nn.functional import layer_norm

from shoal.studies.attention_inputs import Head

DIM = 64
_SCALING_TOKENS = 2048


class TrainedLike:
    """Queries and keys as trained networks make them: few strong directions, means away from zero.

    The distribution of one head of the attention study (`shoal.studies.attention_inputs`), with logits whose standard
    deviation in a row is `spread` on average. Values are N(0, 1).
    """

    def __init__(self, *, spread: float = 1.0, seed: int = 0):
        self.head = Head.drawn(DIM, torch.Generator().manual_seed(seed))
        q, k, _ = self.draw(_SCALING_TOKENS, seed=seed + 1)
        self.head = self.head.scaled(q[0, 0], k[0, 0], spread)

    def draw(self, n: int, *, sequences: int = 1, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        """q, k, v of new tokens, (sequences, 1, n, dim), float64."""
        head = self.head
        q, k, v = _normal(sequences, n, DIM, seed)
        # not `Head.tokens`: a product in another order has other last bits, and records are of these
        q = q * head.deviations @ head.query_basis.mT + head.query_mean
        k = k * head.deviations @ head.key_basis.mT + head.key_mean
        return head.factor * q, head.factor * k, v


def isotropic(n: int, *, dim: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """q, k, v of normalised Gaussian rows, (1, 1, n, dim)."""
    q, k, v = _normal(1, n, dim, seed)
    return layer_norm(q, (dim,)), layer_norm(k, (dim,)), v


def _normal(sequences: int, n: int, dim: int, seed: int) -> Tensor:
    """N(0, 1) for q, k and v, (3, sequences, 1, n, dim), float64."""
    g = torch.Generator().manual_seed(seed)
    return torch.randn(3, sequences, 1, n, dim, generator=g, dtype=torch.float64)
