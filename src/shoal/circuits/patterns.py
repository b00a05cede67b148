"""What attention maps look like: entropy, stripes and bands, the previous and the first token.

These work on attention of any model: [maps, n, keys], every row summing to 1 over the keys that it may see.
`recorded_attention` makes it of recorded queries and keys.
"""

import math
from dataclasses import dataclass
from typing import Generic

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from shoal.circuits.measures import Kind, Measure, check_draws, draw_again, measure
from shoal.errors import wrong


@dataclass(frozen=True)
class Pattern(Generic[Kind]):
    """What the maps of a head look like; all are between 0 and 1.

    Attributes:
        entropy: of a row, over the logarithm of the keys it may see; 0 where one key has it all.
        stripe: share of the variation of the maps that the key's place explains: vertical stripes.
        band: share that the distance of key and query explains: diagonal bands.
        previous: attention to the key before the query.
        first: attention to the first key.
        itself: attention to the query's own place.
    """

    entropy: Kind
    stripe: Kind
    band: Kind
    previous: Kind
    first: Kind
    itself: Kind


def recorded_attention(
    q: Float[Tensor, "batch heads n dim"],
    k: Float[Tensor, "batch heads n dim"],
    *,
    is_causal: bool = False,
    key_mask: Bool[Tensor, "batch n"] | None = None,
    scale: float | None = None,
) -> Float[Tensor, "heads batch n n"]:
    """Attention maps of recorded queries and keys of any model, head by head.

    Args:
        q: queries as the model's attention gets them, for example kept by a hook.
        k: keys.
        is_causal: whether a query sees only keys up to its own place.
        key_mask: True takes part.
        scale: of the logits; 1/√dim unless given.

    Raises:
        InputError: if shapes differ or an entry is not finite.
    """
    if q.ndim != 4 or q.shape != k.shape or not q.numel():
        raise wrong("q and k", expected="one shape [batch, heads, n, dim]", got=f"{list(q.shape)} and {list(k.shape)}")
    if not bool(torch.isfinite(q).all() and torch.isfinite(k).all()):
        raise wrong("q and k", expected="finite numbers", got="NaN or infinity")
    logits = q.double() @ k.double().mT * (q.shape[-1] ** -0.5 if scale is None else scale)
    n = q.shape[2]
    hidden = torch.zeros(len(q), 1, n, n, dtype=torch.bool, device=q.device)
    if is_causal:
        hidden |= torch.ones(n, n, dtype=torch.bool, device=q.device).triu(1)
    if key_mask is not None:
        hidden |= ~key_mask[:, None, None, :]
    return logits.masked_fill(hidden, -torch.inf).softmax(-1).nan_to_num(0.0).transpose(0, 1)


def describe_pattern(attention: Float[Tensor, "maps n n"], *, is_causal: bool = False) -> Pattern[float]:
    """Measure a head's maps.

    Args:
        attention: square maps of one head, one for every input; without padding.
        is_causal: whether a query sees only keys up to its own place.

    Example:
        >>> before = torch.eye(4).roll(1, 0)  # every query looks at the key before it, the first at the last
        >>> found = describe_pattern(before[None])
        >>> found.previous, found.entropy
        (1.0, 0.0)
    """
    maps = _checked(attention)
    summed = _Summed.of(maps, seen_keys(len(maps[0]), is_causal))
    return Pattern(**{name: float(found) for name, found in summed.measures().items()})


def measure_pattern(
    attention: Float[Tensor, "maps n n"], *, is_causal: bool = False, draws: int = 200, seed: int = 0
) -> Pattern[Measure]:
    """The same with intervals, inputs drawn again, and with what chance gives.

    Chance: every query's keys in another order, the same on all inputs: a head as sharp and as steady that looks
    anywhere. For entropy: attention drawn evenly from all that there is over the keys that a query may see (a flat
    Dirichlet distribution). A single map says nothing of others: its intervals are everything.

    Args:
        attention: square maps of one head, one for every input; without padding.
        is_causal: whether a query sees only keys up to its own place.
        draws: of intervals and of chance.
        seed: of both.

    Example:
        >>> before = torch.eye(6).roll(1, 0)
        >>> found = measure_pattern(before.expand(20, 6, 6))
        >>> found.previous.beyond_chance, found.stripe.beyond_chance
        (True, True)
        >>> round(found.band.value, 6), found.stripe.value < found.stripe.chance
        (1.0, True)
    """
    check_draws(draws)
    maps, generator = _checked(attention).cpu(), torch.Generator().manual_seed(seed)
    seen = seen_keys(len(maps[0]), is_causal)
    summed = _Summed.of(maps, seen)
    found = summed.measures()
    drawn = _Summed.of(maps, seen, draw_again(len(maps), draws, generator)).measures()
    again = drawn if len(maps) > 1 else dict.fromkeys(found, (0.0, 1.0))
    moved = summed.mean.expand(draws, -1, -1).gather(-1, key_orders(seen, draws, generator))
    chance = _Summed(summed.entropy.expand(draws), summed.square.expand(draws), moved).measures()
    chance["entropy"] = _even_entropy(seen, draws, generator)
    return Pattern(**{name: measure(found[name], again[name], chance[name]) for name in found})


