"""Joining the nearest two clusters, again and again, where some may never be joined.

scikit-learn's and scipy's agglomerations know no cannot-links; this one does, by distances of infinity, which
every cluster inherits from what it is joined of. Each row of the table of distances has a bound from below on
its smallest number. Joining two clusters never brings a third one nearer than the nearer of both was (all three
linkages are "reducible"), so bounds stay bounds; only the row with the lowest is looked at, and its bound made
exact, until the lowest bound is a distance. Memory n², time about n² in practice (Müllner 2011, "Modern
hierarchical, agglomerative clustering algorithms", section 3.1, has the same idea with a queue).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

_REDUCED = {"average": np.add, "complete": np.maximum, "single": np.minimum}


def _average(one: Numbers, other: Numbers, share: float) -> Numbers:
    with np.errstate(invalid="ignore"):  # infinity less infinity; replaced by the caller
        mixed = one + (other - one) * share  # exact where both are equal
    return np.maximum(mixed, np.minimum(one, other))  # a bound must not fail by a last digit


_JOINED: dict[str, Callable[[Numbers, Numbers, float], Numbers]] = {
    "average": _average,
    "complete": lambda one, other, _: np.maximum(one, other),
    "single": lambda one, other, _: np.minimum(one, other),
}


def contract(distances: Numbers, sizes: NDArray[np.int64], linkage: str) -> Numbers:
    """Distances between groups of rows.

    Args:
        distances: [n, n], symmetrical; rows of one group lie side by side.
        sizes: [groups], rows in each.
        linkage: "average", "complete" or "single".

    Returns:
        [groups, groups], of which the diagonal means nothing; the same array where every group is one row.

    Example:
        >>> contract(np.array([[0.0, 1.0, 4.0], [1.0, 0.0, 2.0], [4.0, 2.0, 0.0]]), np.array([2, 1]), "average")
        array([[0.5, 3. ],
               [3. , 0. ]])
    """
    if len(sizes) == len(distances):
        return distances
    starts = np.concatenate(([0], np.cumsum(sizes)[:-1]))
    reduce = _REDUCED[linkage].reduceat
    between = reduce(reduce(distances, starts, axis=0), starts, axis=1)
    return between / np.outer(sizes, sizes) if linkage == "average" else between


def agglomerate(
    distances: Numbers,
    sizes: NDArray[np.int64],
    *,
    threshold: float,
    linkage: str,
) -> NDArray[np.int64]:
    """Join clusters that are at most `threshold` apart, the nearest first; of equally near ones, the first.

    Args:
        distances: [m, m], symmetrical, infinite on the diagonal and between what may never be joined;
            overwritten.
        sizes: [m], faces in each.
        threshold: finite.
        linkage: "average", "complete" or "single".

    Returns:
        int64 [m], the lowest number of each one's cluster.
    """
    group, faces = np.arange(len(distances)), sizes.astype(np.float64)
    nearest = distances.min(axis=1)  # bounds from below
    while True:
        i = int(nearest.argmin())
        if not nearest[i] <= threshold:
            return group
        j = int(distances[i].argmin())
        if distances[i, j] > nearest[i]:
            nearest[i] = distances[i, j]
            continue
        i, j = min(i, j), max(i, j)
        joined = _JOINED[linkage](distances[i], distances[j], faces[j] / (faces[i] + faces[j]))
        joined[np.isinf(distances[i]) | np.isinf(distances[j])] = np.inf  # and so itself
        distances[i], distances[:, i] = joined, joined
        distances[j], distances[:, j] = np.inf, np.inf
        nearest[i], nearest[j] = joined.min(), np.inf
        faces[i] += faces[j]
        group[group == j] = i
