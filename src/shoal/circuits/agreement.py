"""How much two heads agree, whatever basis, gauge or sharpness they are written in.

    found = compare(hand, learned)
    found.score                        # 1: the same head; 0: no more than chance; below: opposites
    found.qk, found.contributions, found.attention, found.ov

Two parts make the score, which is their product (the smaller, where one is below 0): the cosine of the QK circuits
after the gauge is fixed, which does not see sharpness; and the cosine of what every key contributes to every output on
all inputs, attention times value, which does not see how a head gets rid of attention (to a null key, or to keys whose
value is zero). Beside them stand the attention maps as they are, 1 − 2 · total variation, and the OV circuits where
they are used.

Every part comes with a 95 % interval (queries and inputs are drawn again) and with what chance gives: the same head
with its query tokens, query places, key tokens and key places renamed at random.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from shoal.circuits.head import Head
from shoal.circuits.layout import PADDING
from shoal.circuits.patterns import jensen_shannon, total_variation
from shoal.circuits.sequences import all_or_some
from shoal.circuits.tables import Shares, check_alike, null_scores, ov_table, raw_scores, variance_shares
from shoal.errors import wrong

MOST_INPUTS = 512  # drawn where there are more


@dataclass(frozen=True)
class Measure:
    """A number, and how sure it is.

    Attributes:
        value: the measure.
        low, high: ends of its 95 % interval.
        chance: mean of what renamed heads give.
        chance_high: what 95 % of them do not exceed.
    """

    value: float
    low: float
    high: float
    chance: float
    chance_high: float

    @property
    def beyond_chance(self) -> bool:
        """Whether fewer than one in twenty renamed heads agrees as well."""
        return self.value > self.chance_high

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}], chance {self.chance:.3f}"


@dataclass(frozen=True)
class Agreement:
    """What `compare` found about two heads.

    Attributes:
        overall: the score with its interval and chance.
        qk: cosine of the QK circuits with the gauge fixed, −1 to 1.
        contributions: cosine of attention times value, key by key, −1 to 1; 0 for outputs of different sizes.
        attention: 1 − 2 · mean total variation of the attention maps, −1 to 1.
        jensen_shannon: mean divergence of the maps in bits, 0 to 1.
        ov: cosine of the OV circuits, keys weighed by the attention that they get; 0 for outputs of different sizes.
        raw_queries: cosine of the weights W_Q as they are, to show how little it says; None for different shapes.
        temperature: by how much the scores of the second head are to be multiplied to be those of the first: above 1 it
            is softer.
        copies: how alike each OV circuit is to a copy of the key's token, −1 to 1; 0 where it has other outputs.
        shares: where the variance of the scores of each head comes from.
    """

    overall: Measure
    qk: Measure
    contributions: Measure
    attention: Measure
    jensen_shannon: float
    ov: float
    raw_queries: float | None
    temperature: float
    copies: tuple[float, float]
    shares: tuple[Shares, Shares]

    @property
    def score(self) -> float:
        """In one number, −1 to 1: 1 for the same head."""
        return self.overall.value

    def __str__(self) -> str:
        return f"{self.score:.3f} (QK {self.qk}; contributions {self.contributions}; attention {self.attention})"


@torch.no_grad()
def compare(one: Head, other: Head, *, draws: int = 200, seed: int = 0) -> Agreement:
    """Compare two heads of one vocabulary and longest sequence, hand-made or learned.

    Args:
        one: a head.
        other: the head that it is compared with.
        draws: of intervals and of chance.
        seed: of both.

    Raises:
        InputError: if the heads see different inputs, or a weight is no number.

    Example:
        >>> from shoal.circuits import compile_rule, first, last
        >>> heads = [compile_rule(rule, "ABC", max_len=4) for rule in (first(), last())]
        >>> round(compare(heads[0], heads[0]).score, 6), compare(*heads).score < 0
        (1.0, True)
    """
    if not isinstance(draws, int) or draws < 2:
        raise wrong("draws", expected="a whole number >= 2", got=draws)
    check_alike(one, other)
    for head in (one, other):
        head.check_weights()
    generator = torch.Generator().manual_seed(seed)
    tokens = compared_inputs(one, generator)
    sides = _Side.of(one, tokens), _Side.of(other, tokens)
    real = tokens != PADDING
    found = _parts(*sides)
    renamed = [_parts(sides[0].renamed(one, tokens, generator), sides[1]) for _ in range(draws)]
    again = [_parts(*_drawn_again(sides, generator)) for _ in range(draws)]
    measures = {
        name: _measure(getattr(found, name), [getattr(x, name) for x in again], [getattr(x, name) for x in renamed])
        for name in ("overall", "qk", "contributions", "attention")
    }
    ab, bb = float((sides[0].scores * sides[1].scores).sum()), float(sides[1].scores.square().sum())
    return Agreement(
        **measures,
        jensen_shannon=float(jensen_shannon(sides[0].maps, sides[1].maps)[real].mean()),
        ov=_used_values(one, other, sides, tokens),
        raw_queries=_cosine(one.W_Q, other.W_Q) if one.W_Q.shape == other.W_Q.shape else None,
        temperature=ab / bb if bb else 1.0,
        copies=(copy_score(one), copy_score(other)),
        shares=(variance_shares(one), variance_shares(other)),
    )


@torch.no_grad()
def copy_score(head: Head) -> float:
    """Cosine of the OV circuit with a copy of the key's token; 0 where outputs are no tokens."""
    tokens = len(head.layout.vocabulary)
    if head.W_V.shape[1] != tokens:
        return 0.0
    copied = torch.eye(tokens).double()[:, None].expand(-1, head.layout.max_len, -1)
    return _cosine(ov_table(head), copied.to(head.W_V.device))


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


