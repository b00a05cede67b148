"""How much heads of one model have in common."""

import torch
from jaxtyping import Float
from torch import Tensor

from shoal.circuits.measures import Measure, check_draws, draw_again, measure
from shoal.circuits.patterns import key_orders, seen_keys, total_variation
from shoal.errors import wrong


def redundancy(attention: Float[Tensor, "heads batch n n"]) -> Float[Tensor, "heads heads"]:
    """How alike the maps of every two heads are: 1 less the mean total variation."""
    heads = len(attention)
    found = torch.ones(heads, heads, dtype=torch.float64)
    for i in range(heads):
        for j in range(i):
            found[i, j] = found[j, i] = 1 - float(total_variation(attention[i], attention[j]).mean())
    return found


def measure_redundancy(
    attention: Float[Tensor, "heads batch n n"], *, is_causal: bool = False, draws: int = 200, seed: int = 0
) -> list[list[Measure]]:
    """The same with intervals, inputs drawn again, and with what chance gives.

    Chance: the keys of every query of one of the two in another order, the same on all inputs. A single input says
    nothing of others: its intervals are everything.

    Args:
        attention: maps of all heads on the same inputs.
        is_causal: whether a query sees only keys up to its own place.
        draws: of intervals and of chance.
        seed: of both.

    Returns:
        A row for every head; on the diagonal the head with itself, 1.

    Example:
        >>> maps = torch.stack([torch.eye(6), torch.eye(6).roll(1, 0), torch.eye(6)])[:, None].expand(3, 20, 6, 6)
        >>> found = measure_redundancy(maps, draws=50)
        >>> found[0][2].value, found[0][2].beyond_chance, found[0][1].value
        (1.0, True, 0.0)
    """
    if attention.ndim != 4 or attention.shape[2] != attention.shape[3] or not attention.numel():
        raise wrong("attention", expected="maps [heads, batch, n, n]", got=list(attention.shape))
    check_draws(draws)
    generator = torch.Generator().manual_seed(seed)
    maps = attention.double().cpu()
    heads, batch = maps.shape[:2]
    seen = seen_keys(maps.shape[-1], is_causal)
    counts = draw_again(batch, draws, generator) / batch
    found: list[list[Measure]] = [[] for _ in range(heads)]
    for i in range(heads):
        orders = key_orders(seen, draws, generator)
        for j in range(i + 1):
            alike = 1 - total_variation(maps[i], maps[j]).mean(1)  # (batch,)
            again = counts @ alike if batch > 1 else (0.0, 1.0)
            moved = (maps[i].gather(-1, order.expand(batch, -1, -1)) for order in orders)
            chance = torch.stack([1 - total_variation(other, maps[j]).mean() for other in moved])
            found[i].append(measure(alike.mean(), again, chance))
    return [[found[max(i, j)][min(i, j)] for j in range(heads)] for i in range(heads)]
