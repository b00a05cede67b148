"""The causal form: a loop over segments with running sums, and a backward pass that recomputes instead of storing.

A segment is cut into blocks of 64 rows, on a CPU up to 32 of them. For the rows of a block, all keys before it enter
through the sums S = Σ w_k [v, 1]ᵀ, those of the block itself through the masked product of weights:

    [num, den] = w_q S + tril(w_q w_kᵀ) [v, 1]

All blocks of a segment are multiplied at once; their sums S follow by a cumulative sum.

**Strictly causal, to the bit.** The reference that keeps weights in range (`shoal.attention.weights`) may depend on the
past only. A segment is computed against the reference of its first row. Where a key further in exceeds that by more
than exp(ROOM), the rows before it are kept, the rest is thrown away, the reference moves, and the loop goes on from
that key. The rows that are kept were computed with the same shapes and numbers as if that key had been small.

**Backward.** With P_ij the normalised weights, g the gradient by the output and g_L that by the log denominator,
the gradient by P_ij is e_ij = g_i·v_j + δ_i with δ_i = g_L,i − g_i·out_i: the product of [g, δ]_i and [v, 1]_j.
A first loop goes through the prefixes again, for the queries; a second one runs backwards with suffix sums of
w_q [g, δ]ᵀ, for keys and values. Memory is that of the inputs and outputs.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from shoal.attention.blocks import Workspace, attend, attended, most_blocks, segment_length, whole_and_rest
from shoal.attention.features import Features, scaled, scaled_
from shoal.attention.gradients import Own
from shoal.attention.problem import Problem, pull_back
from shoal.attention.sizes import sizes_for
from shoal.attention.weights import (
    ROOM,
    Sums,
    exponent_of_keys,
    exponent_of_rows,
    first_exponent,
    gradients_by_parts,
    weigh_keys,
    weigh_queries,
)


@dataclass
class Segment:
    """Rows start … stop, computed against one reference."""

    start: int
    stop: int
    reference: Tensor | None


def causal_forward(problem: Problem, sums: Sums, out: Tensor, log_den: Tensor) -> list[Segment]:
    """Write outputs (P, G, N, M) and log denominators (P, G, N, 1); `sums` has taken in all keys afterwards.

    Rows whose denominator is negative, vanishing or not finite get the output 0 and the log denominator −inf.
    """
    groups, length = problem.q.shape[2:4]
    segments: list[Segment] = []
    room = Workspace(sums.sums)
    most = most_blocks(problem.pairs, sums.sums.shape[1], sizes_for(out.device))
    start, blocks = 0, most
    while start < length:
        stop = start + segment_length(length - start, blocks)
        values = problem.values(start, stop, room)  # (P, n, M + 1)
        mask = problem.key_mask(start, stop)
        keys = problem.key_features(problem.key_rows(start, stop))
        weights, jump = weigh_segment(keys, sums, mask)  # (P, n, R)
        queries = problem.query_features(problem.query_rows(start, stop))
        row_weights, row_shift = weigh_queries(queries, sums.reference)  # (P, G·n, R)
        kept = slice(0, stop - start if jump is None else jump)  # rows from the jump on are the next segment's
        total, after = attend(row_weights, weights, values, sums.sums, groups, room)  # (P, G, n, M + 1)
        stop = start + kept.stop
        row_shift = None if row_shift is None else row_shift.unflatten(1, (groups, -1))[:, :, kept]
        total = total if jump is None else total[:, :, kept]
        write_rows(problem, total, row_shift, out[:, :, start:stop], log_den[:, :, start:stop])
        segments += [Segment(low, high, sums.reference) for low, high in whole_and_rest(start, stop)]
        if jump is None:
            sums.sums = after
            blocks = min(2 * blocks, most)
        else:
            sums.add(weights[:, kept], values[:, kept])
            blocks = max(1, blocks // 2)  # where one key jumps, others do: throw away less
        start = stop
    clean(out, log_den)
    return segments


def weigh_segment(keys: Features, sums: Sums, mask: Tensor | None) -> tuple[Tensor, int | None]:
    """Weights of keys against the reference of the first row, and where a later key exceeds that by too much."""
    first = first_exponent(keys, mask)
    if first is None:
        return weigh_keys(keys, None, mask), None
    assert sums.reference is not None
    if bool((first - sums.reference > ROOM).any()):  # the first row is no future: the reference can follow at once
        sums.raise_to(first)
    exponent = exponent_of_keys(keys, sums.reference, mask)
    assert exponent is not None
    jump = None
    if bool(exponent.amax() > ROOM):
        jump = int((exponent > ROOM).any(2).any(0).int().argmax())  # of the (n,) keys, the first in any head
    return weigh_keys(keys, exponent, mask), jump


def write_rows(problem: Problem, total: Tensor, shift: Tensor | None, out: Tensor, log_den: Tensor) -> None:
    """Divide numerators by denominators; rows with a vanishing one get −inf, other bad ones what `clean` finds.

    Args:
        problem: says how small a denominator may be.
        total: numerators and, last, denominators (P, G, n, M + 1), of weights divided by exp(shift).
        shift: (P, G, n, 1); None stands for 0.
        out: where the outputs go, (P, G, n, M).
        log_den: where the log denominators go, (P, G, n, 1).
    """
    numerators, den = total.split((total.shape[-1] - 1, 1), -1)
    torch.div(numerators, den, out=out)
    torch.log(den, out=log_den)
    if shift is not None:
        log_den.add_(shift)
        if not bool((den > problem.floor).all()):
            log_den.masked_fill_(den <= problem.floor, -torch.inf)


def clean(out: Tensor, log_den: Tensor) -> None:
    """Give rows whose denominator was negative (log NaN), vanished or overflowed the output 0 and −inf, in place."""
    if not bool(torch.isfinite(log_den.sum())):
        bad = ~torch.isfinite(log_den)
        out.masked_fill_(bad, 0.0)
        log_den.masked_fill_(bad, -torch.inf)


def causal_backward(
    problem: Problem, sums: Sums, segments: list[Segment], log_den: Tensor, by_row: Tensor, own: Own
) -> None:
    """Write the gradients.

    Args:
        problem: that was computed.
        sums: before the first row; used up.
        segments: of the forward pass.
        log_den: (P, G, N, 1), +inf where a row was replaced.
        by_row: [g, δ] of the module's docstring, (P, G, N, M + 1).
        own: where the gradients go.
    """
    steps = Steps(problem, log_den, by_row, own)
    for segment in segments:
        steps.prefix(segment, sums)
    suffix = torch.zeros_like(sums.sums)  # (P, R, M + 1)
    later = segments[-1].reference if segments else None
    for segment in reversed(segments):
        if segment.reference is not later and segment.reference is not None:
            assert later is not None
            suffix = suffix * (segment.reference - later).exp().mT  # references only grow: this shrinks
            later = segment.reference
        suffix = steps.suffix(segment, suffix)


class Steps:
    """One segment of the backward pass at a time; arguments as in `causal_backward`."""

    def __init__(self, problem: Problem, log_den: Tensor, by_row: Tensor, own: Own):
        self.problem, self.log_den, self.by_row, self.own = problem, log_den, by_row, own
        self.groups, self.room = problem.q.shape[2], Workspace(by_row)

    def prefix(self, segment: Segment, sums: Sums) -> None:
        """Gradients by the queries of a segment; `sums` goes on to its end."""
        problem, start, stop = self.problem, segment.start, segment.stop
        if segment.reference is not None and segment.reference is not sums.reference:
            sums.raise_to(segment.reference)
            sums.reference = segment.reference
        queries, back = pull_back(problem.query_features, problem.query_rows(start, stop), self.own.parameters)
        exponent = exponent_of_rows(queries, segment.reference, problem.per_query(self.log_den, start, stop))
        row_weights = scaled(queries.value, exponent)  # (P, G·n, R)
        mask = problem.key_mask(start, stop)
        keys = problem.key_features(problem.key_rows(start, stop))
        weights = weigh_keys(keys, exponent_of_keys(keys, segment.reference, mask), mask)  # (P, n, R)
        errors = problem.per_query(self.by_row, start, stop)  # (P, G·n, M + 1)
        # the same sum over keys as in the forward pass, with [g, δ]·[v, 1] in the place of w_q·w_k
        found, after = attend(
            errors, problem.values(start, stop, self.room), weights, sums.sums.mT, self.groups, self.room
        )
        by_weights = found.flatten(1, 2)  # (P, G·n, R)
        by_rows, by_parameters = back(*gradients_by_parts(queries, exponent, row_weights, by_weights))
        self.own.q[:, :, start:stop] = by_rows.flatten(0, 1).unflatten(1, (self.groups, -1))
        self.own.accumulate(by_parameters)
        sums.sums = after.mT

    def suffix(self, segment: Segment, suffix: Tensor) -> Tensor:
        """Gradients by the keys and values of a segment; returns the suffix sums with its rows taken in."""
        problem, start, stop = self.problem, segment.start, segment.stop
        queries = problem.query_features(problem.query_rows(start, stop))
        log_den = problem.per_query(self.log_den, start, stop)
        row_weights = scaled_(queries.value, exponent_of_rows(queries, segment.reference, log_den))  # (P, G·n, R)
        mask = problem.key_mask(start, stop)
        keys, back = pull_back(problem.key_features, problem.key_rows(start, stop), self.own.parameters)
        exponent = exponent_of_keys(keys, segment.reference, mask)
        weights = weigh_keys(keys, exponent, mask)  # (P, n, R)
        errors = problem.per_query(self.by_row, start, stop)  # (P, G·n, M + 1)
        by_weights, by_values, suffix = attended(
            row_weights, weights, problem.values(start, stop), errors, suffix, self.groups
        )
        self.own.v[:, start:stop] = by_values[..., :-1]
        if mask is not None:
            by_weights = by_weights.masked_fill(~mask, 0.0)
            self.own.v[:, start:stop].masked_fill_(~mask, 0.0)
        by_rows, by_parameters = back(*gradients_by_parts(keys, exponent, weights, by_weights))
        self.own.k[:, start:stop] = by_rows.flatten(0, 1)
        self.own.accumulate(by_parameters)
        return suffix
