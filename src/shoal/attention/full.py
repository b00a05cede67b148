"""The full (non-causal) form: all keys go into the sums, then every query reads them. Blocks keep features small.

    [num, den] = w_q Σ_j w_k,j [v_j, 1]ᵀ

Backward: the gradient by w_q reads the same sums; those by keys and values read G = Σ_i w_q,i [g, δ]_iᵀ
(see `shoal.attention.causal`).
"""

import torch
from torch import Tensor

from shoal.attention.causal import Segment, clean, write_rows
from shoal.attention.features import scaled
from shoal.attention.gradients import Own
from shoal.attention.problem import Problem, pull_back
from shoal.attention.sizes import sizes_for
from shoal.attention.weights import (
    Sums,
    exponent_of_keys,
    exponent_of_rows,
    gradients_by_parts,
    weigh_block,
    weigh_keys,
    weigh_queries,
)


def absorb(problem: Problem, sums: Sums, start: int = 0, stop: int | None = None) -> None:
    """Take keys start … stop into the sums; the reference follows the largest feature of each block."""
    stop = problem.k.shape[2] if stop is None else stop
    step = sizes_for(sums.sums.device).rows
    for low in range(start, stop, step):
        high = min(low + step, stop)
        keys = problem.key_features(problem.key_rows(low, high))
        weights = weigh_block(keys, sums, problem.key_mask(low, high))
        sums.add(weights, problem.values(low, high))


def full_forward(problem: Problem, sums: Sums, out: Tensor, log_den: Tensor) -> list[Segment]:
    """Write outputs (P, G, Nq, M) and log denominators (P, G, Nq, 1), as `causal_forward`; there are no segments."""
    absorb(problem, sums)
    groups, length = problem.q.shape[2:4]
    step = sizes_for(out.device).rows
    for low in range(0, length, step):
        high = min(low + step, length)
        queries = problem.query_features(problem.query_rows(low, high))
        row_weights, shift = weigh_queries(queries, sums.reference)  # (P, G·n, R)
        total = torch.bmm(row_weights, sums.sums).unflatten(1, (groups, -1))
        shift = None if shift is None else shift.unflatten(1, (groups, -1))
        write_rows(problem, total, shift, out[:, :, low:high], log_den[:, :, low:high])
    clean(out, log_den)
    return []


def full_backward(problem: Problem, sums: Sums, log_den: Tensor, by_row: Tensor, own: Own) -> None:
    """Write gradients as `causal_backward`; `sums` are those of the forward pass, with all keys taken in."""
    groups, length = problem.q.shape[2:4]
    step = sizes_for(log_den.device).rows
    gathered = torch.zeros_like(sums.sums)  # (P, R, M + 1)
    for low in range(0, length, step):
        high = min(low + step, length)
        queries, back = pull_back(problem.query_features, problem.query_rows(low, high), own.parameters)
        exponent = exponent_of_rows(queries, sums.reference, problem.per_query(log_den, low, high))
        row_weights = scaled(queries.value, exponent)
        errors = problem.per_query(by_row, low, high)
        by_rows, by_parameters = back(*gradients_by_parts(queries, exponent, row_weights, errors @ sums.sums.mT))
        own.q[:, :, low:high] = by_rows.flatten(0, 1).unflatten(1, (groups, -1))
        own.accumulate(by_parameters)
        gathered.baddbmm_(row_weights.mT, errors)
    n_keys = problem.k.shape[2]
    for low in range(0, n_keys, step):
        high = min(low + step, n_keys)
        keys, back = pull_back(problem.key_features, problem.key_rows(low, high), own.parameters)
        mask = problem.key_mask(low, high)
        exponent = exponent_of_keys(keys, sums.reference, mask)
        weights = weigh_keys(keys, exponent, mask)
        by_weights = problem.values(low, high) @ gathered.mT
        own.v[:, low:high] = (weights @ gathered)[..., :-1]
        if mask is not None:
            by_weights.masked_fill_(~mask, 0.0)
            own.v[:, low:high].masked_fill_(~mask, 0.0)
        by_rows, by_parameters = back(*gradients_by_parts(keys, exponent, weights, by_weights))
        own.k[:, low:high] = by_rows.flatten(0, 1)
        own.accumulate(by_parameters)
