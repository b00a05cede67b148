"""Made-up inputs of attention: the trained-like ones that random features fail on, and isotropic ones."""

import torch
from torch import Tensor

DIM = 64


class TrainedLike:
    """Queries and keys as trained networks make them: few strong directions, means away from zero.

    Standard deviations follow i^-0.75 along a random rotated basis (the keys' is 5 % off the queries'), scaled to a
    total variance of `dim`; means are N(0, 0.5²) for queries and N(0, 1) for keys; all is rescaled so that the logits
    of a row have the standard deviation `spread` on average. Values are N(0, 1).
    """

    def __init__(self, *, dim: int = DIM, spread: float = 1.0, seed: int = 0):
        g = torch.Generator().manual_seed(seed)
        normal = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)  # noqa: E731
        deviations = torch.arange(1, dim + 1, dtype=torch.float64) ** -0.75
        self.deviations = deviations * (dim / deviations.square().sum()).sqrt()
        self.query_basis = _rotation(normal(dim, dim))
        self.key_basis = _rotation(self.query_basis + 0.05 * normal(dim, dim))
        self.query_mean, self.key_mean = 0.5 * normal(dim), normal(dim)
        self.factor = 1.0
        q, k, _ = self.draw(2048, seed=seed + 1)
        spread_now = (q[0, 0] @ k[0, 0].mT / dim**0.5).std(1).mean()
        self.factor = float((spread / spread_now).sqrt())

    def draw(self, n: int, *, sequences: int = 1, seed: int) -> tuple[Tensor, Tensor, Tensor]:
        """q, k, v of new tokens, (sequences, 1, n, dim), float64."""
        g = torch.Generator().manual_seed(seed)
        normal = lambda: torch.randn(sequences, 1, n, len(self.deviations), generator=g, dtype=torch.float64)  # noqa: E731
        q = normal() * self.deviations @ self.query_basis.mT + self.query_mean
        k = normal() * self.deviations @ self.key_basis.mT + self.key_mean
        return self.factor * q, self.factor * k, normal()


def isotropic(n: int, *, dim: int = DIM, heads: int = 1, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """q, k, v of normalised Gaussian rows, (1, heads, n, dim)."""
    g = torch.Generator().manual_seed(seed)
    q, k, v = (torch.randn(1, heads, n, dim, generator=g, dtype=torch.float64) for _ in range(3))
    return torch.nn.functional.layer_norm(q, (dim,)), torch.nn.functional.layer_norm(k, (dim,)), v


def _rotation(matrix: Tensor) -> Tensor:
    q, r = torch.linalg.qr(matrix)
    return q * r.diagonal().sign()
