"""The blocks of the transformer; parameters have the names of torch's, so that each loads its counterpart's state_dict.

`EncoderBlock` is `nn.TransformerEncoderLayer`, `DecoderBlock` is `nn.TransformerDecoderLayer`, with activation "gelu"
and batch_first.

Source: Vaswani et al. 2017, "Attention is all you need", section 3 (arXiv 1706.03762); pre-norm after Xiong et al. 2020
(arXiv 2002.04745).
"""

from dataclasses import dataclass

import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from shoal.attention import FeatureMap
from shoal.summarize.attending import Attention, Keys, Past


class _Block(nn.Module):
    """What both have: a feed-forward sublayer, dropout, and where to normalise."""

    def __init__(self, dim: int, hidden: int, dropout: float, norm: str):
        super().__init__()
        self.linear1, self.linear2 = nn.Linear(dim, hidden), nn.Linear(hidden, dim)
        self.dropout = nn.Dropout(dropout)
        self.pre = norm == "pre"

    def before(self, norm: nn.Module, x: Tensor) -> Tensor:
        """What a sublayer reads."""
        return norm(x) if self.pre else x

    def after(self, norm: nn.Module, x: Tensor, change: Tensor) -> Tensor:
        """What a sublayer leaves behind."""
        x = x + self.dropout(change)
        return x if self.pre else norm(x)

    def feed_forward(self, x: Tensor) -> Tensor:
        """Two layers, token by token."""
        return self.linear2(F.gelu(self.linear1(x)))


class EncoderBlock(_Block):
    """Self-attention and feed-forward.

    Args:
        dim, heads: of the tokens and of the attention.
        hidden: units of the feed-forward sublayer.
        dropout: on the output of both sublayers.
        norm: "pre" or "post".
        feature_map: for linear attention.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        hidden: int,
        *,
        dropout: float = 0.0,
        norm: str = "pre",
        feature_map: FeatureMap | None = None,
    ):
        super().__init__(dim, hidden, dropout, norm)
        self.self_attn = Attention(dim, heads, feature_map)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)

    def forward(
        self, x: Float[Tensor, "batch seq dim"], key_mask: Bool[Tensor, "batch seq"] | None = None
    ) -> Float[Tensor, "batch seq dim"]:
        """Tokens after the block; where the mask is False they mean nothing."""
        x = self.after(self.norm1, x, self.self_attn(self.before(self.norm1, x), key_mask=key_mask))
        return self.after(self.norm2, x, self.feed_forward(self.before(self.norm2, x)))


@dataclass
class BlockCache:
    """What one decoder block remembers while a summary is written.

    Attributes:
        past: of its self-attention.
        keys: of the documents, [documents, heads, seq, head_dim] each; all beams of a document share them.
    """

    past: Past
    keys: Keys

    def select(self, rows: Int[Tensor, "rows"], documents: Int[Tensor, "documents"] | None = None) -> "BlockCache":
        """Summaries that go on, in the order given; and the documents that they belong to, where some are done."""
        keys = self.keys
        if documents is not None:
            keys = (keys[0].index_select(0, documents), keys[1].index_select(0, documents))
        return BlockCache(None if self.past is None else self.past.select(rows), keys)


class DecoderBlock(_Block):
    """Causal self-attention, attention to the document, and feed-forward; arguments as `EncoderBlock`."""

    def __init__(
        self,
        dim: int,
        heads: int,
        hidden: int,
        *,
        dropout: float = 0.0,
        norm: str = "pre",
        feature_map: FeatureMap | None = None,
    ):
        super().__init__(dim, hidden, dropout, norm)
        self.self_attn = Attention(dim, heads, feature_map)
        self.multihead_attn = Attention(dim, heads)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(dim) for _ in range(3))

    def forward(
        self,
        x: Float[Tensor, "batch seq dim"],
        memory: Float[Tensor, "batch keys dim"],
        memory_mask: Bool[Tensor, "batch keys"] | None = None,
    ) -> Float[Tensor, "batch seq dim"]:
        """All tokens of a summary at once."""
        x = self.after(self.norm1, x, self.self_attn(self.before(self.norm1, x), is_causal=True))
        return self._rest(x, self.multihead_attn.keys_of(memory), memory_mask)

    def start(self, memory: Float[Tensor, "batch keys dim"]) -> BlockCache:
        """What is remembered before the first token."""
        return BlockCache(None, self.multihead_attn.keys_of(memory))

    def step(
        self, x: Float[Tensor, "rows 1 dim"], cache: BlockCache, memory_mask: Tensor | None, room: int
    ) -> Float[Tensor, "rows 1 dim"]:
        """The next token of every row; the cache is changed in place."""
        attended, cache.past = self.self_attn.stream(self.before(self.norm1, x), cache.past, room)
        x = self.after(self.norm1, x, attended)
        # the beams of a document look at it together, as if they were tokens of one sequence
        together = x.reshape(len(cache.keys[0]), -1, x.shape[-1])  # (documents, beams, D)
        return self._rest(together, cache.keys, memory_mask).view_as(x)

    def _rest(self, x: Tensor, keys: Keys, memory_mask: Tensor | None) -> Tensor:
        seen = self.multihead_attn.look(self.before(self.norm2, x), keys, memory_mask)
        x = self.after(self.norm2, x, seen)
        return self.after(self.norm3, x, self.feed_forward(self.before(self.norm3, x)))
