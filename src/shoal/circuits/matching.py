"""Heads of two models put beside each other: which is which, whatever order they are in."""

import math

import torch
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from shoal.circuits.measures import Measure, check_draws, draw_again, measure, shuffles
from shoal.errors import wrong


def match_heads(likeness: Float[Tensor, "ours theirs"]) -> list[tuple[int, int]]:
    """Pairs of heads with the largest likeness in total, by optimal assignment.

    Args:
        likeness: of every head of one model with every head of another, larger is more alike.

    Returns:
        One pair for every head of the smaller side, in the order of ours.

    Raises:
        InputError: if it is no table, or holds what is no number.

    Example:
        >>> match_heads(torch.tensor([[0.1, 0.9], [0.8, 0.2]]))
        [(0, 1), (1, 0)]
    """
    if likeness.ndim != 2 or not likeness.numel():
        raise wrong("likeness", expected="a table [ours, theirs]", got=list(likeness.shape))
    if not bool(torch.isfinite(likeness).all()):
        raise wrong("likeness", expected="finite numbers", got="NaN or infinity")
    ours, theirs = linear_sum_assignment(likeness.cpu().numpy(), maximize=True)
    return [(int(i), int(j)) for i, j in zip(ours, theirs, strict=True)]


def measure_matching(likeness: Float[Tensor, "ours theirs"], *, draws: int = 200, seed: int = 0) -> Measure:
    """Mean likeness of heads that are matched, with an interval, pairs drawn again, and with what chance gives.

    Chance: the same likenesses anywhere in the table, matched as well as can be. A single pair says nothing of others:
    its interval is everything.

    Args:
        likeness: as for `match_heads`.
        draws: of intervals and of chance.
        seed: of both.

    Example:
        >>> found = measure_matching(torch.eye(6)[[3, 1, 0, 5, 4, 2]])
        >>> found.value, found.beyond_chance
        (1.0, True)
    """
    check_draws(draws)
    matched = _matched(likeness)
    generator = torch.Generator().manual_seed(seed)
    everything = (-math.inf, math.inf)
    again = draw_again(len(matched), draws, generator) @ matched / len(matched) if len(matched) > 1 else everything
    flat = likeness.flatten()[shuffles(likeness.numel(), draws, generator).to(likeness.device)]
    chance = torch.stack([_matched(table).mean() for table in flat.reshape(draws, *likeness.shape)])
    return measure(matched.mean(), again, chance)


def _matched(likeness: Tensor) -> Tensor:
    """Likeness of the pairs, float64."""
    return torch.stack([likeness[pair] for pair in match_heads(likeness)]).double().cpu()
