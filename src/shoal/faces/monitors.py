"""What the last batch looked like to the loss, and an alarm for training that collapses.

    loss = TripletLoss()
    watch = CollapseWatch()
    ...
    loss(embeddings, labels).backward()
    watch.see(loss.monitor)                 # raises once all faces have become one point

The numbers come with the loss; they are read from the device only when asked for.
"""

from collections import deque
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from shoal.errors import ShoalError, wrong
from shoal.faces.triplets import Identities

GROWING = 1.1  # of distances over half of the watched batches: training is on its way out


@dataclass(frozen=True)
class Monitor:
    """A batch in numbers; distances are squared Euclidean ones, in [0, 4] between rows of length 1.

    Attributes:
        loss: mean over the triplets.
        triplets: how many were mined.
        satisfied: share of them that satisfy the margin and teach nothing, in [0, 1].
        semi_hard: share with the negative farther than the positive, but within the margin.
        hard: share with the negative as near as the positive, or nearer. The three shares add up to 1.
        mean_positive: mean distance from anchor to positive, over the triplets.
        mean_negative: mean distance from anchor to negative, over the triplets.
        mean_same: mean distance of two different rows of one person, over all such pairs of the batch.
        mean_different: mean distance of two rows of different persons, over all such pairs.
        mean_norm: mean length of the rows.
        margin: of the loss.

    Where there is nothing to take a mean of, it is 0.
    """

    loss: float
    triplets: int
    satisfied: float
    semi_hard: float
    hard: float
    mean_positive: float
    mean_negative: float
    mean_same: float
    mean_different: float
    mean_norm: float
    margin: float

    @classmethod
    def of(cls, numbers: Float64[Tensor, "numbers"], margin: float) -> "Monitor":
        """Read the numbers in the order of the fields; margin comes last."""
        names = [field.name for field in fields(cls)]
        values = dict(zip(names, [*numbers.tolist(), margin], strict=True))
        return cls(**{**values, "triplets": round(values["triplets"])})


def triplet_numbers(
    near: Float[Tensor, " triplets"], away: Float[Tensor, " triplets"], margin: float
) -> Float64[Tensor, "7"]:
    """The first seven fields of a monitor, from the distances of each triplet: to the positive, to the negative."""
    loss = (near + margin - away).clamp(min=0)
    satisfied, hard = away >= near + margin, away <= near
    of_each = (loss, satisfied, ~satisfied & ~hard, hard & ~satisfied, near, away)
    means = [values.double().sum() / max(len(near), 1) for values in of_each]
    count = torch.tensor(float(len(near)), dtype=torch.float64, device=near.device)
    return torch.stack([means[0], count, *means[1:]])


def spread_numbers(rows: Float[Tensor, "batch dim"], people: Identities) -> Float64[Tensor, "3"]:
    """The next three: means over all pairs of one person and of two, and the mean length, in O(batch · dim).

    Σ |x − y|² over all ordered pairs of n rows is 2 n Σ |x|² − 2 |Σ x|²: once for the batch, once for each
    person.
    """
    rows = rows.double()
    squares = rows.square().sum(1)
    count = people.count.double()
    sums = rows.new_zeros(people.people, rows.shape[1]).index_add_(0, people.who, rows)
    same = 2 * (count * squares).sum() - 2 * sums.square().sum()
    every = 2 * len(rows) * squares.sum() - 2 * rows.sum(0).square().sum()
    pairs_same = (count - 1).sum()
    pairs_different = (len(rows) - count).sum()
    means = (same / pairs_same.clamp(min=1), (every - same) / pairs_different.clamp(min=1))
    return torch.stack([*(mean.clamp(min=0) for mean in means), squares.sqrt().sum() / max(len(rows), 1)])


class CollapseWatch:
    """Stops training that has made one point of all faces.

    A batch counts when different persons are closer than a small share of the margin and the loss is the
    margin, or more. Training that starts there and gets out is let go; after `patience` such batches in a row
    without growing distances, `see` raises.

    Args:
        patience: batches.
        apart: share of the margin, in (0, 1), below which the mean distance of different persons is nothing.

    Source: the collapse to f(x) = 0 under hardest negatives: Schroff et al. 2015, "FaceNet", section 3.2.

    Example:
        >>> monitor = Monitor(0.2, 90, 0.0, 0.5, 0.5, 1e-6, 1e-6, 1e-6, 1e-6, 1.0, 0.2)
        >>> watch = CollapseWatch(patience=2)
        >>> watch.see(monitor)
        >>> watch.see(monitor)
        Traceback (most recent call last):
        shoal.errors.ShoalError: training has collapsed: ...
    """

    def __init__(self, *, patience: int = 50, apart: float = 0.02):
        if not isinstance(patience, int) or patience < 2:
            raise wrong("patience", expected="a whole number of batches >= 2", got=patience)
        if not 0 < apart < 1:
            raise wrong("apart", expected="a share of the margin in (0, 1)", got=apart)
        self.patience, self.apart = patience, apart
        self._seen: deque[float] = deque(maxlen=patience)

    def see(self, monitor: Monitor | None) -> None:
        """Look at one more batch.

        Args:
            monitor: of the loss; None and batches without triplets are passed over.

        Raises:
            ShoalError: if training has collapsed; it says what to do.
        """
        if monitor is None or not monitor.triplets:
            return
        if monitor.mean_different >= self.apart * monitor.margin or monitor.loss < 0.9 * monitor.margin:
            self._seen.clear()
            return
        self._seen.append(monitor.mean_different)
        if len(self._seen) == self.patience and not self._grows():
            raise ShoalError(
                f"training has collapsed: over the last {self.patience} batches all faces are nearly one point "
                f"(different persons {monitor.mean_different:.1e} apart, squared; the loss of {monitor.loss:.3f} is "
                f"the margin of {monitor.margin:g}); start again with mining='semi-hard', a lower learning rate, or "
                "more persons a batch (the hardest negatives do this early in training)"
            )

    def _grows(self) -> bool:
        """Whether distances of the later half are clearly larger than those of the earlier half."""
        seen, half = list(self._seen), self.patience // 2
        return sum(seen[-half:]) > GROWING * sum(seen[:half])
