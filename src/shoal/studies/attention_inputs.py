"""Made-up queries, keys and values: trained-like ones, and isotropic ones that random features were tested on.

`aniso` has what heads of trained networks have: few strong directions, means away from zero, and logits that differ by
about one from key to key. `iso` is Gaussian noise after a LayerNorm. Tokens of one head are independent of one another.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from shoal.engine import stream

Kind = Literal["aniso", "iso"]
KINDS: tuple[Kind, ...] = ("aniso", "iso")
DECAY = -0.75  # standard deviations follow i^DECAY along the axes
BASIS_OFF = 0.05  # of the keys' basis from the queries'
QUERY_OFFSET, KEY_OFFSET = 0.5, 1.0  # standard deviations of the means
SPREAD = 1.0  # mean standard deviation of a row's logits
_SCALING_TOKENS = 1024


@dataclass(frozen=True)
class Head:
    """The distribution of one trained-like head.

    Attributes:
        deviations: standard deviations along the axes.
        query_basis: axes of queries, as columns.
        key_basis: the same for keys.
        query_mean: of queries.
        key_mean: of keys.
        factor: that both are multiplied by, so that the logits have the right spread.
    """

    deviations: Float[Tensor, "dim"]
    query_basis: Float[Tensor, "dim dim"]
    key_basis: Float[Tensor, "dim dim"]
    query_mean: Float[Tensor, "dim"]
    key_mean: Float[Tensor, "dim"]
    factor: float = 1.0

    @classmethod
    def drawn(cls, dim: int, generator: torch.Generator) -> "Head":
        """Draw a distribution: standard deviations i^-0.75 on a random basis, total variance `dim`, means off zero."""
        normal = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
        deviations = torch.arange(1, dim + 1, dtype=torch.float64) ** DECAY
        deviations *= (dim / deviations.square().sum()).sqrt()
        basis = _rotation(normal(dim, dim))
        turned = _rotation(basis + BASIS_OFF * normal(dim, dim))
        return cls(deviations, basis, turned, QUERY_OFFSET * normal(dim), KEY_OFFSET * normal(dim))

    def scaled(self, q: Float[Tensor, "n dim"], k: Float[Tensor, "n dim"], spread: float = SPREAD) -> "Head":
        """The distribution with the factor that gives the logits of a row this standard deviation on average.

        Args:
            q: queries of this distribution, from before.
            k: keys, likewise.
            spread: that is wanted.
        """
        found = (q @ k.mT / q.shape[1] ** 0.5).std(1).mean()
        return replace(self, factor=float((spread / found).sqrt()))

    def tokens(self, n: int, generator: torch.Generator) -> tuple[Float[Tensor, "n dim"], Float[Tensor, "n dim"]]:
        """Queries and keys of n new tokens."""
        noise = torch.randn(2, n, len(self.deviations), generator=generator, dtype=torch.float64)
        q = noise[0] @ (self.deviations[:, None] * self.query_basis.mT) + self.query_mean
        k = noise[1] @ (self.deviations[:, None] * self.key_basis.mT) + self.key_mean
        return self.factor * q, self.factor * k


def draw_inputs(
    kind: Kind, n: int, *, heads: int, dim: int, seed: int, purpose: str
) -> tuple[Float[Tensor, "1 heads n dim"], Float[Tensor, "1 heads n dim"], Float[Tensor, "1 heads n dim"]]:
    """Draw q, k and v of n tokens; each head has a distribution of its own.

    Args:
        kind: "aniso" or "iso".
        n: tokens.
        heads: how many.
        dim: of queries, keys and values.
        seed: of the distributions.
        purpose: tells tokens of the same distributions apart: "calibration", "test".

    Returns:
        Float64; values are N(0, 1).

    Example:
        >>> q, k, v = draw_inputs("aniso", 100, heads=2, dim=8, seed=0, purpose="test")
        >>> (q @ k.mT / 8**0.5).std(-1).mean() < 2
        tensor(True)
    """
    queries, keys, values = [], [], []
    for number in range(heads):
        generator = stream(seed, kind, purpose, number)
        if kind == "aniso":
            q, k = _head(dim, seed, number).tokens(n, generator)
        else:
            noise = torch.randn(2, n, dim, generator=generator, dtype=torch.float64)
            q, k = torch.nn.functional.layer_norm(noise, (dim,))
        queries.append(q)
        keys.append(k)
        values.append(torch.randn(n, dim, generator=generator, dtype=torch.float64))
    return torch.stack(queries)[None], torch.stack(keys)[None], torch.stack(values)[None]


def _head(dim: int, seed: int, number: int) -> Head:
    """The distribution of a study's head; the same for tokens of every purpose."""
    generator = stream(seed, "head", number)
    head = Head.drawn(dim, generator)
    return head.scaled(*head.tokens(_SCALING_TOKENS, generator))


def _rotation(matrix: Tensor) -> Tensor:
    """The rotation next to a matrix, by its QR decomposition; axes are columns."""
    q, r = torch.linalg.qr(matrix)
    return q * r.diagonal().sign()
