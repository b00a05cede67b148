"""When is a smaller network the better choice? MACs that early exit needs for the accuracy that others have.

A network with exits is a curve: every policy of its path has an accuracy and mean MACs. A smaller network is a point.
At the point's accuracy the curve's MACs are read off between its policies; where it needs fewer, early exit is the
better choice. All of it is measured on the same test images, and drawn again together for intervals.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from shoal.measure import Interval
from shoal.studies.resampling import resampled


@dataclass(frozen=True, eq=False)
class Path:
    """A network with exits under policies from bold to safe.

    Attributes:
        right: [n, policies], whether the answer to each image is right.
        macs: [n, policies], MACs spent on it.
    """

    right: Bool[Tensor, "n policies"]
    macs: Float[Tensor, "n policies"]


@dataclass(frozen=True, eq=False)
class Smaller:
    """A smaller network, trained for as long.

    Attributes:
        name: in words.
        right: [n], whether it is right about each test image.
        macs: of an image.
    """

    name: str
    right: Bool[Tensor, " n"]
    macs: int


def macs_at(
    accuracy: Float[Tensor, "*draws"], right: Float[Tensor, "*draws policies"], macs: Float[Tensor, "*draws policies"]
) -> Float[Tensor, "*draws"]:
    """Fewest mean MACs at which a curve reaches an accuracy, between its policies on a straight line.

    A policy that is no better than a cheaper one is left out. Above the curve's best accuracy the MACs of its dearest
    policy are given; below its worst, those of its cheapest.

    Args:
        accuracy: to reach.
        right: accuracy of every policy.
        macs: mean MACs of every policy.

    Example:
        >>> right, macs = torch.tensor([[0.5, 0.9]]), torch.tensor([[10.0, 50.0]])
        >>> macs_at(torch.tensor([0.7]), right, macs)
        tensor([30.])
    """
    order = macs.argsort(-1)
    cost, best = macs.gather(-1, order), right.gather(-1, order).cummax(-1).values  # both rise
    reached = best >= accuracy[..., None]
    above = torch.where(reached.any(-1), reached.int().argmax(-1), cost.shape[-1] - 1)
    before = best.gather(-1, (above - 1).clamp(min=0)[..., None])  # accuracy of the policy below, [*draws, 1]
    below = (best >= before).int().argmax(-1)  # the cheapest that has it
    a, b = (best.gather(-1, at[..., None])[..., 0] for at in (below, above))
    low, high = (cost.gather(-1, at[..., None])[..., 0] for at in (below, above))
    share = torch.where(b > a, (accuracy - a) / (b - a).clamp(min=1e-12), torch.ones_like(a)).clamp(0, 1)
    return low + share * (high - low)


def share_of_smaller(path: Path, smaller: Smaller) -> Interval:
    """MACs that early exit needs for a smaller network's accuracy, as a share of that network's; below 1 it wins."""

    def share(right: Tensor, macs: Tensor, other: Tensor) -> Tensor:
        needed = macs_at(other.double().mean(1), right.double().mean(1), macs.double().mean(1))
        return needed / smaller.macs

    return resampled((path.right, path.macs, smaller.right), share)


def share_of_all(path: Path, others: tuple[Smaller, ...]) -> Interval:
    """The same over several smaller networks: the geometric mean of the shares."""
    right = torch.stack([other.right for other in others], 1)  # [n, others]

    def share(curve: Tensor, macs: Tensor, answers: Tensor) -> Tensor:
        accuracy, cost = curve.double().mean(1), macs.double().mean(1)
        logs = [
            (macs_at(answers[..., at].double().mean(1), accuracy, cost) / other.macs).log()
            for at, other in enumerate(others)
        ]
        return torch.stack(logs).mean(0).exp()

    return resampled((path.right, path.macs, right), share)


def of_rows(path: Path, others: tuple[Smaller, ...], rows: Tensor) -> tuple[Path, tuple[Smaller, ...]]:
    """The same on some of the test images."""
    some = tuple(Smaller(other.name, other.right[rows], other.macs) for other in others)
    return Path(path.right[rows], path.macs[rows]), some


def alike_and_apart(difficulty: Float[Tensor, " n"]) -> tuple[Tensor, Tensor]:
    """Two halves of the images: the middle half by difficulty, and the easiest with the hardest quarter.

    Example:
        >>> [half.tolist() for half in alike_and_apart(torch.tensor([0.1, 0.9, 0.4, 0.5]))]
        [[2, 3], [0, 1]]
    """
    order = difficulty.argsort(stable=True)
    quarter = len(order) // 4
    middle = order[quarter : len(order) - quarter]
    return middle.sort().values, torch.cat([order[:quarter], order[len(order) - quarter :]]).sort().values
