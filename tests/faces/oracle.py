"""Mining and the triplet loss by definition: loops over pairs, sums over gathered rows.

Also the batches that they are tested with: ties, duplicates, people with one image, batches of one person.
"""

import random
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Triplet = tuple[int, int, int]


def pairs(labels: list[int]) -> list[tuple[int, int]]:
    """Every ordered (anchor, positive) that has a negative."""
    if len(set(labels)) < 2:
        return []
    batch = range(len(labels))
    return [(a, p) for a in batch for p in batch if a != p and labels[a] == labels[p]]


def others(labels: list[int], anchor: int) -> list[int]:
    """The negatives of an anchor, ascending."""
    return [row for row, label in enumerate(labels) if label != labels[anchor]]


def semi_hard(far: list[list[float]], labels: list[int]) -> list[Triplet]:
    """The closest negative beyond the positive, else the farthest; `min` and `max` take the first of equals."""
    found = []
    for a, p in pairs(labels):
        rows = others(labels, a)
        beyond = [row for row in rows if far[a][row] > far[a][p]]
        chosen = min(beyond, key=lambda row: far[a][row]) if beyond else max(rows, key=lambda row: far[a][row])
        found.append((a, p, chosen))
    return found


def hardest(far: list[list[float]], labels: list[int]) -> list[Triplet]:
    """The closest negative of the anchor."""
    return [(a, p, min(others(labels, a), key=lambda row: far[a][row])) for a, p in pairs(labels)]


def every(labels: list[int]) -> list[Triplet]:
    """All of them."""
    return [(a, p, n) for a, p in pairs(labels) for n in others(labels, a)]


def all_semi_hard(far: list[list[float]], labels: list[int], margin: float) -> list[Triplet]:
    """Those whose negative is beyond the positive and within the margin."""
    return [(a, p, n) for a, p, n in every(labels) if far[a][p] < far[a][n] < far[a][p] + margin]


def loss_by_gathers(embeddings: Tensor, triplets: list[Triplet], margin: float) -> Tensor:
    """Equation 2, with a mean: a row of numbers for each triplet, and autograd."""
    if not triplets:
        return 0 * embeddings.sum()
    a, p, n = (embeddings[list(rows)] for rows in zip(*triplets, strict=True))
    return ((a - p).square().sum(1) - (a - n).square().sum(1) + margin).clamp(min=0).mean()


def draw_labels(chance: random.Random) -> list[int]:
    """Of 1 to 20 rows: a few people, mostly people with one image, one person, or nobody twice."""
    batch = chance.randint(1, 20)
    kind = chance.randrange(6)
    if kind == 0:
        return [7] * batch
    if kind == 1:
        return chance.sample(range(-50, 50), batch)
    if kind == 2:  # most have one image
        labels = [chance.randrange(3) if chance.random() < 0.4 else 10 + row for row in range(batch)]
    else:
        labels = [chance.randrange(1 + batch // 3) for _ in range(batch)]
    chance.shuffle(labels)
    return labels


def draw_embeddings(chance: random.Random, batch: int) -> Tensor:
    """Rows of length 1 in a few dimensions; in some batches many are the same, or nearly."""
    generator = torch.Generator().manual_seed(chance.randrange(2**32))
    rows = torch.randn(batch, chance.choice([1, 2, 3, 8]), generator=generator)
    kind = chance.randrange(3)
    if kind == 1:
        rows = rows[torch.randint(1 + batch // 3, (batch,), generator=generator)]
    if kind == 2:
        rows = rows.mul(2).round().add(0.25)
    return F.normalize(rows)


def draw_distances(chance: random.Random, batch: int) -> Tensor:
    """Numbers in [0, 4], not symmetric, in some dtype; in most batches with many ties."""
    generator = torch.Generator().manual_seed(chance.randrange(2**32))
    far = 4 * torch.rand(batch, batch, generator=generator)
    coarse = chance.choice([0, 0, 1, 2, 8])
    if coarse:
        far = (far * coarse).round() / coarse
    return far.to(chance.choice([torch.float32, torch.float32, torch.float64, torch.float16, torch.bfloat16]))


def as_list(triplets: object) -> list[Triplet]:
    """Mined triplets as the oracle has them."""
    columns = (getattr(triplets, name).tolist() for name in ("anchor", "positive", "negative"))
    return list(zip(*columns, strict=True))


RULES: dict[str, Callable[[list[list[float]], list[int]], list[Triplet]]] = {
    "semi-hard": semi_hard,
    "hardest": hardest,
    "all": lambda _, labels: every(labels),
}
