"""Multi-head attention of the summarizer: exact or linear, over a whole sequence or one token at a time.

Parameters have the names and the layout of `nn.MultiheadAttention`, whose state_dict it loads.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from shoal.attention import AttentionState, FeatureMap, kernel_matrix, linear_attention

Keys = tuple[Tensor, Tensor]  # keys and values, [batch, heads, seq, head_dim] each


@dataclass
class ExactMemory:
    """Keys and values of the tokens so far, in room for all that may come.

    Attributes:
        keys: [batch, heads, room, head_dim].
        values: the same.
        length: tokens so far.
    """

    keys: Tensor
    values: Tensor
    length: int = 0

    def add(self, keys: Tensor, values: Tensor) -> Keys:
        """Keep those of the next tokens; all so far."""
        end = self.length + keys.shape[2]
        self.keys[:, :, self.length : end] = keys
        self.values[:, :, self.length : end] = values
        self.length = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def select(self, rows: Int[Tensor, "rows"]) -> "ExactMemory":
        """Rows of the batch, in the order given and as often as given."""
        return ExactMemory(self.keys.index_select(0, rows), self.values.index_select(0, rows), self.length)


Past = ExactMemory | AttentionState | None  # what a self-attention remembers of the tokens before


class Attention(nn.Module):
    """Multi-head attention.

    Args:
        dim: of inputs and outputs.
        heads: that it is divided by.
        feature_map: for linear attention; None for exact attention.
    """

    def __init__(self, dim: int, heads: int, feature_map: FeatureMap | None = None):
        super().__init__()
        self.heads, self.feature_map = heads, feature_map
        self.in_proj_weight = nn.Parameter(torch.empty(3 * dim, dim))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * dim))
        self.out_proj = nn.Linear(dim, dim)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(
        self,
        x: Float[Tensor, "batch seq dim"],
        *,
        key_mask: Bool[Tensor, "batch seq"] | None = None,
        is_causal: bool = False,
    ) -> Float[Tensor, "batch seq dim"]:
        """Attend among the tokens of one sequence.

        Args:
            x: the tokens.
            key_mask: True takes part; None for all.
            is_causal: whether a token sees only those up to itself.
        """
        q, k, v = self._split(F.linear(x, self.in_proj_weight, self.in_proj_bias), 3)
        return self._join(self._attend(q, k, v, key_mask, is_causal))

    def look(
        self,
        x: Float[Tensor, "batch seq dim"],
        keys: Keys,
        key_mask: Bool[Tensor, "batch keys"] | None = None,
    ) -> Float[Tensor, "batch seq dim"]:
        """Attend to keys and values of elsewhere, see `keys_of`."""
        return self._join(self._attend(self.queries_of(x), *keys, key_mask, False))

    def stream(
        self, x: Float[Tensor, "batch seq dim"], past: Past, room: int
    ) -> tuple[Float[Tensor, "batch seq dim"], Past]:
        """Causal attention of the next tokens, whatever came before being in `past`.

        Args:
            x: the next tokens; one, unless nothing came before.
            past: None at the beginning.
            room: tokens that may come in all.

        Returns:
            Outputs, and what is remembered after them.
        """
        q, k, v = self._split(F.linear(x, self.in_proj_weight, self.in_proj_bias), 3)
        if self.feature_map is not None:
            assert not isinstance(past, ExactMemory)
            out, after = linear_attention(
                q, k, v, feature_map=self.feature_map, is_causal=True, state=past, return_state=True
            )
            return self._join(out), after
        if past is None:
            empty = k.new_empty(k.shape[0], k.shape[1], room, k.shape[3])
            past = ExactMemory(empty, torch.empty_like(empty))
        assert isinstance(past, ExactMemory)
        begins = past.length == 0
        assert begins or x.shape[1] == 1
        out = F.scaled_dot_product_attention(q, *past.add(k, v), is_causal=begins)
        return self._join(out), past

    def keys_of(self, memory: Float[Tensor, "batch keys dim"]) -> Keys:
        """Keys and values of a sequence, for `look`."""
        dim = memory.shape[-1]
        k, v = self._split(F.linear(memory, self.in_proj_weight[dim:], self.in_proj_bias[dim:]), 2)
        return k, v

    def queries_of(self, x: Float[Tensor, "batch seq dim"]) -> Float[Tensor, "batch heads seq head_dim"]:
        """Queries of all heads."""
        dim = x.shape[-1]
        return self._split(F.linear(x, self.in_proj_weight[:dim], self.in_proj_bias[:dim]), 1)[0]

    @torch.no_grad()
    def weights(
        self,
        queries: Float[Tensor, "batch heads seq head_dim"],
        keys: Float[Tensor, "batch heads keys head_dim"],
        key_mask: Bool[Tensor, "batch keys"] | None = None,
    ) -> Float[Tensor, "batch heads seq keys"]:
        """What each query takes of each key; rows sum to 1. For pictures: it is quadratic, linear attention too."""
        if self.feature_map is not None:
            scores = kernel_matrix(queries, keys, self.feature_map)
            if key_mask is not None:
                scores = scores * key_mask[:, None, None]
            return scores / scores.sum(-1, keepdim=True)
        scores = queries @ keys.mT / keys.shape[-1] ** 0.5
        if key_mask is not None:
            scores = scores.masked_fill(~key_mask[:, None, None], -torch.inf)
        return scores.float().softmax(-1)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, key_mask: Tensor | None, is_causal: bool) -> Tensor:
        if self.feature_map is not None and q.shape[2] == k.shape[2]:
            return linear_attention(q, k, v, feature_map=self.feature_map, is_causal=is_causal, key_mask=key_mask)
        mask = None if key_mask is None else key_mask[:, None, None]  # (B, 1, 1, N)
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=is_causal)

    def _split(self, x: Tensor, parts: int) -> tuple[Tensor, ...]:
        """[batch, seq, parts · dim] to so many [batch, heads, seq, head_dim]."""
        return x.unflatten(-1, (parts, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind()

    def _join(self, x: Tensor) -> Tensor:
        return self.out_proj(x.transpose(1, 2).flatten(2))
