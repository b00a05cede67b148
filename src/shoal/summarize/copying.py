"""The copy head: how likely the next token is taken from the document, and which token of it.

The next token's probabilities are g · softmax(logits) + (1 − g) · (what attention to the document says), so that a
name that occurs nowhere in training can be written down from the document, piece by piece.

Source: See et al. 2017, "Get to the point", section 2.2 (arXiv 1704.04368); an attention of its own in place of the
decoder's.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn


@dataclass
class Copying:
    """What the copy head says of some positions of a summary.

    Attributes:
        log_write: log of g, that the token comes from the vocabulary.
        log_copy: log of 1 − g.
        weights: where it is copied from; rows sum to 1.
    """

    log_write: Float[Tensor, "batch seq 1"]
    log_copy: Float[Tensor, "batch seq 1"]
    weights: Float[Tensor, "batch seq keys"]

    def of_tokens(
        self, source: Int[Tensor, "batch keys"], tokens: Int[Tensor, "batch seq"]
    ) -> Float[Tensor, "batch seq"]:
        """Probability that these tokens are copied, given that something is."""
        same = source[:, None, :] == tokens[..., None]  # (B, N, K)
        return (self.weights * same).sum(-1)

    def of_all(self, source: Int[Tensor, "batch keys"], vocabulary: int) -> Float[Tensor, "batch seq vocabulary"]:
        """The same for every token of the vocabulary."""
        shape = (*self.weights.shape[:2], vocabulary)
        return self.weights.new_zeros(shape).scatter_add_(2, source[:, None].expand(-1, shape[1], -1), self.weights)


class CopyHead(nn.Module):
    """One attention from the summary to the document, and a gate.

    Args:
        dim: of the tokens.
    """

    def __init__(self, dim: int):
        super().__init__()
        self.query, self.key = nn.Linear(dim, dim, bias=False), nn.Linear(dim, dim, bias=False)
        self.gate = nn.Linear(2 * dim, 1)

    def keys_of(self, memory: Float[Tensor, "batch keys dim"]) -> Float[Tensor, "batch keys dim"]:
        """What the queries are compared with."""
        return self.key(memory)

    def forward(
        self,
        x: Float[Tensor, "batch seq dim"],
        memory: Float[Tensor, "batch keys dim"],
        keys: Float[Tensor, "batch keys dim"],
        key_mask: Bool[Tensor, "batch keys"],
    ) -> Copying:
        """Where to copy from and whether to.

        Args:
            x: the summary, as the decoder leaves it.
            memory: the document, as the encoder leaves it.
            keys: of `keys_of`.
            key_mask: True for tokens of the document, False for padding.
        """
        scores = (self.query(x) @ keys.mT).float() * x.shape[-1] ** -0.5
        weights = scores.masked_fill(~key_mask[:, None], -torch.inf).softmax(-1)  # (B, N, K)
        seen = weights.to(memory.dtype) @ memory
        gate = self.gate(torch.cat([x, seen.to(x.dtype)], -1)).float()
        return Copying(F.logsigmoid(gate), F.logsigmoid(-gate), weights)
