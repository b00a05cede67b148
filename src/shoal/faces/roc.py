"""Every threshold at once: which share of matched and of mismatched pairs each of them accepts.

    curve = roc(distances, same)
    curve.fpr, curve.tpr, curve.thresholds, curve.auc

A pair is accepted as one person where its distance is at most the threshold (the paper's ≤). Thresholds lie
half-way between two distances that occur, so that a rounding of either does not turn a decision.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from shoal.faces.pair_distances import check_pairs


@dataclass(frozen=True, eq=False)
class Roc:
    """The receiver operating characteristic, a point for every set of pairs that a threshold can accept.

    Attributes:
        fpr: float64 [points], share of mismatched pairs that are accepted, from 0 to 1.
        tpr: float64 [points], share of matched pairs that are accepted, from 0 to 1.
        thresholds: float64 [points], rising; the first accepts nothing, the last everything.
    """

    fpr: Float64[Tensor, "points"]
    tpr: Float64[Tensor, "points"]
    thresholds: Float64[Tensor, "points"]

    @property
    def auc(self) -> float:
        """Area under the curve: chance that a matched pair is nearer than a mismatched one; ties count half."""
        return float(torch.trapezoid(self.tpr, self.fpr))


def roc(distances: Float[Tensor, "a_pairs"], same: Bool[Tensor, "b_pairs"]) -> Roc:
    """Measure all thresholds.

    Args:
        distances: of each pair, at least 0.
        same: which pairs are matched.

    Raises:
        InputError: if lengths differ, a distance is not finite or negative, or one kind of pair is missing.

    Example:
        >>> curve = roc(torch.tensor([0.1, 0.4, 0.3, 0.9]), torch.tensor([True, True, False, False]))
        >>> curve.tpr.tolist(), curve.fpr.tolist(), curve.auc
        ([0.0, 0.5, 0.5, 1.0, 1.0], [0.0, 0.0, 0.5, 0.5, 1.0], 0.75)
    """
    distances, same = check_pairs(distances, same)
    order = distances.argsort()
    sorted_distances, matched = distances[order], same[order]
    # a threshold can part two neighbours only if they differ
    ends = torch.cat((sorted_distances[1:] > sorted_distances[:-1], torch.tensor([True]))).nonzero().flatten()
    start = torch.zeros(1, dtype=torch.float64)
    tpr = torch.cat((start, matched.double().cumsum(0)[ends] / matched.sum()))
    fpr = torch.cat((start, (~matched).double().cumsum(0)[ends] / (~matched).sum()))
    accepted = [0, *(ends + 1).tolist()]
    thresholds = torch.tensor([threshold_after(sorted_distances, k) for k in accepted], dtype=torch.float64)
    return Roc(fpr, tpr, thresholds)


def threshold_after(sorted_distances: Float64[Tensor, "n"], accepted: int) -> float:
    """A threshold that accepts exactly the smallest distances.

    Args:
        sorted_distances: rising, at least one.
        accepted: how many, from 0 to n; the next one is larger than the last of them.

    Returns:
        Half-way to the next one; just below the smallest for 0, the largest for all.
    """
    if accepted == 0:
        return math.nextafter(float(sorted_distances[0]), -math.inf)
    last = float(sorted_distances[accepted - 1])
    if accepted == len(sorted_distances):
        return last
    following = float(sorted_distances[accepted])
    middle = last + (following - last) / 2
    return middle if middle < following else last


def most_accurate_threshold(distances: Float64[Tensor, "n"], same: Bool[Tensor, "n"]) -> float:
    """The threshold with the most right decisions; of several, the lowest.

    Args:
        distances: at least one.
        same: which pairs are matched.

    Example:
        >>> most_accurate_threshold(torch.tensor([0.0, 1.0, 2.0]).double(), torch.tensor([True, True, False]))
        1.5
    """
    order = distances.argsort()
    sorted_distances, matched = distances[order], same[order]
    gained = torch.where(matched, 1, -1).cumsum(0)  # right decisions more than when nothing is accepted
    gained[:-1][sorted_distances[1:] == sorted_distances[:-1]] = -len(gained) - 1  # nothing parts these
    gained = torch.cat((torch.zeros(1, dtype=gained.dtype), gained))
    return threshold_after(sorted_distances, int(gained.argmax()))


def threshold_for_far(sorted_impostors: Float64[Tensor, "n"], far: float) -> float:
    """The highest threshold that accepts at most a share of mismatched pairs.

    Args:
        sorted_impostors: distances of mismatched pairs, rising, at least one.
        far: the share, in [0, 1).

    Returns:
        Half-way between the last distance that it accepts and the next; just below the smallest if it accepts
        none.
    """
    most = len(sorted_impostors)
    following = sorted_impostors[min(allowed(most, far), most - 1)]
    return threshold_after(sorted_impostors, int((sorted_impostors < following).sum()))


def allowed(pairs: int, far: float) -> int:
    """How many of so many pairs may be accepted: the share, rounded down, though not by a last digit.

    Example:
        >>> allowed(100, 0.29)
        29
    """
    return math.floor(far * pairs + 1e-9 * max(1.0, far * pairs))
