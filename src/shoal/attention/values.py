"""The values that a query sees, added up: what a row falls back to."""

import torch
from torch import Tensor

from shoal.attention.problem import Problem
from shoal.attention.state import AttentionState


def values_seen(problem: Problem, is_causal: bool, state: AttentionState | None) -> tuple[Tensor, Tensor]:
    """Sum and number of the values that each query sees: (P, N, M) and (P, N, 1) if causal, else one row for all."""
    rows = problem.values(0, problem.k.shape[2])  # (P, N, M + 1), masked rows 0
    sums = rows.cumsum(1) if is_causal else rows.sum(1, keepdim=True)
    if state is not None:
        count = state.count[:, None].expand(-1, problem.k.shape[1])[..., None].to(rows.dtype)  # (B, K, 1)
        sums = sums + torch.cat([state.value_sum, count], -1).flatten(0, 1)[:, None]
    return sums[..., :-1], sums[..., -1:]
