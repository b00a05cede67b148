"""The mathematics behind linear attention, checked by numbers: identity, unbiasedness, recurrence.

    exp(q·k/√D) = exp(|q|²/2σ²) · exp(|k|²/2σ²) · exp(−|q − k|²/2σ²)        σ² = √D

is exact. Random features estimate the last factor without bias; their error falls as the root of their number.
Norms are small here: that is where the variance exists in numbers that can be averaged.
"""

import zlib

import torch
from torch import Tensor

from shoal.attention import FeatureMap, create_feature_map, linear_attention, linear_attention_reference
from shoal.engine import stream
from shoal.studies.attention_config import AttentionConfig
from shoal.studies.attention_inputs import KINDS, draw_inputs
from shoal.studies.measured_rows import Row

COUNTS = (16, 32, 64, 128, 256, 512)
KERNEL_MAPS = ("trig", "positive", "hyperbolic")
PAIRS = 32
SQUARED_NORM = 0.5  # of √scale·q and √scale·k: kernels up to √e, variances that an average can see
_TOKENS = 64


def identity(config: AttentionConfig) -> Row:
    """Largest relative deviation of both sides of the Gaussian identity, float64, over the study's inputs."""
    worst, pairs, largest = 0.0, 0, 0.0
    sigma_squared = config.dim**0.5
    half = lambda x: (x.square().sum(-1) / (2 * sigma_squared)).exp()  # noqa: E731
    for kind in KINDS:
        q, k, _ = draw_inputs(kind, 256, heads=config.heads, dim=config.dim, seed=config.seed, purpose="identity")
        left = (q @ k.mT / config.dim**0.5).exp()
        gauss = (-torch.cdist(q, k, compute_mode="donot_use_mm_for_euclid_dist").square() / (2 * sigma_squared)).exp()
        right = half(q)[..., None] * half(k)[..., None, :] * gauss
        worst = max(worst, float((right / left - 1).abs().max()))
        largest = max(largest, float(left.log().abs().max()))
        pairs += left.numel()
    return {"deviation": worst, "pairs": pairs, "largest_logit": largest}


def kernel_estimates(config: AttentionConfig, name: str, *, orthogonal: bool) -> Row:
    """Relative errors of estimates of exp(scale · q·k), per draw of directions and number of features.

    Returns:
        bias: [draws][counts], mean relative error over the pairs; square: the same of its square.
    """
    q, k = _pairs(config)
    exact = (q * k).sum(-1).mul(config.dim**-0.5).exp()  # (pairs,)
    bias: list[list[float]] = [[] for _ in range(config.draws)]
    square: list[list[float]] = [[] for _ in range(config.draws)]
    for count in COUNTS:
        phi = create_feature_map(name, config.dim, count, orthogonal=orthogonal)
        for draw in range(config.draws):
            phi.redraw(zlib.crc32(repr((config.seed, count, draw)).encode()))
            wrong = _products(phi, q, k) / exact - 1
            bias[draw].append(float(wrong.mean()))
            square[draw].append(float(wrong.square().mean()))
    return {"counts": list(COUNTS), "bias": bias, "square": square}


def recurrence(config: AttentionConfig) -> Row:
    """Deviation of the recurrence, token by token, from the masked form; float64, over the largest output."""
    worst = 0.0
    names = ("positive", "hyperbolic", "elu")
    for kind in KINDS:
        q, k, v = draw_inputs(kind, _TOKENS, heads=2, dim=config.dim, seed=config.seed, purpose="recurrence")
        for name in names:
            phi = create_feature_map(name, config.dim, 64, seed=config.seed)
            masked = linear_attention_reference(q, k, v, feature_map=phi, is_causal=True)
            state, steps = None, []
            for at in range(_TOKENS):
                token = (x[:, :, at : at + 1] for x in (q, k, v))
                out, state = linear_attention(*token, feature_map=phi, is_causal=True, state=state, return_state=True)
                steps.append(out)
            worst = max(worst, float((torch.cat(steps, 2) - masked).abs().max() / masked.abs().max()))
    return {"deviation": worst, "tokens": _TOKENS, "maps": list(names)}


def _pairs(config: AttentionConfig) -> tuple[Tensor, Tensor]:
    """Queries and keys of one norm in random directions, (pairs, dim), float64."""
    rows = torch.randn(2, PAIRS, config.dim, generator=stream(config.seed, "kernel pairs"), dtype=torch.float64)
    q, k = rows / rows.norm(dim=-1, keepdim=True) * SQUARED_NORM**0.5 * config.dim**0.25
    return q, k


def _products(phi: FeatureMap, q: Tensor, k: Tensor) -> Tensor:
    """phi(q)·phi(k) pair by pair, (pairs,)."""
    phi_q, phi_k = phi.queries(q[None, None]).linear(), phi.keys(k[None, None]).linear()
    return (phi_q * phi_k).sum(-1)[0, 0]
