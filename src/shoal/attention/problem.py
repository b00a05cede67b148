"""One call of the operator, checked and brought to one layout; what the causal and the full form work on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import torch
from torch import Tensor

from shoal.attention.blocks import Workspace
from shoal.attention.features import Features
from shoal.attention.maps.base import FeatureMap
from shoal.attention.weights import FLOOR


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Queries, keys and values in the layout of the loops.

    Attributes:
        q: (B, K, G, Nq, D): G query heads share one of K key heads.
        k: (B, K, N, D).
        v: (B, K, N, M).
        mask: (B, N), True takes part; or None.
        feature_map: None takes q and k as features.
        scale: of the logits.
        dtype: that is computed in.
        pairs: P = B · K.
    """

    q: Tensor
    k: Tensor
    v: Tensor
    mask: Tensor | None
    feature_map: FeatureMap | None
    scale: float
    dtype: torch.dtype
    pairs: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pairs", self.k.shape[0] * self.k.shape[1])

    def replace(self, **changes: Any) -> Self:
        """The same call with other tensors."""
        return replace(self, **changes)

    @property
    def floor(self) -> float:
        """Denominators that are not above this vanish."""
        mapped = self.feature_map is not None and self.feature_map.exponential
        return FLOOR if mapped else torch.finfo(self.dtype).tiny

    def query_rows(self, start: int, stop: int) -> Tensor:
        """Queries start … stop of every group, (B, K, G·n, D)."""
        rows = self.q[..., start:stop, :]
        rows = rows[:, :, 0] if rows.shape[2] == 1 else rows.flatten(2, 3)
        return rows if rows.dtype == self.dtype else rows.to(self.dtype)

    def key_rows(self, start: int, stop: int) -> Tensor:
        """Keys, (B, K, n, D); masked ones are 0, whatever they held."""
        rows = self.k[..., start:stop, :]
        rows = rows if rows.dtype == self.dtype else rows.to(self.dtype)
        return rows if self.mask is None else rows.masked_fill(~self.mask[:, None, start:stop, None], 0.0)

    def values(self, start: int, stop: int, room: Workspace | None = None) -> Tensor:
        """Values with a column of ones, whose sum is the denominator: (P, n, M + 1), in the workspace if given."""
        shape = (*self.v.shape[:2], stop - start, self.v.shape[3] + 1)
        found = room.found("values", shape) if room else None
        if found is None:  # else the ones are there already
            like = self.v.new_empty(0, dtype=self.dtype)
            found = (room or Workspace(like))("values", *shape)
            found[..., -1] = 1.0
        found[..., :-1] = self.v[..., start:stop, :]
        if self.mask is not None:
            found[..., -1] = 1.0
            found.masked_fill_(~self.mask[:, None, start:stop, None], 0.0)
        return found.view(self.pairs, *shape[2:])

    def key_mask(self, start: int, stop: int) -> Tensor | None:
        """(P, n, 1), or None."""
        if self.mask is None:
            return None
        rows = self.mask[:, None, start:stop, None]
        return rows.expand(-1, self.k.shape[1], -1, -1).flatten(0, 1)

    def query_features(self, rows: Tensor) -> Features:
        """Features of (B, K, n, D) rows, (P, n, ·)."""
        if self.feature_map is None:
            return Features(rows.flatten(0, 1))
        return self.feature_map.queries(rows, self.scale).flat()

    def key_features(self, rows: Tensor) -> Features:
        """Features of (B, K, n, D) rows, (P, n, ·)."""
        if self.feature_map is None:
            return Features(rows.flatten(0, 1))
        return self.feature_map.keys(rows, self.scale).flat()

    def token_features(self) -> tuple[Features, Features]:
        """Features of the only query of every group, (P, G, ·), and of the only key, (P, 1, ·)."""
        q, k = (x if x.dtype == self.dtype else x.to(self.dtype) for x in (self.q[..., 0, :], self.k))
        if self.feature_map is None:
            return Features(q.flatten(0, 1)), Features(k.flatten(0, 1))
        queries, keys = self.feature_map.queries_and_keys(q, k, self.scale)
        return queries.flat(), keys.flat()

    def per_query(self, x: Tensor, start: int, stop: int) -> Tensor:
        """Rows of a tensor (P, G, Nq, ·) as (P, G·n, ·)."""
        return x[:, :, start:stop].flatten(1, 2)


def pull_back(
    make: Callable[[Tensor], Features], rows: Tensor, parameters: list[Tensor]
) -> tuple[Features, Callable[..., tuple[Tensor, Sequence[Tensor | None]]]]:
    """Features of `rows`, and what turns gradients by their factors into that by the rows and those by parameters."""
    leaf = rows.detach().requires_grad_()
    with torch.enable_grad():
        features = make(leaf)

    def back(*by_factors: Tensor | None) -> tuple[Tensor, Sequence[Tensor | None]]:
        factors = (features.value, features.log, features.row)
        known = [
            (factor, gradient)
            for factor, gradient in zip(factors, by_factors, strict=True)
            if factor is not None and gradient is not None and factor.requires_grad
        ]
        if not known:
            return torch.zeros_like(rows), [None] * len(parameters)
        outputs, gradients = zip(*known, strict=True)
        by_rows, *by_parameters = torch.autograd.grad(outputs, [leaf, *parameters], gradients, allow_unused=True)
        assert by_rows is not None  # every map's features depend on the rows
        return by_rows, by_parameters

    return features, back
