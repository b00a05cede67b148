"""OV circuits: how alike two of them are where they are used, and how alike one is to a copy of the key's token."""

import torch
from torch import Tensor

from shoal.circuits.head import Head
from shoal.circuits.layout import PADDING
from shoal.circuits.measures import Measure, cosine, draw_again, measure, shuffles
from shoal.circuits.sides import Side
from shoal.circuits.tables import ov_table


@torch.no_grad()
def copy_score(head: Head) -> float:
    """Cosine of the OV circuit with a copy of the key's token, −1 to 1; 0 where outputs are no tokens."""
    if head.W_V.shape[1] != len(head.layout.vocabulary):
        return 0.0
    passed, squares = _copies(ov_table(head))
    return float(cosine(passed.sum(), squares.sum(), _full(passed)))


@torch.no_grad()
def copy_measure(head: Head, draws: int, generator: torch.Generator) -> Measure:
    """The same with an interval, keys drawn again, and with what keys give whose tokens are renamed."""
    names = shuffles(len(head.layout.vocabulary), draws, generator)  # (draws, V)
    cells = len(head.layout.vocabulary) * head.layout.max_len
    counts = draw_again(cells, draws, generator)
    if head.W_V.shape[1] != len(head.layout.vocabulary):
        return Measure(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    table = ov_table(head).cpu()  # (V, L, V)
    passed, squares = _copies(table)
    renamed = table[names].diagonal(0, 1, 3).sum((1, 2))  # (draws,)
    return measure(
        cosine(passed.sum(), squares.sum(), _full(passed)),
        cosine(counts @ passed.flatten(), counts @ squares.flatten(), counts.sum(1)),
        cosine(renamed, squares.sum(), _full(passed)),
    )


@torch.no_grad()
def ov_measure(heads: tuple[Head, Head], sides: tuple[Side, Side], draws: int, generator: torch.Generator) -> Measure:
    """Cosine of the OV circuits, every token at every place weighed by how much attention it gets.

    Args:
        heads: two.
        sides: of the same two; inputs are drawn again for the interval.
        draws: of intervals and of chance.
        generator: of both.
    """
    one, other = (ov_table(head).cpu() for head in heads)  # (V, L, m)
    tokens, places = one.shape[:2]
    used = _attended(sides, tokens, places).cpu()  # (B, V L)
    counts = draw_again(len(used), draws, generator)
    names, moves = shuffles(tokens, draws, generator), shuffles(places, draws, generator)
    if one.shape != other.shape:
        return Measure(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    cells = torch.stack([(one * other).sum(-1), one.square().sum(-1), other.square().sum(-1)], -1)
    cells = cells.flatten(0, 1)  # (V L, 3)
    renamed = one[names[:, :, None], moves[:, None, :]]  # (draws, V, L, m)
    total = used.sum(0).unflatten(0, (tokens, places))  # (V, L)
    by_chance = cosine(
        ((renamed * other).sum(-1) * total).sum((1, 2)),
        (renamed.square().sum(-1) * total).sum((1, 2)),
        (other.square().sum(-1) * total).sum(),
    )
    found = cosine(*(used.sum(0) @ cells))
    return measure(found, cosine(*(counts @ used @ cells).unbind(-1)), by_chance)


def _attended(sides: tuple[Side, Side], tokens: int, places: int) -> Tensor:
    """How much attention every token at every place gets from both heads, input by input, (batch, V · L)."""
    given = sides[0].tokens  # (B, N)
    real = given != PADDING
    got = sum((side.maps[..., 1:] * real[..., None]).sum(1) for side in sides)  # (B, N)
    cells = given.clamp_min(0) * places + torch.arange(given.shape[1], device=given.device)
    found = torch.zeros(len(given), tokens * places, dtype=torch.float64, device=given.device)
    return found.scatter_add_(1, cells, got * real)


def _copies(table: Tensor) -> tuple[Tensor, Tensor]:
    """What every token at every place passes on of itself, and the square of all that it passes on, (V, L) each."""
    return table.diagonal(0, 0, 2).T, table.square().sum(-1)


def _full(passed: Tensor) -> Tensor:
    """The square norm of a copy: 1 for every key."""
    return torch.tensor(float(passed.numel())).to(passed)
