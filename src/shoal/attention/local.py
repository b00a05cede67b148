"""Exact softmax attention within a window, as one part of a larger attention: O(seq · window).

A block of queries sees the keys of its window as one small matrix. The backward pass makes the matrices again, so that
memory is that of the inputs and outputs.
"""

from typing import Any

import torch
from torch import Tensor

from shoal.attention.eager import once
from shoal.attention.problem import Problem
from shoal.attention.sizes import sizes_for


class LocalSoftmax(torch.autograd.Function):
    """q, k, v → outputs (P, G, N, M) and log denominators (P, G, N, 1) of exact attention within the window.

    Query i sees the keys with |i − j| < window, only those up to itself if causal; −inf where it sees none.
    """

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, problem: Problem, is_causal: bool, window: int
    ) -> tuple[Tensor, Tensor]:
        """See the class."""
        problem = problem.replace(q=q, k=k, v=v)
        groups, length = q.shape[2:4]
        out = q.new_empty(problem.pairs, groups, length, v.shape[-1], dtype=problem.dtype)
        log_den = out.new_empty(problem.pairs, groups, length, 1)
        for rows, keys in spans(length, window, is_causal, sizes_for(q.device).queries):
            logits = window_logits(problem, rows, keys, is_causal, window)  # (P, G, n, keys)
            found = logits.logsumexp(-1, keepdim=True)
            weights = (logits - found.masked_fill(found == -torch.inf, 0.0)).exp()
            log_den[:, :, rows] = found
            out[:, :, rows] = weights @ values_of(problem, keys)[:, None]
        ctx.settings, ctx.is_causal, ctx.window = problem.replace(q=q[:0], k=k[:0], v=v[:0]), is_causal, window
        ctx.save_for_backward(q, k, v, out, log_den)
        return out, log_den

    @staticmethod
    @once
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - the base takes any gradients, this one two
        ctx: Any, by_out: Tensor, by_log_den: Tensor
    ) -> tuple[Tensor | None, ...]:
        """With normalised weights P: the gradient by a logit is P_ij (g_i·(v_j − out_i) + g_L,i)."""
        q, k, v, out, log_den = ctx.saved_tensors
        problem: Problem = ctx.settings.replace(q=q, k=k, v=v)
        none = log_den == -torch.inf
        delta = (by_log_den - (by_out * out).sum(-1, keepdim=True)).masked_fill(none, 0.0)
        by_q = out.new_zeros(problem.pairs, *q.shape[2:])
        by_k, by_v = (out.new_zeros(problem.pairs, *x.shape[2:]) for x in (k, v))
        for rows, keys in spans(q.shape[3], ctx.window, ctx.is_causal, sizes_for(q.device).queries):
            logits = window_logits(problem, rows, keys, ctx.is_causal, ctx.window)
            found = log_den[:, :, rows]
            weights = (logits - found.masked_fill(found == -torch.inf, 0.0)).exp()  # (P, G, n, keys)
            g = by_out[:, :, rows]
            by_logits = weights * (g @ values_of(problem, keys)[:, None].mT + delta[:, :, rows]) * problem.scale
            by_q[:, :, rows] = by_logits @ keys_of(problem, keys)[:, None]
            by_k[:, keys] += (by_logits.mT @ queries_of(problem, rows)).sum(1)
            by_v[:, keys] += (weights.mT @ g).sum(1)
        shaped = ((by_q, q), (by_k, k), (by_v, v))
        return (*(g.reshape(x.shape).to(x.dtype) for g, x in shaped), None, None, None)


def spans(length: int, window: int, is_causal: bool, step: int) -> list[tuple[slice, slice]]:
    """Blocks of `step` queries, and the keys that any of them sees."""
    found = []
    for start in range(0, length, step):
        stop = min(start + step, length)
        last = stop if is_causal else min(stop + window - 1, length)
        found.append((slice(start, stop), slice(max(0, start - window + 1), last)))
    return found


def window_logits(problem: Problem, rows: slice, keys: slice, is_causal: bool, window: int) -> Tensor:
    """Logits (P, G, n, keys), −inf outside of the window and where a key is masked."""
    logits = problem.scale * queries_of(problem, rows) @ keys_of(problem, keys)[:, None].mT
    i = torch.arange(rows.start, rows.stop, device=logits.device)[:, None]
    j = torch.arange(keys.start, keys.stop, device=logits.device)[None, :]
    seen = (i - j < window) & ((j <= i) if is_causal else (j - i < window))
    logits.masked_fill_(~seen, -torch.inf)
    mask = problem.key_mask(keys.start, keys.stop)  # (P, keys, 1)
    return logits if mask is None else logits.masked_fill_(~mask[:, None].mT, -torch.inf)


def queries_of(problem: Problem, rows: slice) -> Tensor:
    """(P, G, n, D)."""
    return problem.q[..., rows, :].flatten(0, 1).to(problem.dtype)


def keys_of(problem: Problem, keys: slice) -> Tensor:
    """(P, n, D)."""
    return problem.key_rows(keys.start, keys.stop).flatten(0, 1)


def values_of(problem: Problem, keys: slice) -> Tensor:
    """(P, n, M)."""
    return problem.values(keys.start, keys.stop)[..., :-1]
