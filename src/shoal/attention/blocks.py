"""The products of a causal segment, cut into blocks of 64 rows that are all multiplied at once.

Rows of a block see the keys before it through sums, and those of the block itself through a masked square of products.
"""

import torch
from torch import Tensor

from shoal.attention.sizes import Sizes

BLOCK = 64  # rows whose weights are multiplied with each other: larger is more arithmetic, smaller more sums


class Workspace:
    """Tensors by name, used again while their shape stays: new memory at every step would cost more than the sums."""

    def __init__(self, like: Tensor):
        self.like = like
        self.tensors: dict[str, Tensor] = {}

    def __call__(self, name: str, *shape: int) -> Tensor:
        """A tensor with whatever it holds."""
        found = self.found(name, shape)
        if found is None:
            found = self.tensors[name] = self.like.new_empty(shape)
        return found

    def found(self, name: str, shape: tuple[int, ...]) -> Tensor | None:
        """The tensor of that name and shape, if it was asked for before."""
        found = self.tensors.get(name)
        return found if found is not None and found.shape == shape else None


def most_blocks(pairs: int, num_features: int, sizes: Sizes) -> int:
    """Blocks of a segment, at most."""
    return max(2, min(sizes.blocks, sizes.sums // max(1, pairs * num_features)))


def segment_length(left: int, blocks: int) -> int:
    """Rows of the next segment: whole blocks while there are any, then the rest."""
    return min(left // BLOCK, blocks) * BLOCK or left


def whole_and_rest(start: int, stop: int) -> list[tuple[int, int]]:
    """Rows cut into whole blocks and a rest, each where there is one: the rest is one block, and should be short."""
    border = stop - (stop - start) % BLOCK
    return [(low, high) for low, high in ((start, border), (border, stop)) if low < high]


def attend(
    row_weights: Tensor, weights: Tensor, values: Tensor, sums: Tensor, groups: int, room: Workspace
) -> tuple[Tensor, Tensor]:
    """Numerators and denominators of a segment's rows, and the sums after it.

    Args:
        row_weights: (P, G·n, R).
        weights: (P, n, R).
        values: (P, n, M + 1).
        sums: before the segment, (P, R, M + 1).
        groups: G.
        room: where results go; they hold until it is used again.

    Returns:
        (P, G, n, M + 1) and (P, R, M + 1).
    """
    pairs, length, _ = weights.shape
    blocks = count_blocks(length)
    w_q, w_k, v = in_blocks(row_weights, groups, blocks), in_blocks(weights, 1, blocks), in_blocks(values, 1, blocks)
    before = room("before", pairs, blocks + 1, *sums.shape[1:])
    before[:, 0] = sums
    own = before[0, 1:] if pairs == 1 else room("own", pairs * blocks, *sums.shape[1:])
    torch.bmm(w_k.mT, v, out=own)
    if pairs > 1:
        before[:, 1:] = own.unflatten(0, (pairs, blocks))
    torch.cumsum(before, 1, out=before)
    inner = torch.bmm(w_q, w_k.mT, out=room("inner", pairs * blocks, w_q.shape[1], w_k.shape[1]))
    total = torch.bmm(tril(inner, groups), v, out=room("total", *w_q.shape[:2], v.shape[2]))
    earlier = before[0, :-1] if pairs == 1 else before[:, :-1].flatten(0, 1)
    total.baddbmm_(w_q, earlier)  # (P·blocks, G·64, M + 1)
    return from_blocks(total, groups, blocks), before[:, -1].clone()


def attended(
    row_weights: Tensor, weights: Tensor, values: Tensor, errors: Tensor, suffix: Tensor, groups: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The backward pass of a segment's keys; arguments as in `attend`, and two of the backward pass.

    Args:
        row_weights: (P, G·n, R).
        weights: (P, n, R).
        values: (P, n, M + 1).
        errors: [g, δ] of the rows, (P, G·n, M + 1); see `shoal.attention.causal`.
        suffix: sums of w_q [g, δ]ᵀ over all rows after the segment, (P, R, M + 1).
        groups: G.

    Returns:
        Gradients by the weights (P, n, R) and by [v, 1] (P, n, M + 1), and the suffix sums with the segment taken in.
    """
    pairs, length, _ = weights.shape
    blocks = count_blocks(length)
    w_q, e = in_blocks(row_weights, groups, blocks), in_blocks(errors, groups, blocks)
    w_k, v = in_blocks(weights, 1, blocks), in_blocks(values, 1, blocks)
    own = torch.bmm(w_q.mT, e).unflatten(0, (pairs, blocks))  # (P, blocks, R, M + 1)
    sums = torch.cat([suffix[:, None], own.flip(1)], 1).cumsum(1)
    after = sums[:, :-1].flip(1).flatten(0, 1)  # what lies after each block
    attention = tril(torch.bmm(w_q, w_k.mT), groups)
    by_attention = tril(torch.bmm(e, v.mT), groups)
    by_values = torch.bmm(attention.mT, e).baddbmm_(w_k, after)
    by_weights = torch.bmm(by_attention.mT, w_q).baddbmm_(v, after.mT)
    whole = lambda rows: from_blocks(rows, 1, blocks)[:, 0]  # noqa: E731
    return whole(by_weights), whole(by_values), sums[:, -1].contiguous()


def count_blocks(length: int) -> int:
    """Blocks of a segment; one where it is no multiple of a block: its end, or up to where the reference moved."""
    return length // BLOCK if length % BLOCK == 0 else 1


def in_blocks(rows: Tensor, groups: int, blocks: int) -> Tensor:
    """(P, G·n, ·) as (P·blocks, G·n/blocks, ·): a view where there is one group."""
    pairs, length, width = rows.shape
    if groups == 1:
        return rows.reshape(pairs * blocks, length // blocks, width)
    cut = rows.view(pairs, groups, blocks, -1, width)
    return cut.transpose(1, 2).reshape(pairs * blocks, length // blocks, width)


def from_blocks(rows: Tensor, groups: int, blocks: int) -> Tensor:
    """(P·blocks, G·n/blocks, ·) as (P, G, n, ·)."""
    width = rows.shape[2]
    if groups == 1:
        return rows.view(rows.shape[0] // blocks, 1, -1, width)
    return rows.view(-1, blocks, groups, rows.shape[1] // groups, width).transpose(1, 2).flatten(2, 3)


def tril(inner: Tensor, groups: int) -> Tensor:
    """Zero what lies in the future, in place: (·, G·n, n). Zeros are written, not multiplied: inf leaves no NaN."""
    if groups == 1:
        return inner.tril_()
    inner.unflatten(1, (groups, -1)).tril_()
    return inner
