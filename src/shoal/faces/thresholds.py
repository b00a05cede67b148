"""Which distance means "one person", if strangers may be taken for one another so often and no more?

    threshold = threshold_at(1e-3, distances_of_strangers)
    threshold.value                 # accepts at most one in a thousand of these pairs
    threshold.low                   # at this one, at most one in a thousand of all pairs, with 95 % confidence

A fixed constant from somebody else's network and photos says nothing about yours. Nothing is assumed about how
distances are distributed: the interval comes from their order alone.

Source: David & Nagaraja 2003, "Order statistics", section 7.1 (distribution-free intervals for quantiles).
"""

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from shoal.errors import wrong
from shoal.faces.pair_distances import check_distances
from shoal.faces.roc import allowed, threshold_after, threshold_for_far
from shoal.measure import Interval, exact_proportion_interval

LEAST_FAR = 1e-12  # to show less would take trillions of pairs, and in the end more than a float can count


@dataclass(frozen=True)
class Threshold:
    """A threshold for a false-accept rate, and how far it can be relied on.

    Attributes:
        value: accept a pair where its squared distance is at most this.
        far: the rate that was asked for.
        far_measured: share of the given pairs that `value` accepts, and the interval for that of all pairs.
        low: a cautious threshold: the rate of all pairs is at most `far` there, with `confidence`.
        high: a bold one: the rate of all pairs is at least `far` there, with `confidence`.
        pairs: how many pairs it was measured on.
        confidence: of `low` and of `high`, each by itself; of the interval in `far_measured`, as a whole.
    """

    value: float
    far: float
    far_measured: Interval
    low: float
    high: float
    pairs: int
    confidence: float

    def __str__(self) -> str:
        measured = f"{self.far_measured:.3g}"
        return (
            f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}] for a FAR of {self.far:g}: "
            f"measured {measured} on {self.pairs:,} pairs"
        )


def threshold_at(
    far: float,
    impostor_distances: Float[Tensor, "pairs"],
    *,
    confidence: float = 0.95,
) -> Threshold:
    """The highest threshold that accepts at most a share of pairs of different people, and its interval.

    All statements are about pairs drawn independently of each other. Pairs that share images are not: all
    499,500 pairs of 1,000 images tell far less than 499,500 independent ones, and the intervals are then too
    narrow. Draw pairs with few images in common (`shoal.data.faces.draw_pairs`), from people like those to be
    told apart; siblings and children are harder than a random two adults.

    Args:
        far: the share, from 1e-12 to 0.5.
        impostor_distances: squared distances of pairs of different people, on which the network was not
            trained.
        confidence: in [0.5, 1).

    Returns:
        The threshold, with both intervals.

    Raises:
        InputError: if there are too few pairs for any threshold to be shown to keep to the share (2,995 are
            needed for 0.001 at 95 %, about 3 / far), a distance is not finite or negative, or a number is out
            of range.

    Example:
        >>> import torch
        >>> print(threshold_at(0.01, torch.arange(1000) / 1000))
        0.0095 [0.0035, 0.015] for a FAR of 0.01: measured 0.01 [0.00481, 0.0183] on 1,000 pairs
    """
    if not 0 < far <= 0.5:
        raise wrong("far", expected="a share in (0, 0.5]", got=far, fix="give 0.1 % as 0.001")
    if far < LEAST_FAR:
        raise wrong(
            "far", expected=f"a share of at least {LEAST_FAR:g}", got=far, fix="no data hold pairs enough for less"
        )
    if not 0.5 <= confidence < 1:
        raise wrong("confidence", expected="a number in [0.5, 1)", got=confidence, fix="give 95 % as 0.95")
    distances = check_distances(impostor_distances, "impostor_distances").sort().values
    pairs, needed = len(distances), fewest_pairs(far, confidence)
    if pairs < needed:
        promise = f"a FAR of {far:g} at {100 * confidence:g} %"
        expected = f"at least {needed:,} pairs of different people for {promise}"
        least = 1 - (1 - confidence) ** (1 / pairs) if pairs else 1.0
        fix = f"give more, or ask for {least:.2g} or more" if least <= 0.5 else "give more"
        raise wrong("impostor_distances", expected=expected, got=f"{pairs:,}", fix=fix)
    value = threshold_for_far(distances, far)
    below, above = _ranks(pairs, far, confidence)
    # just under the one of that rank: should several be equal, none of them is accepted
    low = threshold_after(distances, int((distances < distances[below - 1]).sum()))
    return Threshold(
        value=value,
        far=float(far),
        far_measured=_measured(int((distances <= value).sum()), allowed(pairs, far), pairs, confidence),
        low=low,
        high=float(distances[above - 1]),
        pairs=pairs,
        confidence=float(confidence),
    )


def fewest_pairs(far: float, confidence: float = 0.95) -> int:
    """How many pairs of different people it takes to show that any threshold accepts at most a share of them.

    With fewer, not even a threshold that accepts none of them: (1 − far)^pairs would be more than 1 −
    confidence.

    Args:
        far: the share, in (0, 1).
        confidence: in (0, 1).

    Example:
        >>> fewest_pairs(0.001), fewest_pairs(0.01)
        (2995, 299)
    """
    return math.ceil(math.log1p(-confidence) / math.log1p(-far) - 1e-9)


def _ranks(pairs: int, far: float, confidence: float) -> tuple[int, int]:
    """The largest r whose distance is below the true threshold, and the smallest s above it, with confidence.

    The share of all pairs below the distance of rank r exceeds `far` if fewer than r of those given are below
    the true threshold, which is binomial.
    """
    from scipy.special import bdtr  # here: half a second of import

    def least(holds: float) -> int:
        """The fewest k with P(at most k below) >= holds."""
        low, high = -1, pairs
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if bdtr(middle, pairs, far) >= holds else (middle, high)
        return high

    # P(at least r below) >= confidence where P(at most r − 1 below) <= 1 − confidence
    k = least(1 - confidence)  # the first at which it may be more
    below = k + 1 if bdtr(k, pairs, far) <= 1 - confidence else k
    return max(1, below), min(pairs, least(confidence) + 1)


def _measured(accepted: int, at_most: int, pairs: int, confidence: float) -> Interval:
    """An exact interval for the share of all pairs, which holds although the threshold was chosen on the same ones.

    It is exact for the share below the distance of a given rank. Where several distances at the threshold are
    equal, fewer may be accepted than are allowed; the upper end is that of the number allowed.
    """
    fewest, most = (
        exact_proportion_interval(number, pairs, confidence=confidence) for number in (accepted, max(accepted, at_most))
    )
    return Interval(fewest.value, fewest.low, most.high, confidence)
