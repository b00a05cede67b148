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

import torch
from jaxtyping import Float
from torch import Tensor

from shoal.circuits.head import Head
from shoal.errors import wrong


@dataclass(frozen=True)
class Shares:
    """Shares of the variance of the centred scores, by query–key subspace; they sum to 1.

    A preference for some keys that every query has is counted where queries and keys are of one kind.
    """

    content_content: float
    content_position: float
    position_content: float
    position_position: float


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
def variance_shares(head: Head) -> Shares:
    """Which subspaces the scores come from."""
    tokens, places = len(head.layout.vocabulary), head.layout.max_len
    table = qk_table(head).unflatten(2, (tokens, places))  # (V, L, V', L')
    by_content, by_place = table.mean(3), table.mean(2)  # (V, L, V'), (V, L, L')
    spread = {}
    for key, effect in (("content", by_content), ("position", by_place)):
        of_any = effect.mean((0, 1), keepdim=True)
        by = {"content": effect.mean(1, keepdim=True) - of_any, "position": effect.mean(0, keepdim=True) - of_any}
        for query, own in by.items():
            spread[f"{query}_{key}"] = float(own.square().mean()) + (
                float(of_any.square().mean()) if query == key else 0
            )
    total = sum(spread.values())
    return Shares(**{name: value / total if total else 0.25 for name, value in spread.items()})


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
