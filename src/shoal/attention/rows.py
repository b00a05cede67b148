"""A few query rows of an attention, exactly and by a feature map, against all of its keys."""

import torch
from jaxtyping import Float
from torch import Tensor

from shoal.attention.parts import Part, merge_parts
from shoal.attention.preparing import starting_sums
from shoal.attention.problem import Problem
from shoal.attention.sampling import Sample
from shoal.attention.sizes import sizes_for
from shoal.attention.values import SLACK, longest_seen, values_seen
from shoal.attention.weights import Sums, weigh_block, weigh_queries

_MOST = 2**23  # logits at a time
_ROWS_AT_ONCE = 16


def compare_rows(
    problem: Problem, sample: Sample, is_causal: bool, window: int | None
) -> tuple[Float[Tensor, "n"], Float[Tensor, "n"], Float[Tensor, "n"]]:
    """Squared norms of out − exact, mean − exact and exact at each position, summed over batch and heads.

    Args:
        problem: all queries and keys.
        sample: positions to look at.
        is_causal: whether position i sees only keys up to i.
        window: of exact attention; None for linear attention alone.
    """
    at = sample.positions.to(problem.q.device)
    rows = problem.replace(q=problem.q[..., at, :])
    exact, log_den = exact_rows(rows, at, is_causal)
    mean = mean_rows(rows, at, is_causal)
    if window is None:
        found = linear_rows(rows, at if is_causal else torch.full_like(at, problem.k.shape[2] - 1))
    else:
        parts = [exact_rows(rows, at, is_causal, window), linear_rows(rows, at - window)]
        if not is_causal:
            flipped = None if rows.mask is None else rows.mask.flip(1)
            turned = rows.replace(k=rows.k.flip(2), v=rows.v.flip(2), mask=flipped)
            parts.append(linear_rows(turned, problem.k.shape[2] - 1 - at - window))
        found = merge_parts(parts)
    out = torch.where(found[1] == -torch.inf, mean, found[0])
    counted = (log_den > -torch.inf)[..., 0] & queries_that_count(problem, at)  # (P, G, n)
    squares = lambda x: (x.double().square().sum(-1) * counted).sum((0, 1)).cpu()  # noqa: E731
    return squares(out - exact), squares(mean - exact), squares(exact)


def queries_that_count(problem: Problem, at: Tensor) -> Tensor:
    """Whether a position's query is one of the sequence and no padding, (P, 1, n) or (1, 1, 1)."""
    if problem.mask is None or problem.q.shape[3] != problem.k.shape[2]:
        return torch.ones(1, 1, 1, dtype=torch.bool, device=at.device)
    return problem.mask[:, at].repeat_interleave(problem.k.shape[1], 0)[:, None]


