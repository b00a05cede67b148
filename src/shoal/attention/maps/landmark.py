"""A map fitted in closed form: exponentials at the centres of the data, mixed by least squares.

    phi_q = exp(x·z − |z|²/2) W        phi_k = exp(y·z' − |z'|²/2)

z are centres of calibration keys, z' of calibration queries, and W is the ridge least-squares solution of
phi_q·phi_k = P, the calibration batch's attention matrix. Entries of W have any sign, so that denominators can come
close to zero. `fit` therefore keeps calibration tokens aside; a head that does better on them with a non-negative W,
whose denominators are never negative, gets that.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from shoal.attention.features import Features
from shoal.attention.maps.base import FeatureMap, Role
from shoal.attention.maps.calibration import centres, draw, energies, in_blocks, pick

_CENTRE_TOKENS = 4096  # drawn for the centres, nearly all by their energy
_FIT_TOKENS = 4096  # drawn for the least squares, nearly all uniformly
_STRETCH = 1.1  # centres are means, and too close to the middle
_RIDGE = 1e-4  # of the mean diagonal
_ROUNDS = 200  # of multiplicative updates


class Landmark(FeatureMap):
    """Data-aware features in closed form; see the module.

    Fitted on a few thousand tokens in about a second a head. Robust to a change of scale or mean; where the covariance
    of queries and keys is another than in the calibration batch, no better than the mean of the values.
    """

    name, signed, needs_fit = "landmark", True, True
    per_head = (*FeatureMap.per_head, "query_centres", "key_centres", "mixing", "query_log_scale", "key_log_scale")

    query_centres: Tensor  # z, (H, R, D)
    key_centres: Tensor  # z', (H, R, D)
    mixing: Tensor  # W, (H, R, R)
    query_log_scale: Tensor  # makes query features of unit size over the calibration batch, (H, 1, R)
    key_log_scale: Tensor

    def __init__(self, dim: int, num_features: int, **options: Any):
        super().__init__(dim, num_features, **options)
        self.register_buffer("query_centres", torch.zeros(1, num_features, dim))
        self.register_buffer("key_centres", torch.zeros(1, num_features, dim))
        self.register_buffer("mixing", torch.zeros(1, num_features, num_features))
        self.register_buffer("query_log_scale", torch.zeros(1, 1, num_features))
        self.register_buffer("key_log_scale", torch.zeros(1, 1, num_features))

    def features(self, x: Tensor, role: Role, scale: float) -> Features:
        """Queries: signed values and a factor per row. Keys: logs."""
        if role == "key":
            return Features(log=_exponents(x, self.key_centres.to(x.dtype)) - self.key_log_scale.to(x.dtype))
        exponents = _exponents(x, self.query_centres.to(x.dtype)) - self.query_log_scale.to(x.dtype)
        top = exponents.amax(-1, keepdim=True)
        return Features(value=(exponents - top).exp() @ self.mixing.to(x.dtype), row=top)

    def _fit(self, q: Tensor, k: Tensor, v: Tensor | None, scale: float) -> None:
        batch = _Calibration.of(self, q, k, scale)
        self.query_centres = _STRETCH * centres(batch.key_sample, self.num_features, seed=self.seed).float()
        self.key_centres = _STRETCH * centres(batch.query_sample, self.num_features, seed=self.seed + 1).float()
        log_q = _exponents(batch.x, self.query_centres.double()) - batch.log_den  # (H, n, R)
        log_k = _exponents(batch.y, self.key_centres.double()) + batch.key_offset
        log_sizes = [0.5 * (2 * log).logsumexp(1, keepdim=True) for log in (log_q, log_k)]  # (H, 1, R) each
        phi_q, phi_k = ((log - size).exp() for log, size in zip((log_q, log_k), log_sizes, strict=True))
        self.query_log_scale, self.key_log_scale = (size.float() for size in log_sizes)
        aside = torch.arange(phi_q.shape[1]) % 5 == 0  # rows that W is not fitted to
        mixing = _least_squares(phi_q[:, ~aside], batch.attention[:, ~aside], phi_k)
        self.mixing = _safer(mixing, phi_q, batch.attention, phi_k, aside).float()


@dataclass(frozen=True)
class _Calibration:
    """Tokens of a calibration batch in the map's coordinates, float64 where numbers are solved for.

    Attributes:
        query_sample: (H, m, D), for the centres.
        key_sample: (H, m, D), for the centres.
        x: (H, n, D), queries for the least squares.
        y: (H, n, D), keys for the least squares.
        key_offset: log factor of each key, (H, n, 1).
        log_den: logarithm of each row's sum over all keys, up to a constant of the head, (H, n, 1).
        attention: rows exp(x·y + offset − log_den), (H, n, n).
    """

    query_sample: Tensor
    key_sample: Tensor
    x: Tensor
    y: Tensor
    key_offset: Tensor
    log_den: Tensor
    attention: Tensor

    @classmethod
    def of(cls, phi: FeatureMap, q: Tensor, k: Tensor, scale: float) -> "_Calibration":
        x, _ = phi._coordinates(q, "query", scale)
        y, offset = phi._coordinates(k, "key", scale)
        offset = y.new_zeros(*y.shape[:3], 1) if offset is None else offset
        x, y, offset = in_blocks(x, phi.groups, y, offset)
        by_row, by_column = energies(x, y, offset)
        query_sample, key_sample = (
            pick(rows, draw(energy, _CENTRE_TOKENS, energy_share=0.9, seed=phi.seed))
            for rows, energy in ((x, by_row), (y, by_column))
        )
        rows = pick(x, draw(by_row, _FIT_TOKENS, energy_share=0.2, seed=phi.seed + 1)).double()
        chosen = draw(by_column, _FIT_TOKENS, energy_share=0.2, seed=phi.seed + 2)
        keys, key_offset = pick(y, chosen).double(), pick(offset, chosen).double()
        usual = draw(by_column, _FIT_TOKENS, energy_share=0.0, seed=phi.seed + 3)
        log_den = (rows @ pick(y, usual).double().mT + pick(offset, usual).double().mT).logsumexp(-1, keepdim=True)
        attention = (rows @ keys.mT + key_offset.mT - log_den).exp()
        return cls(query_sample, key_sample, rows, keys, key_offset, log_den, attention)


def _exponents(rows: Tensor, points: Tensor) -> Tensor:
    """x·z − |z|²/2 for every point z, (..., n, R)."""
    return rows @ points.mT - 0.5 * points.square().sum(-1)[..., None, :]


def _least_squares(phi_q: Tensor, target: Tensor, phi_k: Tensor) -> Tensor:
    """W of least ‖phi_q W phi_kᵀ − target‖², with a ridge on either side, (H, R, R)."""
    left, right = (torch.linalg.cholesky(_ridged(phi.mT @ phi)) for phi in (phi_q, phi_k))
    solved = torch.cholesky_solve(phi_q.mT @ target @ phi_k, left)
    return torch.cholesky_solve(solved.mT, right).mT


def _non_negative(phi_q: Tensor, target: Tensor, phi_k: Tensor, start: Tensor) -> Tensor:
    """The same with W ≥ 0, by multiplicative updates (Lee and Seung 2001)."""
    gram_q, gram_k = phi_q.mT @ phi_q, phi_k.mT @ phi_k
    correlation = phi_q.mT @ target @ phi_k
    weights = start.clamp_min(0) + 1e-3 * start.abs().mean((1, 2), keepdim=True)
    for _ in range(_ROUNDS):
        weights = weights * (correlation / (gram_q @ weights @ gram_k).clamp_min(1e-300)).clamp(0, 10)
    return weights


def _safer(mixing: Tensor, phi_q: Tensor, attention: Tensor, phi_k: Tensor, aside: Tensor) -> Tensor:
    """The signed solution, in heads where it is the better one on rows kept aside; else W ≥ 0."""
    positive = _non_negative(phi_q[:, ~aside], attention[:, ~aside], phi_k, mixing)
    rows, wanted = phi_q[:, aside], attention[:, aside]
    errors = [_row_errors(rows @ weights @ phi_k.mT, wanted) for weights in (mixing, positive)]  # (H,) each
    return torch.where((errors[0] <= errors[1])[:, None, None], mixing, positive)


def _row_errors(kernel: Tensor, attention: Tensor) -> Tensor:
    """Mean squared error of normalised rows, (H,); a negative or vanishing denominator counts as it will be felt."""
    found, wanted = (x / x.sum(-1, keepdim=True) for x in (kernel, attention))
    return (found - wanted).square().sum(-1).mean(-1).nan_to_num(torch.inf)


def _ridged(gram: Tensor) -> Tensor:
    level = gram.diagonal(dim1=-2, dim2=-1).mean(-1)[:, None, None]
    return gram + _RIDGE * level * torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
