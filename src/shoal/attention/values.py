"""The values that a query sees: their sum, which a row falls back to, and the longest, which no mean exceeds."""

import torch
from torch import Tensor

from shoal.attention.problem import Problem
from shoal.attention.state import AttentionState

SLACK = 1.001  # rounding may make a row a little longer than the one value that it is


def values_seen(problem: Problem, is_causal: bool, state: AttentionState | None) -> tuple[Tensor, Tensor]:
    """Sum and number of the values that each query sees: (P, N, M) and (P, N, 1) if causal, else one row for all."""
    rows = problem.values(0, problem.k.shape[2])  # (P, N, M + 1), masked rows 0
    sums = rows.cumsum(1) if is_causal else rows.sum(1, keepdim=True)
    if state is not None:
        count = state.count[:, None].expand(-1, problem.k.shape[1])[..., None].to(rows.dtype)  # (B, K, 1)
        sums = sums + torch.cat([state.value_sum, count], -1).flatten(0, 1)[:, None]
    return sums[..., :-1], sums[..., -1:].detach()


def longest_seen(problem: Problem, is_causal: bool, state: AttentionState | None) -> Tensor:
    """The largest norm of a value that each query sees, (P, N, 1) if causal, else (P, 1, 1)."""
    norms = problem.values(0, problem.k.shape[2]).detach()[..., :-1].norm(dim=-1, keepdim=True)  # (P, N, 1), masked 0
    found = norms.cummax(1).values if is_causal else norms.amax(1, keepdim=True)
    return found if state is None else torch.maximum(found, state.longest.flatten()[:, None, None])


def too_long(out: Tensor, problem: Problem, is_causal: bool, state: AttentionState | None) -> Tensor:
    """Rows (P, G, N, 1) that no weights could have made: longer than every value that they see.

    Only features of both signs do that, where a denominator nearly cancels.
    """
    if problem.feature_map is None or not problem.feature_map.signed or not problem.k.shape[2]:
        return torch.zeros_like(out[..., :1], dtype=torch.bool)
    return out.detach().norm(dim=-1, keepdim=True) > SLACK * longest_seen(problem, is_causal, state)[:, None]
