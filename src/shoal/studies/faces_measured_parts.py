"""Parts of what the study of faces measured, as plain values that a test can make up (see `faces_measured`).

Accuracies and rates are shares, in [0, 1]; distances are squared, in [0, 4].
"""

from dataclasses import dataclass

import torch

from shoal.measure import Interval, mean_interval
from shoal.studies.faces_checked import Checked, within


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Thresholds over all pairs of the main network.

    Attributes:
        fpr, tpr: points of the ROC of the test pairs.
        val: VAL at each of `fars`, of every part of the test people: all pairs within a part.
        fars: false-accept rates.
        images: of a part, on average.
    """

    fpr: list[float]
    tpr: list[float]
    fars: list[float]
    val: list[list[float]]
    images: float

    def val_at(self, far: float) -> Interval | None:
        """VAL in percent, its interval over the parts; None where there are no two."""
        column = [row[self.fars.index(far)] for row in self.val]
        return within(mean_interval(100 * torch.tensor(column)), 0.0, 100.0) if len(column) > 1 else None


@dataclass(frozen=True, kw_only=True)
class Promised:
    """A threshold that was chosen for a false-accept rate on people to choose with, and what it does to others.

    Attributes:
        far: that was asked for.
        refused: why there is no such threshold; empty where there is one.
        value: the cautious one, at which the rate is at most `far` with 95 % confidence.
        accepted: share of pairs of strangers that it accepts, in each of some parts of the test people; empty where
            people are too few for parts.
        pairs: of strangers, over all parts.
        kept: share of matched test pairs that it accepts.
    """

    far: float
    refused: str
    value: float
    accepted: list[float]
    pairs: int
    kept: float

    def rate(self) -> Interval | None:
        """The share of strangers in percent, its interval over the parts; None where there are no two."""
        if len(self.accepted) < 2:
            return None
        return within(mean_interval(100 * torch.tensor(self.accepted, dtype=torch.float64)), 0.0, 100.0)


@dataclass(frozen=True, kw_only=True)
class Generations:
    """An older and a newer network.

    Attributes:
        old: v1/v1; `new`: v2/v2 as trained independently; `plain`: v2/v1 of the two as they are; `ridge`: v2/v1 by a
            linear map; `harmonic`: v2/v1 after harmonic training; `harmonic_new`: v2/v2 after it.
        penalty: of the ridge.
    """

    old: Checked
    new: Checked
    plain: Checked
    ridge: Checked
    harmonic: Checked
    harmonic_new: Checked
    penalty: float


@dataclass(frozen=True, kw_only=True)
class SetSize:
    """Triplets of sets of so many of the training people.

    Attributes:
        people: of a set.
        images, pairs, triplets: that it has on average; pairs are ordered, (anchor, positive).
    """

    people: int
    images: float
    pairs: float
    triplets: float


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Triplets of batches of one size.

    Attributes:
        identities, per_identity: asked of the sampler.
        rows, pairs: means over the batches.
        triplets: all that can be formed, of each batch.
        before, after: share of all triplets that do not satisfy the margin, in each batch, by the untrained and by the
            main network.
        mined: the same of semi-hard triplets, by the main network.
    """

    identities: int
    per_identity: int
    rows: float
    pairs: float
    triplets: list[int]
    before: list[float]
    after: list[float]
    mined: list[float]


@dataclass(frozen=True, kw_only=True)
class Clustered:
    """Clusters of test faces, in groups that were clustered apart from each other.

    Attributes:
        f: BCubed F of each group.
        trivial: the same of the better of two clusterings that look at nothing: everybody alone, and all together.
        purity, pairwise_f: means over the groups.
        clusters: found, over all groups.
    """

    f: list[float]
    trivial: list[float]
    purity: float
    pairwise_f: float
    clusters: int

    def gain(self, other: "Clustered") -> Interval | None:
        """F above the trivial one's and another clustering's of the same groups, whichever is better in each.

        Args:
            other: the other clustering.

        Returns:
            None of fewer than two groups.
        """
        rivals = map(max, self.trivial, other.f)
        return _mean_of([a - b for a, b in zip(self.f, rivals, strict=True)], 0.95)

    def lost_to(self, other: "Clustered", confidence: float) -> Interval | None:
        """F below another clustering's of the same groups, in points; None of fewer than two groups.

        Args:
            other: the other clustering.
            confidence: of the interval.
        """
        return _mean_of([100 * (b - a) for a, b in zip(self.f, other.f, strict=True)], confidence)


def _mean_of(values: list[float], confidence: float) -> Interval | None:
    if len(values) < 2:
        return None
    return mean_interval(torch.tensor(values, dtype=torch.float64), confidence=confidence)


@dataclass(frozen=True, kw_only=True)
class Altered:
    """Test pairs whose second image is altered, and test faces that are clustered when all are.

    Attributes:
        moved: mean distance of an image to itself altered: value and ends of the interval.
        same: mean distance of two images of one person, one of them altered; `different`: of two people.
        checked: verification of these pairs.
        clustered: of the altered faces, with the threshold of unaltered ones.
    """

    moved: list[float]
    same: list[float]
    different: list[float]
    checked: Checked
    clustered: Clustered


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Clusters to be shown, the largest of all groups.

    Attributes:
        rows: of the test faces, some of each cluster.
        sizes: faces of each of these clusters, shown or not.
        mostly: the person of most of them.
        purity: share of that person.
    """

    rows: list[list[int]]
    sizes: list[int]
    mostly: list[int]
    purity: list[float]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A row of one of the paper's tables, as counted.

    Attributes:
        network, name: of the layer.
        parameters, flops: counted, as the paper counts.
        printed: both, as the paper prints them.
        same: whether both agree.
    """

    network: str
    name: str
    parameters: int
    flops: int
    printed: list[str]
    same: bool


@dataclass(frozen=True, kw_only=True)
class Network:
    """What a network costs, see `shoal.faces.comparing_networks`."""

    name: str
    image: str
    parameters: int
    flops: int
    macs: int
    origin: str
