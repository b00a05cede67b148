"""Small inputs and ready maps that the tests of attention share."""

import copy
import dataclasses
from functools import cache

import pytest
import torch
from hypothesis import settings
from torch import Tensor

import shoal.attention.sizes as sizes
from shoal.attention import FeatureMap, create_feature_map, list_feature_maps

BATCH, HEADS, DIM, M = 2, 2, 4, 3
EVERY = [*list_feature_maps(), "ready"]  # "ready": feature_map=None, inputs are features
KERNEL = [
    "trig",
    "positive",
    "hyperbolic",
    "oprf",
    "sderf",
    "landmark",
    "taylor",
]  # estimate exp(scale · q·k) when fitted
# one map for every way through the code: value and row, log and row, both; value alone; parameters; none
PATHS = ["trig", "positive", "landmark", "taylor", "learned", "ready"]
REST = [pytest.param(name, marks=pytest.mark.slow) for name in EVERY if name not in PATHS]
COUNTS = {"trig": 64, "landmark": 8, "learned": 8}


def set_sizes(monkeypatch: pytest.MonkeyPatch, **changes: int) -> None:
    """Other sizes of the loops' steps."""
    monkeypatch.setattr(sizes, "CPU", dataclasses.replace(sizes.CPU, **changes))


fewer_examples = settings(max_examples=settings().max_examples // 2)  # every one of them is a call of the operator


def normal(*shape: int, seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def qkv(
    length: int,
    *,
    name: str = "positive",
    keys: int | None = None,
    groups: int = 1,
    batch: int = BATCH,
    heads: int = HEADS,
    size: float = 0.5,
    seed: int = 0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Float64 inputs on which the map `name` has positive denominators."""
    keys = length if keys is None else keys
    q = size * normal(batch, heads * groups, length, DIM, seed=3 * seed + 1)
    k = size * normal(batch, heads, keys, DIM, seed=3 * seed + 2)
    if name in ("relu", "ready"):
        q[..., 0], k[..., 0] = q[..., 0].abs() + 0.3, k[..., 0].abs() + 0.3  # one feature that is never 0
    if name == "ready":
        q, k = q.abs(), k.abs()
    return q, k, normal(batch, heads, keys, M, seed=3 * seed + 3) + 1


@cache
def _made(name: str, groups: int, seed: int, window: int | None) -> FeatureMap:
    phi = create_feature_map(name, DIM, COUNTS.get(name, 16), seed=seed)
    if phi.needs_fit:
        q, k, v = qkv(100, groups=groups, seed=77)
        options = {"steps": 3, "window": window} if name == "learned" else {}
        phi.fit(q.float(), k.float(), v.float(), **options)
    if name == "learned":  # as a longer training leaves it: no parameter is 0
        generator = torch.Generator().manual_seed(seed)
        for parameter in phi.parameters():
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    return phi


def ready(name: str, *, groups: int = 1, seed: int = 0, window: int | None = None) -> FeatureMap | None:
    """A map that can be used, for DIM dimensions and HEADS key heads; fitted where it must be."""
    return None if name == "ready" else copy.deepcopy(_made(name, groups, seed, window))


def fitted(name: str, *, groups: int = 1, seed: int = 0, window: int | None = None) -> FeatureMap:
    """The same, of a map that exists."""
    phi = ready(name, groups=groups, seed=seed, window=window)
    assert phi is not None
    return phi


def mask(length: int, *, batch: int = BATCH, seed: int = 0, blind: bool = True) -> Tensor:
    """A key mask that hides about a third of the keys; unless `blind`, the first key of every sequence is seen.

    Else the second sequence may begin with hidden keys. Causal rows that see none have no gradient by the reference.
    """
    found = torch.rand(batch, length, generator=torch.Generator().manual_seed(seed)) > 0.3
    found[0 if blind else slice(None), :1] = True
    return found


def distance(found: Tensor, expected: Tensor, *, least: float = 0.0) -> float:
    """The largest difference, relative to the largest expected entry, but to no less than `least`."""
    assert found.shape == expected.shape
    found, expected = found.detach(), expected.detach()
    if not found.numel():
        return 0.0
    scale = max(float(expected.abs().max()), least) or 1.0
    return float((found.double() - expected.double()).abs().max()) / scale


def frobenius(found: Tensor, expected: Tensor) -> float:
    """The relative error that the library reports."""
    return float((found.double() - expected.double()).norm() / expected.double().norm())


def trained_like(
    n: int, *, dim: int = 16, heads: int = 1, spread: float = 1.5, seed: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries and keys as trained networks have them: few strong directions, means away from zero; float32.

    Directions and means are the same for every seed, only the tokens differ: calibration and use see one distribution.
    """
    deviations = torch.arange(1, dim + 1, dtype=torch.float64) ** -0.75
    deviations = deviations * (dim / deviations.square().sum()).sqrt()
    basis = torch.linalg.qr(normal(heads, dim, dim, seed=1001)).Q
    q_mean, k_mean = 0.5 * normal(heads, 1, dim, seed=1002), normal(heads, 1, dim, seed=1003)
    q = (normal(1, heads, n, dim, seed=3 * seed + 1) * deviations) @ basis.mT + q_mean
    k = (normal(1, heads, n, dim, seed=3 * seed + 2) * deviations) @ basis.mT + k_mean
    root = (spread / 1.8) ** 0.5
    return (root * q).float(), (root * k).float(), normal(1, heads, n, dim, seed=3 * seed + 3).float()
