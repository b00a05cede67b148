"""The loss over all triplets of a batch, and over all semi-hard ones, without a list of them: O(batch² log K).

A batch of 1,800 with 40 images a person has 123 million triplets. For each anchor every positive p sets two
marks on the line of distances: its own, and that plus the margin, where a negative stops to matter. Negatives
are counted and added up between marks; what lies below a mark is then a running sum.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float64, Int64
from torch import Tensor

from shoal.faces.mining_torch import INFINITY, anchors_at_once
from shoal.faces.triplets import Block, Identities


@dataclass(frozen=True, eq=False)
class Marks:
    """Negatives of some anchors, sorted into the places between their marks.

    Attributes:
        bucket: of each row: how many marks are strictly nearer.
        order: the sorted marks' places in [positives' distances, the same plus the margin].
        number: negatives at or below each mark, in the places of `order`.
        total: their distances, summed.
    """

    bucket: Int64[Tensor, "anchors batch"]
    order: Int64[Tensor, "anchors marks"]
    number: Float64[Tensor, "anchors marks"]
    total: Float64[Tensor, "anchors marks"]


def loss_over_all(
    rows: Float[Tensor, "batch dim"],
    far: Float[Tensor, "batch batch"],
    people: Identities,
    margin: float,
    *,
    semi_hard: bool = False,
    gradient: bool = True,
) -> tuple[Float64[Tensor, "7"], Float[Tensor, "batch dim"]]:
    """Mean of [|a − p|² − |a − n|² + margin]₊ over all triplets of a batch.

    Args:
        rows: embeddings.
        far: their squared distances.
        people: who they are.
        margin: > 0.
        semi_hard: only triplets whose negative is farther than the positive and within the margin.
        gradient: whether to compute it; zeros otherwise.

    Returns:
        The numbers of a monitor as `triplet_numbers` has them, and the gradient by the rows.
    """
    sums = rows.new_zeros(7, dtype=torch.float64)
    slope = torch.zeros_like(rows)
    diagonal = rows.new_zeros(len(rows))
    for block in people.blocks(anchors_at_once(len(far))):
        some, distances = block.anchors, far.index_select(0, block.anchors)  # (a, B)
        near = distances.gather(1, block.positives).masked_fill_(~block.there, INFINITY)  # (a, K)
        block.mark_own(distances, 0.0)
        everything = distances.sum(1, keepdim=True, dtype=torch.float64), (len(rows) - people.count[some])[:, None]
        block.mark_own(distances, INFINITY)  # beyond every mark
        ends, marks = _sort_into_marks(distances, near, margin)
        found, counts = _sums(near.double(), block.there, ends, marks, everything, semi_hard)
        sums += found
        if gradient:
            weights = _weights(marks, counts, block, semi_hard).to(rows.dtype)
            diagonal += weights.sum(0)
            diagonal[some] += weights.sum(1)
            slope.addmm_(weights.T, rows[some], alpha=-1)
            slope[some] -= weights @ rows
    total = sums[1].clamp(min=1)
    numbers = torch.cat([sums[:1] / total, sums[1:2], sums[2:] / total])
    return numbers, (diagonal[:, None] * rows + slope) * (2 / total).to(rows.dtype)


def _sort_into_marks(
    distances: Float[Tensor, "anchors batch"], near: Float[Tensor, "anchors positives"], margin: float
) -> tuple[Float[Tensor, "anchors positives"], Marks]:
    """Sort negatives into the places between marks.

    Args:
        distances: of negatives; infinity where a row is none.
        near: of positives; infinity where there is none.
        margin: added to them.

    Returns:
        The distance at which a negative stops to matter to each positive, and the marks.
    """
    ends = near + margin
    below = torch.nextafter(ends, ends.new_tensor(-INFINITY))  # at the end itself the loss is 0: not counted
    edges, order = torch.cat([near, below], 1).sort(1)  # (a, 2K)
    bucket = torch.searchsorted(edges, distances)  # (a, B): a negative at a mark counts as below it
    empty = distances.new_zeros(len(near), edges.shape[1] + 1, dtype=torch.float64)
    one = empty.new_ones(()).expand(distances.shape)
    number = empty.scatter_add(1, bucket, one).cumsum(1)[:, :-1]
    total = empty.scatter_add(1, bucket, distances.double()).cumsum(1)[:, :-1]
    return ends, Marks(bucket, order, _put_back(number, order), _put_back(total, order))


def _put_back(values: Tensor, order: Tensor) -> Tensor:
    """Undo a sort."""
    return torch.empty_like(values).scatter_(1, order, values)


def _sums(
    near: Float64[Tensor, "anchors positives"],
    there: Bool[Tensor, "anchors positives"],
    ends: Float[Tensor, "anchors positives"],
    marks: Marks,
    everything: tuple[Float64[Tensor, "anchors 1"], Int64[Tensor, "anchors 1"]],
    semi_hard: bool,
) -> tuple[Float64[Tensor, "7"], Float64[Tensor, "anchors positives"]]:
    """Sums over the triplets of some anchors, as a monitor orders them, and triplets with a loss by pair."""
    positives = near.shape[1]
    hard, short = marks.number.split(positives, 1)  # negatives up to the positive, and up to the margin's end
    hard_sum, short_sum = marks.total.split(positives, 1)
    distances, negatives = everything
    zero = torch.zeros_like(near)
    if semi_hard:
        number, total = short - hard, short_sum - hard_sum
        counted, counted_sum, hard = number, total, zero
    else:
        number, total = short, short_sum
        counted, counted_sum = negatives + zero, distances + zero
    of_pairs = (
        number * ends.double() - total,  # the loss
        counted,
        counted - number,  # satisfied
        number - hard,  # semi-hard
        hard,
        counted * near,
        counted_sum,
    )
    sums = torch.stack([torch.where(there, values, zero).sum() for values in of_pairs])
    return sums, torch.where(there, number, zero)


def _weights(
    marks: Marks,
    counts: Float64[Tensor, "anchors positives"],
    block: Block,
    semi_hard: bool,
) -> Float64[Tensor, "anchors batch"]:
    """∂(sum of losses)/∂distance: a positive's triplets with a loss; minus the positives that a negative hurts.

    A negative in a bucket hurts the positives whose mark with the margin lies beyond, unless, with semi-hard
    ones only, the positive's own mark lies beyond too.
    """
    there = block.there.double()
    kind = torch.cat([-there if semi_hard else 0 * there, there], 1).gather(1, marks.order)  # (a, 2K)
    beyond = F.pad(kind.flip(1).cumsum(1).flip(1), (0, 1))  # (a, 2K + 1): sums from each bucket on
    weights = -beyond.gather(1, marks.bucket)
    weights.scatter_(1, block.positives, counts)  # with fewer positives this writes to the anchor itself
    return weights.scatter_(1, block.anchors[:, None], 0.0)
