"""The copy head: how likely the next token is taken from the document, and which token of it.

The next token's probabilities are g · softmax(logits) + (1 − g) · (what attention to the document says), so that a
name that occurs nowhere in training can be written down from the document, piece by piece.

Going on where the last token was copied from need not be learned: the head is built with it. It knows which tokens of
the document come after one that was just written, as an induction head does, and learns only how much that counts.

Source: See et al. 2017, "Get to the point", section 2.2 (arXiv 1704.04368); an attention of its own in place of the
decoder's. Induction: Olsson et al. 2022, "In-context learning and induction heads" (arXiv 2209.11895).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

FOLLOW = 2.0  # where the learning begins: a token that follows is e² times as likely to be copied


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


def follows(source: Int[Tensor, "batch keys"], written: Int[Tensor, "batch seq"]) -> Bool[Tensor, "batch seq keys"]:
    """Whether the token before each token of the document is the one that was written last.

    Args:
        source: documents.
        written: the last token of a summary so far.

    Example:
        >>> follows(torch.tensor([[7, 8, 7, 9]]), torch.tensor([[7]]))
        tensor([[[False,  True, False,  True]]])
    """
    before = F.pad(source[:, :-1], (1, 0), value=-1)  # nothing comes before the first
    return written[..., None] == before[:, None]


class CopyHead(nn.Module):
    """One attention from the summary to the document, what follows the last token, and a gate.

    Args:
        dim: of the tokens.
    """

    def __init__(self, dim: int):
        super().__init__()
        self.query, self.key = nn.Linear(dim, dim, bias=False), nn.Linear(dim, dim, bias=False)
        self.follow = nn.Linear(dim, 1)  # how much it counts that a token follows the last one
        self.gate = nn.Linear(2 * dim + 1, 1)
        nn.init.zeros_(self.follow.weight)
        nn.init.constant_(self.follow.bias, FOLLOW)

    def keys_of(self, memory: Float[Tensor, "batch keys dim"]) -> Float[Tensor, "batch keys dim"]:
        """What the queries are compared with."""
        return self.key(memory)

    def forward(
        self,
        x: Float[Tensor, "batch seq dim"],
        memory: Float[Tensor, "batch keys dim"],
        keys: Float[Tensor, "batch keys dim"],
        key_mask: Bool[Tensor, "batch keys"],
        next_ones: Bool[Tensor, "batch seq keys"],
    ) -> Copying:
        """Where to copy from and whether to.

        Args:
            x: the summary, as the decoder leaves it.
            memory: the document, as the encoder leaves it.
            keys: of `keys_of`.
            key_mask: True for tokens of the document, False for padding.
            next_ones: see `follows`.
        """
        next_ones = next_ones & key_mask[:, None]  # padding follows the last token of a document
        scores = (self.query(x) @ keys.mT).float() * x.shape[-1] ** -0.5
        scores = scores + self.follow(x).float() * next_ones
        weights = scores.masked_fill(~key_mask[:, None], -torch.inf).softmax(-1)  # (B, N, K)
        seen = weights.to(memory.dtype) @ memory
        any_next = next_ones.any(-1, keepdim=True)  # whether the last token occurs in the document
        gate = self.gate(torch.cat([x, seen.to(x.dtype), any_next.to(x.dtype)], -1)).float()
        return Copying(F.logsigmoid(gate), F.logsigmoid(-gate), weights)