@dataclass(frozen=True)
class _Side:
    """One head as tables, maps and contributions."""

    scores: Tensor  # centred, (queries, keys)
    maps: Tensor  # (batch, n, 1 + n)
    values: Tensor  # (batch, 1 + n, m)
    real: Tensor  # (batch, n): no padding

    @classmethod
    def of(cls, head: Head, tokens: Tensor) -> "_Side":
        table = _centred(raw_scores(head))
        maps = attention_of_scores(table, null_scores(head), tokens)
        return cls(table.flatten(2).flatten(0, 1), maps, _values(head, tokens), tokens != PADDING)

    def renamed(self, head: Head, tokens: Tensor, generator: torch.Generator) -> "_Side":
        """The head with its tokens and places renamed, those of queries apart from those of keys."""
        sizes = len(head.layout.vocabulary), head.layout.max_len
        names = [torch.randperm(size, generator=generator) for size in (*sizes, *sizes)]
        table = _centred(raw_scores(head))[names[0]][:, names[1]][:, :, names[2]][:, :, :, names[3]]
        null = null_scores(head)
        null = None if null is None else null[names[0]][:, names[1]]
        return _Side(table.flatten(2).flatten(0, 1), attention_of_scores(table, null, tokens), self.values, self.real)

    @property
    def contributions(self) -> Tensor:
        """Attention times value, (batch, n, 1 + n, m); 0 for queries that are padding."""
        return (self.maps * self.real[..., None])[..., None] * self.values[:, None]


@dataclass(frozen=True)
class _Parts:
    qk: float
    contributions: float
    attention: float

    @property
    def overall(self) -> float:
        parts = self.qk, self.contributions
        return parts[0] * parts[1] if min(parts) > 0 else min(parts)


def _parts(one: _Side, other: _Side) -> _Parts:
    apart = total_variation(one.maps, other.maps)[one.real].mean()
    alike = one.values.shape[2] == other.values.shape[2]
    contributions = _cosine(one.contributions, other.contributions) if alike else 0.0
    return _Parts(_cosine(one.scores, other.scores), contributions, 1 - 2 * float(apart))


def _drawn_again(sides: tuple[_Side, _Side], generator: torch.Generator) -> tuple[_Side, _Side]:
    """Queries and inputs with replacement, the same for both."""
    queries, rows = (torch.randint(len(x), (len(x),), generator=generator) for x in (sides[0].scores, sides[0].maps))
    one, other = (_Side(side.scores[queries], side.maps[rows], side.values[rows], side.real[rows]) for side in sides)
    return one, other


def _used_values(one: Head, other: Head, sides: tuple[_Side, _Side], tokens: Tensor) -> float:
    """Cosine of the OV circuits, weighed by how much attention every token at every place gets."""
    if one.W_V.shape[1] != other.W_V.shape[1]:
        return 0.0
    places = torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens)
    weights = torch.zeros(len(one.layout.vocabulary), one.layout.max_len, dtype=torch.float64, device=tokens.device)
    got = sides[0].maps[..., 1:].sum(1) + sides[1].maps[..., 1:].sum(1)  # (batch, n)
    real = tokens != PADDING
    weights.index_put_((tokens[real], places[real]), got[real], accumulate=True)
    root = weights.sqrt()[..., None]
    return _cosine(root * ov_table(one), root * ov_table(other))


def _values(head: Head, tokens: Tensor) -> Tensor:
    """What every key passes on, (batch, 1 + n, m); the null key first, zero where there is none."""
    inputs = head.layout.embed(tokens, torch.float64)
    values = inputs @ head.W_V.double()
    return values if head.layout.null else torch.nn.functional.pad(values, (0, 0, 1, 0))


def compared_inputs(head: Head, generator: torch.Generator) -> Tensor:
    """Sequences on which heads are compared."""
    size, longest = len(head.layout.vocabulary), head.layout.max_len
    return all_or_some(size, longest, PADDING, most=MOST_INPUTS, generator=generator).to(head.W_Q.device)


def _centred(scores: Tensor) -> Tensor:
    return scores - scores.mean((2, 3), keepdim=True)


def _cosine(one: Tensor, other: Tensor) -> float:
    """Of all entries; 1 for two tables of zeros, 0 where only one is."""
    sizes = float(one.double().norm()), float(other.double().norm())
    if min(sizes) < 1e-12:
        return float(max(sizes) < 1e-12)
    return float((one.double() * other.double()).sum()) / (sizes[0] * sizes[1])


def _measure(value: float, again: list[float], renamed: list[float]) -> Measure:
    drawn, chance = (torch.tensor(rows, dtype=torch.float64) for rows in (again, renamed))
    low, high = drawn.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return Measure(value, min(low, value), max(high, value), float(chance.mean()), float(chance.quantile(0.95)))
