"""Activations of any layer as rows of at most 512 numbers, and how that was done in words.

    rows, how = pool(torch.zeros(8, 64, 32, 32), 512)        # [8, 256], "mean over 2×2 of 32×32"

Maps are averaged over the finest grid that fits, tokens over the most groups that fit; rows that are still too long are
added up in 512 sums with random signs, which keeps their distances on average.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from shoal.errors import wrong

MOST = 512


def pool(output: Float[Tensor, "batch ..."], most: int = MOST) -> tuple[Float[Tensor, "batch features"], str]:
    """Make rows of a layer's output.

    Args:
        output: [b, d]; [b, n, d], n tokens; or [b, c, h, w] and more dimensions of space.
        most: numbers a row.

    Returns:
        float32 rows, and how they were made.

    Raises:
        InputError: if there is no row for every example.

    Example:
        >>> pool(torch.zeros(2, 8, 4, 4))
        (tensor([[0., 0., ...]]), 'whole')
        >>> rows, how = pool(torch.zeros(2, 17, 192))
        >>> rows.shape, how
        (torch.Size([2, 384]), 'means of 2 groups of 17 tokens')
    """
    if output.ndim < 2:
        raise wrong("layer", expected="an output [batch, ...] with a row for every example", got=list(output.shape))
    output = output.float()
    if output.shape[1:].numel() <= most or output.ndim == 2:
        return _shortened(output.flatten(1), "whole", most)
    if output.ndim == 3:
        tokens, dim = output.shape[1:]
        groups = max(1, min(tokens, most // dim))
        means = F.adaptive_avg_pool1d(output.mT, groups).mT  # (B, groups, D)
        how = f"means of {groups} groups of {tokens} tokens" if groups > 1 else f"mean of {tokens} tokens"
        return _shortened(means.flatten(1), how, most)
    space = output.shape[2:]
    side = _finest(output.shape[1], tuple(space), most)
    grid = [min(side, size) for size in space]
    means = output
    for axis, size in enumerate(grid, start=2):  # one axis at a time: any number of them
        means = _means_along(means, axis, size)
    how = f"mean over {'×'.join(map(str, grid))} of {'×'.join(map(str, space))}"
    return _shortened(means.flatten(1), how, most)


def _finest(channels: int, space: tuple[int, ...], most: int) -> int:
    """The largest side of a grid whose cells fit; 1 where even one cell does not."""
    side = 1
    while side < max(space) and channels * _cells(space, side + 1) <= most:
        side += 1
    return side


def _cells(space: tuple[int, ...], side: int) -> int:
    found = 1
    for size in space:
        found *= min(side, size)
    return found


def _means_along(x: Tensor, axis: int, size: int) -> Tensor:
    last = x.movedim(axis, -1)
    return F.adaptive_avg_pool1d(last.flatten(0, -2)[:, None], size).view(*last.shape[:-1], size).movedim(-1, axis)


def _shortened(rows: Tensor, how: str, most: int) -> tuple[Tensor, str]:
    """Sums with random signs where rows are too long: the same for every batch of the same width.

    Source: Charikar, Chen & Farach-Colton 2002, "Finding frequent items in data streams".
    """
    width = rows.shape[1]
    if width <= most:
        return rows, how
    generator = torch.Generator().manual_seed(width)
    place = torch.randint(most, (width,), generator=generator).to(rows.device)
    sign = (2 * torch.randint(2, (width,), generator=generator) - 1).to(rows)
    short = rows.new_zeros(len(rows), most).index_add_(1, place, rows * sign)
    return short, f"{most} signed sums of {width}" + ("" if how == "whole" else f", {how}")
