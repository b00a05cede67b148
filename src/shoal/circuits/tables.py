"""What a head computes, whatever the basis it is written in: its QK circuit and its OV circuit as tables.

Queries times R and keys times R⁻ᵀ are the same head, so weights say little by themselves. The QK circuit is the score
of every query (token, place) with every key (token, place):

    S = x_q W_Q W_Kᵀ x_kᵀ / √d

Softmax does not see what is added to all scores of a query (its gauge), so the mean over keys is taken off. The OV
circuit is what a key passes on: x_k W_V.

Since contents and positions stand side by side, a centred score is a sum of what key content and key place do, each
for any query, by the query's content, and by its place. These effects are orthogonal, so their variances add up.
"""

from dataclasses import dataclass
from typing import Generic

import torch
from jaxtyping import Float
from torch import Tensor

from shoal.circuits.head import Head
from shoal.circuits.measures import Kind, Measure, check_draws, measure, turns
from shoal.errors import wrong


@dataclass(frozen=True)
class Shares(Generic[Kind]):
    """Shares of the variance of the centred scores, by query–key subspace; they sum to 1.

    A preference for some keys that every query has is counted where queries and keys are of one kind.
    """

    content_content: Kind
    content_position: Kind
    position_content: Kind
    position_position: Kind


@torch.no_grad()
def qk_table(head: Head) -> Float[Tensor, "tokens places keys"]:
    """Centred scores of every query with every key (token, place), flattened; float64.

    The null key is left out: which scores it needs depends on how many keys there are.
    """
    scores = raw_scores(head)
    return scores.sub(scores.mean((2, 3), keepdim=True)).flatten(2)


@torch.no_grad()
def raw_scores(head: Head) -> Float[Tensor, "tokens places key_tokens key_places"]:
    """Scores of every query with every key but the null key, as they are."""
    rows = _pairs(head)  # (V, L, D)
    w_q, w_k = head.W_Q.double(), head.W_K.double()
    return torch.einsum("vld,wmd->vlwm", rows @ w_q, rows @ w_k) / w_q.shape[1] ** 0.5


@torch.no_grad()
def null_scores(head: Head) -> Float[Tensor, "tokens places"] | None:
    """Score of every query with the null key, less the mean of its other scores; None where there is no null key."""
    if not head.layout.null:
        return None
    w_q, w_k = head.W_Q.double(), head.W_K.double()
    return _pairs(head) @ w_q @ w_k[0] / w_q.shape[1] ** 0.5 - raw_scores(head).mean((2, 3))


@torch.no_grad()
def ov_table(head: Head) -> Float[Tensor, "tokens places m"]:
    """What every key passes on, float64."""
    return _pairs(head) @ head.W_V.double()


@torch.no_grad()
def variance_shares(head: Head) -> Shares[float]:
    """Which subspaces the scores come from."""
    return Shares(**{name: float(share) for name, share in _shares(_by_parts(head)[None]).items()})


@torch.no_grad()
def measure_shares(head: Head, *, draws: int = 200, seed: int = 0) -> Shares[Measure]:
    """The same with intervals, query tokens and query places drawn again, and with what chance gives.

    Chance: weights as large that know no subspaces, those of queries and those of keys each turned at random among the
    dimensions of contents and places.

    Args:
        head: of any kind.
        draws: of intervals and of chance.
        seed: of both.
    """
    check_draws(draws)
    generator = torch.Generator().manual_seed(seed)
    table = _by_parts(head).cpu()  # (V, L, V', L')
    tokens, places = table.shape[:2]
    rows, at = (torch.randint(size, (draws, size), generator=generator) for size in (tokens, places))
    again = _shares(table[rows[:, :, None], at[:, None, :]])
    inputs = _pairs(head)[..., int(head.layout.null) :].cpu()  # (V, L, D)
    w_q, w_k = (w.double().cpu()[int(head.layout.null) :] for w in (head.W_Q, head.W_K))
    queries, keys = (
        torch.einsum("vld,sde->svle", inputs, turns(len(w), draws, generator) @ w) for w in (w_q, w_k)
    )  # (draws, V, L, d)
    by_chance = _shares(torch.einsum("svle,swme->svlwm", queries, keys))
    found = _shares(table[None])
    return Shares(**{name: measure(found[name], again[name], by_chance[name]) for name in found})


def _by_parts(head: Head) -> Float[Tensor, "tokens places key_tokens key_places"]:
    return qk_table(head).unflatten(2, (len(head.layout.vocabulary), head.layout.max_len))


def _shares(tables: Float[Tensor, "many tokens places key_tokens key_places"]) -> dict[str, Float[Tensor, " many"]]:
    """Shares of every table by the names of `Shares`; alike for a table without scores."""
    tables = tables - tables.mean((3, 4), keepdim=True)
    effects = {"content": tables.mean(4), "position": tables.mean(3)}  # (S, V, L, V'), (S, V, L, L')
    spread = {}
    for key, effect in effects.items():
        of_any = effect.mean((1, 2), keepdim=True)
        by = {"content": effect.mean(2, keepdim=True) - of_any, "position": effect.mean(1, keepdim=True) - of_any}
        for query, own in by.items():
            spread[f"{query}_{key}"] = own.square().mean((1, 2, 3))
            if query == key:
                spread[f"{query}_{key}"] += of_any.square().mean((1, 2, 3))
    total = torch.stack([*spread.values()]).sum(0)
    some = torch.where(total > 0, total, torch.ones_like(total))
    return {name: torch.where(total > 0, value / some, 0.25) for name, value in spread.items()}


def check_alike(one: Head, other: Head) -> None:
    """Refuse heads that see different inputs.

    Raises:
        InputError: if vocabulary or longest sequence differ.
    """
    for name in ("vocabulary", "max_len"):
        found = getattr(one.layout, name), getattr(other.layout, name)
        if found[0] != found[1]:
            raise wrong("heads", expected=f"one {name}", got=f"{found[0]} and {found[1]}")


def _pairs(head: Head) -> Float[Tensor, "tokens places dim"]:
    """Input rows of every token at every place."""
    layout, tokens = head.layout, len(head.layout.vocabulary)
    rows = torch.zeros(tokens, layout.max_len, len(layout.names), dtype=torch.float64)
    rows[:, :, len(layout.contents) - tokens : len(layout.contents)] = torch.eye(tokens).double()[:, None]
    if layout.positions:
        rows[:, :, layout.position] = torch.eye(layout.max_len).double()[None]
    return rows.to(head.W_Q.device)