@dataclass(frozen=True)
class _Summed:
    """All that the measures need of maps: means over one sample of them, or over many."""

    entropy: Float[Tensor, "*samples"]
    square: Float[Tensor, "*samples"]  # of all entries
    mean: Float[Tensor, "*samples n n"]

    @classmethod
    def of(
        cls,
        maps: Float[Tensor, "maps n n"],
        seen: Bool[Tensor, "n n"],
        counts: Float[Tensor, "samples maps"] | None = None,
    ) -> "_Summed":
        weights = maps.new_full((len(maps),), 1 / len(maps)) if counts is None else counts / len(maps)
        mean = (weights @ maps.flatten(1)).unflatten(-1, maps.shape[1:])
        return cls(weights @ _entropy(maps, seen).mean(1), weights @ maps.square().mean((1, 2)), mean)

    def measures(self) -> dict[str, Tensor]:
        """By the names of `Pattern`, one for every sample."""
        n = self.mean.shape[-1]
        place = torch.arange(n, device=self.mean.device)
        before = self.mean.diagonal(-1, -2, -1)
        return {
            "entropy": self.entropy,
            "stripe": self._explained(place.expand(n, n)),
            "band": self._explained(place[None, :] - place[:, None] + n - 1),
            "previous": before.mean(-1) if n > 1 else torch.zeros_like(self.entropy),
            "first": self.mean[..., 0].mean(-1),
            "itself": self.mean.diagonal(0, -2, -1).mean(-1),
        }

    def _explained(self, kind: Tensor) -> Tensor:
        """Share of the variance of all entries that is between kinds of entries (n, n)."""
        flat, kind = self.mean.flatten(-2), kind.flatten()  # (…, N N)
        sizes = torch.bincount(kind).clamp_min(1)
        sums = flat.new_zeros(*flat.shape[:-1], len(sizes)).index_add_(-1, kind, flat)
        middle = flat.mean(-1, keepdim=True)
        total = self.square - middle.squeeze(-1).square()
        between = ((sums / sizes)[..., kind] - middle).square().mean(-1)
        rounding = 1e-12 * self.square
        return torch.where(total > rounding, between / total.where(total > rounding, 1.0), 0.0)


def key_orders(seen: Bool[Tensor, "n n"], draws: int, generator: torch.Generator) -> Int[Tensor, "draws n n"]:
    """Random orders of every query's keys, for `gather`; keys that it does not see stay where they are."""
    n = len(seen)
    behind = 1 + torch.arange(n)  # unseen keys come after all others
    anyhow = torch.rand(draws, n, n, generator=generator).where(seen, behind).argsort(-1)
    in_order = (torch.arange(n) / n).where(seen, behind).argsort(-1).expand(draws, n, n)
    return torch.empty_like(anyhow).scatter_(-1, in_order, anyhow)


def _checked(attention: Tensor) -> Tensor:
    if attention.ndim != 3 or attention.shape[1] != attention.shape[2] or not attention.numel():
        raise wrong("attention", expected="maps [maps, n, n]", got=list(attention.shape))
    return attention.double()


def seen_keys(n: int, is_causal: bool) -> Bool[Tensor, "n n"]:
    """Which keys every query may see."""
    seen = torch.ones(n, n, dtype=torch.bool)
    return seen.tril() if is_causal else seen


def _entropy(maps: Float[Tensor, "*maps n n"], seen: Bool[Tensor, "n n"]) -> Float[Tensor, "*maps n"]:
    """Of every row, over the logarithm of the keys that it may see."""
    keys = seen.sum(-1).clamp_min(2).to(maps)
    return -torch.special.xlogy(maps, maps).sum(-1) / keys.log()


def _even_entropy(seen: Bool[Tensor, "n n"], draws: int, generator: torch.Generator) -> Float[Tensor, " draws"]:
    """Of rows drawn evenly from all attention over the keys that are seen: exponential numbers over their sum."""
    drawn = torch.empty(draws, *seen.shape, dtype=torch.float64).exponential_(generator=generator) * seen
    return _entropy(drawn / drawn.sum(-1, keepdim=True), seen).mean(-1)


def total_variation(one: Float[Tensor, "*rows keys"], other: Float[Tensor, "*rows keys"]) -> Float[Tensor, "*rows"]:
    """Half of the sum of differences: the attention that would have to move, 0 to 1."""
    return 0.5 * (one - other).abs().sum(-1)


def jensen_shannon(one: Float[Tensor, "*rows keys"], other: Float[Tensor, "*rows keys"]) -> Float[Tensor, "*rows"]:
    """Jensen–Shannon divergence in bits, 0 to 1.

    Source: Lin 1991, "Divergence measures based on the Shannon entropy".
    """
    middle = (one + other) / 2
    parts = [torch.special.xlogy(x, x) - torch.special.xlogy(x, middle) for x in (one, other)]
    return (0.5 * (parts[0] + parts[1]).sum(-1) / math.log(2)).clamp_min(0.0)
