"""How well clusters match people: purity, pairs of faces, and BCubed.

    scores = cluster_scores(found, faces.labels)
    print(scores)

    purity      share of faces whose cluster is mostly of their person; 1 also where every face is alone
    pairwise    of all pairs of faces in one cluster, the share of one person (precision); of all pairs of one
                person, the share in one cluster (recall). People with many faces have most pairs, and most say
    BCubed      of a face's cluster, the share of its person (precision); of its person, the share in its
                cluster (recall); means over faces

F is the harmonic mean of precision and recall. All scores are from 0 to 1, and 1 is best.

Source: Bagga & Baldwin 1998, "Entity-based cross-document coreferencing using the vector space model" (BCubed);
Amigó et al. 2009, "A comparison of extrinsic clustering evaluation metrics based on formal constraints".
"""

from dataclasses import dataclass
from html import escape

import torch
from jaxtyping import Int
from torch import Tensor

from shoal.errors import wrong
from shoal.faces.pair_distances import check_tensor


@dataclass(frozen=True)
class ClusterScores:
    """How well clusters match people; every score from 0 to 1, 1 is best.

    Attributes:
        purity: share of faces whose cluster is mostly of their person.
        pairwise_precision: share of one person among the pairs that are in one cluster; 1 where no pair is.
        pairwise_recall: share in one cluster among the pairs of one person; 1 where there is no pair.
        bcubed_precision: mean over faces of the share of their person in their cluster.
        bcubed_recall: mean over faces of the share of their person that is in their cluster.
        clusters: how many were found.
        people: how many there are.
        faces: how many.
    """

    purity: float
    pairwise_precision: float
    pairwise_recall: float
    bcubed_precision: float
    bcubed_recall: float
    clusters: int
    people: int
    faces: int

    @property
    def pairwise_f(self) -> float:
        """Harmonic mean of pairwise precision and recall."""
        return _harmonic_mean(self.pairwise_precision, self.pairwise_recall)

    @property
    def bcubed_f(self) -> float:
        """Harmonic mean of BCubed precision and recall."""
        return _harmonic_mean(self.bcubed_precision, self.bcubed_recall)

    def __str__(self) -> str:
        return (
            f"{self.clusters:,} clusters of {self.people:,} people: purity {self.purity:.3f}, "
            f"pairwise F {self.pairwise_f:.3f}, BCubed F {self.bcubed_f:.3f}"
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(str(self))}</p>"


def cluster_scores(found: Int[Tensor, "n"], truth: Int[Tensor, "m"]) -> ClusterScores:
    """Compare clusters with people.

    Args:
        found: the cluster of each face, any whole numbers.
        truth: the person of each, >= 0.

    Returns:
        The scores.

    Raises:
        InputError: if lengths differ, there are no faces, or a person is not known (−1).

    Example:
        >>> scores = cluster_scores(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 0, 1]))
        >>> scores.purity, scores.pairwise_precision, scores.pairwise_recall
        (0.75, 0.5, 0.3333333333333333)
    """
    check_tensor(found, "found")
    check_tensor(truth, "truth")
    if found.ndim != 1 or found.shape != truth.shape or not len(found):
        got = f"{list(found.shape)} and {list(truth.shape)}"
        raise wrong("found and truth", expected="two tensors [faces] of one length >= 1", got=got)
    if int(truth.min()) < 0:
        got = f"{int((truth < 0).sum()):,} of {len(truth):,} negative"
        raise wrong("truth", expected="the person of each face, >= 0", got=got, fix="leave out unknown people")
    n = len(found)
    rows, clusters = found.detach().cpu().unique(return_inverse=True)
    columns, people = truth.detach().cpu().unique(return_inverse=True)
    cells, both = (clusters * len(columns) + people).unique(return_counts=True)  # of a person in a cluster
    row, column, both = cells // len(columns), cells % len(columns), both.double()
    in_cluster, of_person = torch.bincount(clusters).double(), torch.bincount(people).double()
    most = torch.zeros(len(rows), dtype=torch.float64).scatter_reduce(0, row, both, "amax")
    together, found_pairs, true_pairs = (_pairs(sizes) for sizes in (both, in_cluster, of_person))
    return ClusterScores(
        purity=float(most.sum()) / n,
        pairwise_precision=together / found_pairs if found_pairs else 1.0,
        pairwise_recall=together / true_pairs if true_pairs else 1.0,
        bcubed_precision=float((both.square() / in_cluster[row]).sum()) / n,
        bcubed_recall=float((both.square() / of_person[column]).sum()) / n,
        clusters=len(rows),
        people=len(columns),
        faces=n,
    )


def _pairs(sizes: Tensor) -> float:
    return float((sizes * (sizes - 1) / 2).sum())


def _harmonic_mean(one: float, other: float) -> float:
    return 2 * one * other / (one + other) if one + other else 0.0