def exact_rows(rows: Problem, at: Tensor, is_causal: bool, window: int | None = None) -> Part:
    """Softmax attention of the rows (P, G, n, M) and log denominators; −inf where a row sees no key.

    Causal rows, in ascending order, are only multiplied with the keys up to the last of their chunk.
    """
    n, pairs, groups = len(at), rows.pairs, rows.q.shape[2]
    found: list[Part] = []
    low = 0
    while low < n:
        step = max(1, min(_ROWS_AT_ONCE, _MOST // max(1, pairs * groups * rows.k.shape[2])))
        high = min(low + step, n)
        length = int(at[low:high].max()) + 1 if is_causal else rows.k.shape[2]
        found.append(_exact_chunk(rows, at, slice(low, high), length, is_causal, window))
        low = high
    if not found:
        empty = rows.q.new_zeros(pairs, groups, 0, rows.v.shape[3], dtype=rows.dtype)
        return empty, empty[..., :1]
    return torch.cat([out for out, _ in found], 2), torch.cat([log for _, log in found], 2)


def _exact_chunk(rows: Problem, at: Tensor, chunk: slice, length: int, is_causal: bool, window: int | None) -> Part:
    """A chunk of the rows against the first `length` keys."""
    q = rows.scale * rows.q[:, :, :, chunk].flatten(0, 1).to(rows.dtype)  # (P, G, n, D)
    logits = q @ rows.key_rows(0, length).flatten(0, 1)[:, None].mT  # (P, G, n, length)
    i, j = at[chunk, None], torch.arange(length, device=q.device)
    if is_causal:
        logits.masked_fill_(j > i, -torch.inf)
    if window is not None:
        logits.masked_fill_((i - j).abs() >= window, -torch.inf)
    if (mask := rows.key_mask(0, length)) is not None:
        logits.masked_fill_(~mask[:, None].mT, -torch.inf)
    top = logits.amax(-1, keepdim=True)
    weights = logits.sub_(top.masked_fill(top == -torch.inf, 0.0)).exp_()
    total = weights.sum(-1, keepdim=True)
    values = rows.v[:, :, :length].to(rows.dtype)
    values = values if rows.mask is None else values.masked_fill(~rows.mask[:, None, :length, None], 0.0)
    out = weights @ values.flatten(0, 1)[:, None] / total.clamp_min(torch.finfo(total.dtype).tiny)
    return out, top + total.log()


def linear_rows(rows: Problem, last: Tensor) -> Part:
    """Linear attention of the rows, of which row r sees the keys 0 … last[r]; −inf where the denominator fails."""
    groups = rows.q.shape[2]
    sums = starting_sums(rows, None)
    total = sums.sums.new_zeros(rows.pairs, groups, len(last), rows.v.shape[-1])
    log_den = sums.sums.new_full((rows.pairs, groups, len(last), 1), -torch.inf)
    end = int(last.max()) + 1 if len(last) else 0
    step = sizes_for(last.device).rows
    for low in range(0, end, step):
        high = min(low + step, rows.k.shape[2])
        here = ((last >= low) & (last < high)).nonzero()[:, 0]
        weights, values = _take_in(rows, sums, low, high)
        if len(here):
            seen = torch.arange(low, high, device=last.device) <= last[here, None]  # (n, block)
            total[:, :, here], log_den[:, :, here] = _read(rows, sums, here, weights, values, seen)
        sums.add(weights, values)
    if end and rows.feature_map is not None and rows.feature_map.signed:
        longest = longest_seen(rows, True, None)[:, last.clamp_min(0)][:, None]  # (P, 1, n, 1)
        log_den.masked_fill_(total.norm(dim=-1, keepdim=True) > SLACK * longest, -torch.inf)
    return total, log_den


def _take_in(rows: Problem, sums: Sums, low: int, high: int) -> tuple[Tensor, Tensor]:
    """Weights and values of a block of keys, with the reference moved to its largest features."""
    keys = rows.key_features(rows.key_rows(low, high))
    return weigh_block(keys, sums, rows.key_mask(low, high)), rows.values(low, high)


def _read(rows: Problem, sums: Sums, here: Tensor, weights: Tensor, values: Tensor, seen: Tensor) -> Part:
    """Rows `here` against the sums and the keys of the block that they see."""
    groups = rows.q.shape[2]
    queries = rows.query_features(rows.q[..., here, :].flatten(2, 3).to(rows.dtype))
    row_weights, shift = weigh_queries(queries, sums.reference)  # (P, G·n, R)
    if bool(seen.all()):
        found = row_weights @ (sums.sums + weights.mT @ values)
    else:
        inner = (row_weights @ weights.mT).unflatten(1, (groups, -1)).masked_fill(~seen, 0.0)
        found = inner.flatten(1, 2) @ values + row_weights @ sums.sums
    found = found.unflatten(1, (groups, -1))  # (P, G, n, M + 1)
    den = found[..., -1:]
    good = (den > rows.floor) & (den < torch.inf)
    log_den = torch.where(good, den.log(), -torch.inf)
    if shift is not None:
        log_den = log_den + shift.unflatten(1, (groups, -1))
    return torch.where(good, found[..., :-1] / den, 0.0), log_den


def mean_rows(rows: Problem, at: Tensor, is_causal: bool) -> Tensor:
    """Mean of the values that each row sees, (P, 1, n, M); 0 where it sees none."""
    if is_causal:
        sums, counts = values_seen(rows, True, None)
        sums, counts = sums[:, at], counts[:, at]
    else:
        sums, counts = (x.expand(-1, len(at), -1) for x in values_seen(rows, False, None))
    return (sums / counts.clamp_min(1))[:, None]
