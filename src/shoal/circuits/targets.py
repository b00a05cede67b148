"""What a rule asks of a head, for many sequences at once: the keys that share the attention, and the output."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from shoal.circuits.layout import PADDING, Layout
from shoal.circuits.rules import AnyRule, Grid, Rule
from shoal.circuits.writing import not_self, same


def selection(rule: AnyRule, tokens: Int[Tensor, "batch n"], vocabulary: tuple[str, ...]) -> Bool[Tensor, "batch n n"]:
    """Which keys each query selects; `unique()` looks at the other places that hold its token. Padding selects none."""
    real = tokens != PADDING
    places = torch.arange(tokens.shape[1], device=tokens.device)
    grid = Grid(
        query_token=tokens[:, :, None],
        key_token=tokens[:, None, :],
        query=places[None, :, None],
        key=places[None, None, :],
        length=real.sum(1)[:, None, None],
        vocabulary=vocabulary,
    )
    chosen = (rule if isinstance(rule, Rule) else same() & not_self()).on_grid(grid)
    return chosen.broadcast_to(len(tokens), len(places), len(places)) & real[:, :, None] & real[:, None, :]


def wanted_attention(rule: AnyRule, tokens: Int[Tensor, "batch n"], layout: Layout) -> Float[Tensor, "batch n keys"]:
    """Attention shared by the selected keys; on the null key, if there is one, where there are none."""
    chosen = selection(rule, tokens, layout.vocabulary).double()
    count = chosen.sum(-1, keepdim=True)
    shares = chosen / count.clamp_min(1)
    return torch.cat([(count == 0).double(), shares], -1) if layout.null else shares


def wanted_output(
    rule: AnyRule, tokens: Int[Tensor, "batch n"], vocabulary: tuple[str, ...]
) -> Float[Tensor, "batch n m"]:
    """The output for every place, float64; see `shoal.circuits.rules.expected_output`."""
    chosen = selection(rule, tokens, vocabulary).double()
    count = chosen.sum(-1, keepdim=True)
    if not isinstance(rule, Rule):
        return torch.where(count > 0, -1.0, 1.0).double()
    one_hot = torch.nn.functional.one_hot(tokens.clamp_min(0), len(vocabulary)).double()
    return chosen @ one_hot / count.clamp_min(1)
