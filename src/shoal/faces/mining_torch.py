"""The negatives of each rule in torch; the semi-hard ones in O(batch² log K) for K images a person.

An anchor's positives, sorted by distance, cut the distances into buckets. Every negative falls into the bucket
that says how many positives are strictly nearer; each bucket keeps its nearest negative. The closest negative
beyond the j-th positive is then the nearest one of the buckets after it. No tensor is larger than some anchors
× batch.

`tests/faces/oracle.py` holds the definition, a pair at a time.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from shoal.engine.seeding import stream
from shoal.faces.triplets import Identities

NUMBERS_AT_ONCE = 1 << 18  # distances in work, so that they stay in the cache
INFINITY = float("inf")
ROW_BITS = 29
LAST = (1 << ROW_BITS) - 1  # the largest number of a row
NOTHING = (1 << 63) - 1  # no distance has this key: its bits would be those of NaN
MOST = 1 << 62  # of a random number that is then taken modulo the negatives: the bias is beyond measuring


def semi_hard_negatives(far: Float[Tensor, "batch batch"], people: Identities) -> Int64[Tensor, " pairs"]:
    """For each pair of `people.pairs()` the closest negative that is strictly farther than the positive.

    Where none is farther, the farthest negative. Ties go to the lowest row.

    Args:
        far: distances, >= 0 and finite.
        people: of the same batch.
    """
    negative = people.order.new_empty(people.number_of_pairs)
    for block in people.blocks(anchors_at_once(len(far))):
        distances = far.index_select(0, block.anchors)  # (a, B)
        near = distances.gather(1, block.positives).masked_fill_(~block.there, INFINITY)  # (a, K)
        block.mark_own(distances, -1.0)  # nearer than all: beyond no positive
        chosen = _beyond(distances, near)
        pair = people.first[block.anchors, None] + torch.arange(near.shape[1], device=far.device)
        negative[pair[block.there]] = chosen[block.there]
    return negative


def _beyond(
    distances: Float[Tensor, "anchors batch"], near: Float[Tensor, "anchors positives"]
) -> Int64[Tensor, "anchors positives"]:
    """The closest row strictly beyond each positive, else the farthest one.

    Args:
        distances: of negatives; -1 where a row is none.
        near: of positives; infinity where there is none, and what is found there means nothing.
    """
    edges, order = near.sort(1)
    bucket = torch.searchsorted(edges, distances)  # (a, B) in 0..K: positives that are strictly nearer
    keys = _keys(distances)
    least = keys.new_full((len(near), near.shape[1] + 1), NOTHING).scatter_reduce_(1, bucket, keys, "amin")
    least = least[:, 1:].flip(1).cummin(1).values.flip(1)  # (a, K): of all buckets from j + 1 on
    chosen, nothing = least & LAST, least == NOTHING
    lacking = (nothing & (edges < INFINITY)).any(1)
    if bool(lacking.any()):
        farthest = distances[lacking].argmax(1, keepdim=True)  # the first of equals
        chosen[lacking] = torch.where(nothing[lacking], farthest, chosen[lacking])
    return torch.empty_like(chosen).scatter_(1, order, chosen)


def _keys(distances: Float[Tensor, "anchors batch"]) -> Int64[Tensor, "anchors batch"]:
    """Whole numbers that are in order of the distances, and of the rows where these are equal; row = key & LAST.

    A float32 as float64 leaves the last 29 bits free, and numbers >= 0 are in the order of their bits.
    """
    row = torch.arange(distances.shape[1], device=distances.device)
    if distances.dtype == torch.float32:
        return distances.double().view(torch.int64).bitwise_or_(row)
    rank = distances.unique(return_inverse=True)[1]
    return (rank << ROW_BITS).bitwise_or_(row)


def hardest_negatives(far: Float[Tensor, "batch batch"], people: Identities) -> Int64[Tensor, " pairs"]:
    """For each pair of `people.pairs()` the anchor's closest negative; ties go to the lowest row."""
    closest = torch.zeros_like(people.order)
    for block in people.blocks(anchors_at_once(len(far))):
        distances = far.index_select(0, block.anchors)
        block.mark_own(distances, INFINITY)
        closest[block.anchors] = distances.argmin(1)  # the first of equals
    return closest.repeat_interleave(people.partners)


def random_negatives(people: Identities, seed: int) -> Int64[Tensor, " pairs"]:
    """For each pair of `people.pairs()` one of all negatives, each as likely as the others.

    Rows sorted by person are negatives before and after those of the anchor's person.
    """
    anchor, _ = people.pairs()
    drawn = torch.randint(MOST, (len(anchor),), generator=stream(seed, "random negatives")).to(anchor.device)
    at = drawn % (len(people.order) - people.count[anchor])  # 0 negatives: no pair
    at += torch.where(at >= people.start[anchor], people.count[anchor], 0)
    return people.order[at]


def anchors_at_once(batch: int) -> int:
    """Anchors whose distances to a batch of this size are worked on together."""
    return max(1, NUMBERS_AT_ONCE // max(1, batch))
