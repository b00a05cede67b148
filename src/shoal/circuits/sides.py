"""Two heads put beside each other on the same inputs: what they have in common, query by query and input by input.

Every number of an agreement is made of sums over queries of the QK circuit or over inputs. They are kept apart here,
so that a bootstrap is a product with how often each was drawn, and the parts of hundreds of samples come at once.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from shoal.circuits.head import Head
from shoal.circuits.layout import PADDING
from shoal.circuits.measures import cosine
from shoal.circuits.patterns import jensen_shannon, total_variation
from shoal.circuits.sequences import all_or_some, longest
from shoal.circuits.tables import null_scores, raw_scores

MOST_INPUTS = 512  # drawn where there are more


@dataclass(frozen=True)
class Side:
    """One head as tables, maps and values; float64."""

    scores: Float[Tensor, "tokens places key_tokens key_places"]  # centred
    null: Float[Tensor, "tokens places"] | None
    tokens: Int[Tensor, "batch n"]
    maps: Float[Tensor, "batch n keys"]  # the null key first, 0 where there is none
    values: Float[Tensor, "batch keys m"]

    @classmethod
    def of(cls, head: Head, tokens: Int[Tensor, "batch n"]) -> "Side":
        """A head on these inputs."""
        scores = raw_scores(head)
        scores = scores - scores.mean((2, 3), keepdim=True)
        null = null_scores(head)
        return cls(scores, null, tokens, attention_of_scores(scores, null, tokens), _values(head, tokens))

    def renamed(self, generator: torch.Generator) -> "Side":
        """The head with its tokens and places renamed, those of queries apart from those of keys."""
        sizes = self.scores.shape
        names = [torch.randperm(size, generator=generator) for size in sizes]
        scores = self.scores[names[0]][:, names[1]][:, :, names[2]][:, :, :, names[3]]
        null = None if self.null is None else self.null[names[0]][:, names[1]]
        return Side(scores, null, self.tokens, attention_of_scores(scores, null, self.tokens), self.values)


@dataclass(frozen=True)
class Common:
    """What two sides have in common.

    Attributes:
        scores: of every query, the sums of one's scores times the other's, and of the squares of each.
        contributions: of every input, the same of attention times value; None for outputs of different sizes.
        apart, divergence: of every input, the sums over queries of total variation and of Jensen–Shannon divergence.
        queries: how many every input has.
    """

    scores: Float[Tensor, "queries 3"]
    contributions: Float[Tensor, "batch 3"] | None
    apart: Float[Tensor, " batch"]
    divergence: Float[Tensor, " batch"]
    queries: Float[Tensor, " batch"]

    @classmethod
    def of(cls, one: Side, other: Side) -> "Common":
        """Of two sides on the same inputs."""
        real = (one.tokens != PADDING).double()  # (B, N)
        tables = one.scores.flatten(2).flatten(0, 1), other.scores.flatten(2).flatten(0, 1)  # (V L, V L)
        return cls(
            scores=_products(*tables, [-1]),
            contributions=_contributions(one, other, real),
            apart=(total_variation(one.maps, other.maps) * real).sum(1),
            divergence=(jensen_shannon(one.maps, other.maps) * real).sum(1),
            queries=real.sum(1),
        )

    def parts(
        self, queries: Float[Tensor, "draws queries"] | None = None, inputs: Float[Tensor, "draws batch"] | None = None
    ) -> dict[str, Float[Tensor, " draws"]]:
        """All parts of an agreement, for samples of queries and of inputs; for all of them unless given."""
        queries = torch.ones(1, len(self.scores), dtype=torch.float64) if queries is None else queries
        inputs = torch.ones(1, len(self.apart), dtype=torch.float64) if inputs is None else inputs
        queries, inputs = queries.to(self.scores), inputs.to(self.scores)
        ab, aa, bb = (queries @ self.scores).unbind(-1)
        qk = cosine(ab, aa, bb)
        if self.contributions is None:
            contributions = torch.zeros_like(inputs[:, 0])
        else:
            contributions = cosine(*(inputs @ self.contributions).unbind(-1))
        count = inputs @ self.queries
        worse = torch.minimum(qk, contributions)
        return {
            "overall": torch.where(worse > 0, qk * contributions, worse),
            "qk": qk,
            "contributions": contributions,
            "attention": 1 - 2 * (inputs @ self.apart) / count,
            "jensen_shannon": (inputs @ self.divergence) / count,
            "temperature": torch.where(bb > 0, ab / bb.clamp_min(torch.finfo(bb.dtype).tiny), torch.ones_like(bb)),
        }


def attention_of_scores(scores: Tensor, null: Tensor | None, tokens: Tensor) -> Tensor:
    """Attention maps (batch, n, 1 + n); the null key comes first and has 0 where there is none.

    Args:
        scores: of queries with keys, (V, L, V, L), less their mean.
        null: of queries with the null key, (V, L).
        tokens: (batch, n), padded.
    """
    at, places = tokens.clamp_min(0), torch.arange(tokens.shape[1], device=tokens.device)
    found = scores[at[:, :, None], places[None, :, None], at[:, None, :], places[None, None, :]]  # (B, N, N)
    extra = found.new_full((*tokens.shape, 1), -torch.inf) if null is None else null[at, places[None]][..., None]
    hidden = (tokens == PADDING)[:, None, :]
    return torch.cat([extra, found.masked_fill(hidden, -torch.inf)], -1).softmax(-1)


def compared_inputs(head: Head, generator: torch.Generator) -> Int[Tensor, "batch n"]:
    """Sequences on which heads are compared."""
    size, longest = len(head.layout.vocabulary), head.layout.max_len
    return all_or_some(size, longest, PADDING, most=MOST_INPUTS, generator=generator).to(head.W_Q.device)


def longest_maps(head: Head, seed: int = 0) -> Float[Tensor, "batch n n"]:
    """Attention to tokens on sequences of full length, all of them or a seeded sample; the null key is left out."""
    generator = torch.Generator().manual_seed(seed)
    size, length = len(head.layout.vocabulary), head.layout.max_len
    tokens = longest(size, length, most=MOST_INPUTS, generator=generator).to(head.W_Q.device)
    return head.trace_batch(tokens).attention.detach()[..., int(head.layout.null) :]


def _contributions(one: Side, other: Side, real: Tensor) -> Tensor | None:
    """A key's contribution to a query is its attention times its value, so products of two of them factor."""
    if one.values.shape[-1] != other.values.shape[-1]:
        return None
    weights = real[..., None]
    attention = _products(one.maps * weights, other.maps * weights, [1])  # (B, keys, 3)
    return (attention * _products(one.values, other.values, [2])).sum(1)


def _products(one: Tensor, other: Tensor, dims: list[int]) -> Tensor:
    """Sums over dims of one times the other, and of both squared, side by side in a last dimension of 3."""
    return torch.stack([(one * other).sum(dims), one.square().sum(dims), other.square().sum(dims)], -1)


def _values(head: Head, tokens: Tensor) -> Tensor:
    """What every key passes on, (batch, 1 + n, m); the null key first, zero where there is none."""
    values = head.layout.embed(tokens, torch.float64) @ head.W_V.double()
    return values if head.layout.null else torch.nn.functional.pad(values, (0, 0, 1, 0))
