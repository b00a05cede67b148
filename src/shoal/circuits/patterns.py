"""What attention maps look like: entropy, stripes and bands, the previous and the first token.

These work on attention of any model: [maps, n, keys], every row summing to 1 over the keys that it may see.
`recorded_attention` makes it of recorded queries and keys.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from shoal.errors import wrong


@dataclass(frozen=True)
class Pattern:
    """What the maps of a head look like; all are between 0 and 1.

    Attributes:
        entropy: of a row, over the logarithm of the keys it may see; 0 where one key has it all.
        stripe: share of the variation of the maps that the key's place explains: vertical stripes.
        band: share that the distance of key and query explains: diagonal bands.
        previous: attention to the key before the query.
        first: attention to the first key.
        itself: attention to the query's own place.
    """

    entropy: float
    stripe: float
    band: float
    previous: float
    first: float
    itself: float


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


def describe_pattern(attention: Float[Tensor, "maps n n"]) -> Pattern:
    """Measure a head's maps.

    Args:
        attention: square maps of one head, one for every input.

    Example:
        >>> before = torch.eye(4).roll(1, 0)  # every query looks at the key before it, the first at the last
        >>> found = describe_pattern(before[None])
        >>> found.previous, found.entropy
        (1.0, 0.0)
    """
    if attention.ndim != 3 or attention.shape[1] != attention.shape[2] or not attention.numel():
        raise wrong("attention", expected="maps [maps, n, n]", got=list(attention.shape))
    a, n = attention.double(), attention.shape[1]
    keys = (a > 0).sum(-1).clamp_min(2)
    entropy = -torch.special.xlogy(a, a).sum(-1) / keys.to(a.dtype).log()
    off = a.diagonal(-1, 1, 2) if n > 1 else a.new_zeros(1, 1)
    return Pattern(
        entropy=float(entropy.mean()),
        stripe=_explained(a, torch.arange(n).expand(n, n)),
        band=_explained(a, torch.arange(n)[None, :] - torch.arange(n)[:, None] + n - 1),
        previous=float(off.mean()),
        first=float(a[:, :, 0].mean()),
        itself=float(a.diagonal(0, 1, 2).mean()),
    )


def _explained(maps: Tensor, kind: Tensor) -> float:
    """Share of the variance of all entries that is between kinds of entries (n, n)."""
    flat, kind = maps.flatten(1), kind.flatten().to(maps.device)
    sizes = torch.bincount(kind).clamp_min(1)
    means = torch.zeros(len(sizes), dtype=maps.dtype, device=maps.device).index_add_(0, kind, flat.mean(0)) / sizes
    total = (flat - flat.mean()).square().mean()
    between = (means[kind] - flat.mean()).square().mean()
    rounding = 1e-12 * float(flat.square().mean())
    return float(between / total) if float(total) > rounding else 0.0


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


def redundancy(attention: Float[Tensor, "heads batch n n"]) -> Float[Tensor, "heads heads"]:
    """How alike the maps of every two heads are: 1 less the mean total variation."""
    heads = len(attention)
    found = torch.ones(heads, heads, dtype=torch.float64)
    for i in range(heads):
        for j in range(i):
            found[i, j] = found[j, i] = 1 - float(total_variation(attention[i], attention[j]).mean())
    return found
