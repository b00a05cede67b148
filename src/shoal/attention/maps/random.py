"""Random features of the exponential kernel: unbiased estimates of exp(x·y), one class per family.

| name | feature of x, per direction w ~ N(0, I) | |
|---|---|---|
| trig | exp(|x|²/2) · (cos w·x, sin w·x) | signed: denominators can be negative |
| positive | exp(w·x − |x|²/2) | FAVOR+ |
| hyperbolic | the same with w and −w | |
| oprf | (1−4a)^(D/4) exp(a|w|² + √(1−4a) w·x − |x|²/2) | a fitted to the spread of x + y |
| sderf | oprf with a of its own for every axis of the data | FAVOR# |

All are divided by the root of the number of directions (or pairs). `trig` starts from the Gaussian kernel:
exp(x·y) = exp(|x|²/2) exp(|y|²/2) exp(−|x−y|²/2), and random Fourier features for the last factor.
"""

import math
from typing import Any, Self

import torch
from torch import Tensor

from shoal.attention.features import Features
from shoal.attention.maps.base import FeatureMap, Role
from shoal.attention.maps.directions import draw_directions


class RandomMap(FeatureMap):
    """A map with random directions, the same for every head; those of a pair of features are drawn once."""

    symmetric = True
    directions: Tensor  # (F, D)

    def __init__(self, dim: int, num_features: int, **options: Any):
        super().__init__(dim, num_features, **options)
        self.register_buffer("directions", self._draw())

    def _draw(self) -> Tensor:
        count = self.num_features // self.feature_step
        return draw_directions(count, self.dim, orthogonal=self.orthogonal, seed=self.seed)

    def redraw(self, seed: int) -> Self:
        """Draw new directions; what was fitted stays."""
        super().redraw(seed)
        self.directions.copy_(self._draw())
        return self

    def projected(self, x: Tensor) -> Tensor:
        """w·x for every direction, (B, H, n, F)."""
        return x @ self.directions.to(x.dtype).T


class Trig(RandomMap):
    """Random Fourier features of the Gaussian kernel, times exp(|x|²/2).

    Signed: a sum over few similar keys can come out negative. `linear_attention` detects and reports that.

    Source: Rahimi and Recht 2007, "Random features for large-scale kernel machines"; Peng et al. 2021, "Random feature
        attention" (arXiv 2103.02143).
    """

    name, signed, scale_per_row, feature_step = "trig", True, True, 2

    def features(self, x: Tensor, role: Role, scale: float) -> Features:
        """Cosines and sines, and the common factor of each row."""
        projected = self.projected(x)
        value = torch.cat([projected.cos(), projected.sin()], -1) * (2 / self.num_features) ** 0.5
        return Features(value, row=_half_square(x))


class Positive(RandomMap):
    """Positive random features.

    Source: Choromanski et al. 2021, "Rethinking attention with Performers", lemma 1 (arXiv 2009.14794).
    """

    name = "positive"

    def features(self, x: Tensor, role: Role, scale: float) -> Features:
        """exp(w·x − |x|²/2) / √F."""
        return Features(log=self.projected(x), row=_minus_half_square(x, 0.5 * math.log(self.num_features)))


class Hyperbolic(RandomMap):
    """Positive random features with every direction and its opposite.

    Source: Choromanski et al. 2021, lemma 1, the hyperbolic variant (arXiv 2009.14794).
    """

    name, feature_step = "hyperbolic", 2

    def features(self, x: Tensor, role: Role, scale: float) -> Features:
        """exp(±w·x − |x|²/2) / √(2F)."""
        projected = self.projected(x)
        both = torch.cat([projected, -projected], -1)
        return Features(log=both, row=_minus_half_square(x, 0.5 * math.log(self.num_features)))


class Sderf(RandomMap):
    """Positive features of least mean log variance, with an own parameter for every axis of E[zzᵀ], z = x + y.

    Source: Likhosherstov et al. 2023, "FAVOR#: sharp attention kernel approximations via new classes of positive random
        features" (arXiv 2302.00787), the symmetric dense-exponential form.
    """

    name, needs_fit = "sderf", True
    per_head = (*RandomMap.per_head, "axes", "a")

    axes: Tensor  # (H, D, D), columns
    a: Tensor  # (H, 1, D), <= 0

    def __init__(self, dim: int, num_features: int, **options: Any):
        super().__init__(dim, num_features, **options)
        self.register_buffer("axes", torch.eye(dim)[None])
        self.register_buffer("a", torch.zeros(1, 1, dim))

    def _fit(self, q: Tensor, k: Tensor, v: Tensor | None, scale: float) -> None:
        values, axes = torch.linalg.eigh(self._moments(q, k, scale))  # (H, D), (H, D, D)
        largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))  # (H, 1, D)
        axes = axes * largest.sign()  # eigenvectors have no sign, and rounding must not choose one
        self.axes, self.a = axes.float(), _best_a(values)[:, None, :].float()

    def _moments(self, q: Tensor, k: Tensor, scale: float) -> Tensor:
        """E[zzᵀ] over independent pairs of a query and a key, (H, D, D)."""
        x, y = (
            self._coordinates(rows, role, scale)[0].double().transpose(0, 1).flatten(1, 2)
            for rows, role in ((q, "query"), (k, "key"))
        )
        mean_x, mean_y = x.mean(1, keepdim=True), y.mean(1, keepdim=True)
        mixed = mean_x.mT @ mean_y
        return x.mT @ x / x.shape[1] + y.mT @ y / y.shape[1] + mixed + mixed.mT

    def features(self, x: Tensor, role: Role, scale: float) -> Features:
        """det(1−4A)^¼ exp(wᵀAw + wᵀ(1−4A)^½ Qᵀx − |x|²/2) / √F."""
        a, w = self.a.to(x.dtype), self.directions.to(x.dtype)
        wide = (1 - 4 * a).sqrt()  # (H, 1, D)
        weights = self.axes.to(x.dtype) @ (w * wide).mT  # (H, D, F)
        constant = (w.square() * a).sum(-1)[:, None, :] + 0.25 * (1 - 4 * a).log().sum(-1, keepdim=True)  # (H, 1, F)
        return Features(log=x @ weights + constant, row=_minus_half_square(x, 0.5 * math.log(self.num_features)))


class Oprf(Sderf):
    """Positive features of least mean log variance with one parameter for all axes.

    Source: Likhosherstov et al. 2022, "Chefs' random tables", theorem 3.2 (arXiv 2205.15317).
    """

    name = "oprf"

    def _fit(self, q: Tensor, k: Tensor, v: Tensor | None, scale: float) -> None:
        level = self._moments(q, k, scale).diagonal(dim1=-2, dim2=-1).mean(-1)  # (H,), E|z|² / D
        self.axes = torch.eye(self.dim, device=q.device).repeat(len(level), 1, 1)
        self.a = _best_a(level)[:, None, None].expand(-1, 1, self.dim).clone().float()


def _best_a(level: Tensor) -> Tensor:
    """The parameter of least mean log variance for E[z²] = level along an axis."""
    return (1 - 2 * level - ((2 * level + 1).square() + 8 * level).sqrt()) / 16


def _half_square(x: Tensor) -> Tensor:
    """|x|²/2 of every row, (..., 1)."""
    return 0.5 * x.square().sum(-1, keepdim=True)


def _minus_half_square(x: Tensor, constant: float) -> Tensor:
    """−|x|²/2 − constant of every row, (..., 1)."""
    return torch.rsub(x.square().sum(-1, keepdim=True), -constant, alpha=0.5)
