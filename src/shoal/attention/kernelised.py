"""The operator as an autograd function: forward by one of the two forms, backward by hand.

It returns normalised outputs and the logarithm of each row's denominator, so that several parts of one attention
(an exact window, what lies beyond it) can be put together under one normaliser.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from shoal.attention.causal import Segment, causal_backward, causal_forward
from shoal.attention.eager import once
from shoal.attention.full import full_backward, full_forward
from shoal.attention.gradients import Gradients
from shoal.attention.problem import Problem
from shoal.attention.slices import Slice, slices_of
from shoal.attention.weights import Sums


@dataclass
class Done:
    """What the backward pass needs of one slice: sums before (causal) or after (full) its keys, and the segments."""

    share: Slice
    sums: Sums
    segments: list[Segment]


class Kernelised(torch.autograd.Function):
    """q, k, v → outputs (P, G, N, M) and log denominators (P, G, N, 1); −inf where a row has no usable denominator.

    `sums` is changed in place: afterwards it has taken in all keys. No gradient flows into or out of it.
    """

    @staticmethod
    def forward(
        ctx: Any, q: Tensor, k: Tensor, v: Tensor, problem: Problem, is_causal: bool, sums: Sums, *parameters: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See the class."""
        whole = problem.replace(q=q, k=k, v=v)
        batch, heads, groups, length = q.shape[:4]
        out = q.new_empty(batch, heads, groups, length, v.shape[-1], dtype=problem.dtype)
        log_den = out.new_empty(batch, heads, groups, length, 1)
        done: list[Done] = []
        after: list[tuple[Slice, Sums]] = []
        for share in slices_of(whole):
            own = sums.share(share, heads)
            start = own.copy() if is_causal else own
            part, rows = share.problem(whole), (share.pairs(out), share.pairs(log_den))
            segments = causal_forward(part, own, *rows) if is_causal else full_forward(part, own, *rows)
            done.append(Done(share, start, segments))
            after.append((share, own))
        sums.gather(after, heads)
        out, log_den = out.flatten(0, 1), log_den.flatten(0, 1)
        ctx.done, ctx.is_causal = done, is_causal
        ctx.settings = problem.replace(q=q[:0], k=k[:0], v=v[:0])  # without the tensors, which are saved once
        ctx.save_for_backward(q, k, v, out, log_den)
        return out, log_den

    @staticmethod
    @once
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] - the base takes any gradients, this one two
        ctx: Any, by_out: Tensor, by_log_den: Tensor
    ) -> tuple[Tensor | None, ...]:
        """See `shoal.attention.causal`."""
        q, k, v, out, log_den = ctx.saved_tensors
        whole: Problem = ctx.settings.replace(q=q, k=k, v=v)
        good = log_den > -torch.inf
        delta = by_log_den - (by_out * out).sum(-1, keepdim=True)
        by_row = torch.cat([by_out, delta], -1)  # (P, G, N, M + 1)
        if not bool(good.all()):  # rows that were replaced: weights exp(−inf) = 0
            log_den, by_row = log_den.masked_fill(~good, torch.inf), by_row.masked_fill(~good, 0.0)
        by_row, log_den = (x.unflatten(0, k.shape[:2]) for x in (by_row, log_den))
        gradients = Gradients.like(whole, ctx.needs_input_grad[6:])
        for done in ctx.done:
            share, part = done.share, done.share.problem(whole)
            own, rows = gradients.of(share, part), (share.pairs(log_den), share.pairs(by_row))
            if ctx.is_causal:
                causal_backward(part, done.sums.copy(), done.segments, *rows, own)
            else:
                full_backward(part, done.sums, *rows, own)
        return (*gradients.by_inputs(whole), None, None, None, *gradients.by_parameters())


def run_kernel(problem: Problem, is_causal: bool, sums: Sums) -> tuple[Tensor, Tensor]:
    """Apply the function; see there."""
    if not problem.pairs:  # an empty batch stays empty
        out = problem.v.new_empty(0, *problem.q.shape[2:4], problem.v.shape[3], dtype=problem.dtype)
        return out, out[..., :1]
    fitted = problem.feature_map
    parameters = [] if fitted is None else list(fitted.parameters())
    return Kernelised.apply(problem.q, problem.k, problem.v, problem, is_causal, sums, *parameters)
