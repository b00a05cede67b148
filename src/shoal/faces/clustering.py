"""Whose faces belong together, without knowing anybody: agglomerative clustering, told what people know.

    labels = cluster(embeddings, threshold=1.0, same_photo=faces.photos)
    labels = cluster(embeddings, threshold=1.0, must_link=[(0, 7)], cannot_link=[(3, 4)])

Clusters begin as single faces, and the two nearest are joined until no two are nearer than the threshold. With
average linkage, two clusters are as far apart as the mean squared Euclidean distance between a face of one and
a face of the other: the threshold is on the scale of `verification`'s, from 0 to 4.

Must-links are joined first, whatever their distance. Cannot-links are kept strictly: siblings whom a user has
told apart stay apart, and so do two faces of one photo, however near everything else brings them. What is
joined stays joined: many cannot-links may leave more clusters than there need be.

Source: Schroff et al. 2015, "FaceNet", section 5.8 (agglomerative clustering); Davidson & Ravi 2005,
"Agglomerative hierarchical clustering with constraints".
"""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int, Int64
from numpy.typing import NDArray
from torch import Tensor

from shoal.errors import unknown_name, wrong
from shoal.faces.clustering_agglomeration import agglomerate, contract
from shoal.faces.clustering_constraints import Constraints, Links, read_constraints
from shoal.faces.pair_distances import check_embeddings

Linkage = Literal["average", "complete", "single"]

MOST_FACES = 20_000  # whose distances take 1.6 GB, and 6.4 GB with links


def cluster(
    embeddings: Float[Tensor, "n dim"],
    *,
    threshold: float,
    linkage: str = "average",
    must_link: Links = (),
    cannot_link: Links = (),
    same_photo: Sequence[object] | Int[Tensor, "m"] | None = None,
) -> Int64[Tensor, "n"]:
    """Group embeddings by person.

    Takes 4 n² bytes, with links up to 16 n², and time that grows with n² d.

    Args:
        embeddings: of length 1, as the networks give them; any float dtype. None may be zero.
        threshold: clusters at most so far apart are joined; squared Euclidean distance, >= 0.
        linkage: how far clusters are apart: the "average" distance of their faces, the largest ("complete") or
            the smallest ("single").
        must_link: pairs of row numbers that are one person; [k, 2], or a sequence of pairs.
        cannot_link: pairs of row numbers that are not.
        same_photo: which photo each face is on, as numbers or names; two faces of one photo are never one
            person. None, or a negative number, for a face whose photo is not known.

    Returns:
        int64 [n], the cluster of each row, numbered from 0 in the order in which they first occur.

    Raises:
        InputError: if an embedding is not finite or zero, a link names no row, or links contradict each other;
            the message names the pair.

    Example:
        >>> faces = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.99, 0.14], [0.1, 0.99]])
        >>> cluster(faces, threshold=0.5).tolist()
        [0, 1, 0, 1]
        >>> cluster(faces, threshold=0.5, cannot_link=[(0, 2)]).tolist()
        [0, 1, 2, 1]
    """
    if linkage not in get_args(Linkage):
        raise unknown_name("linkage", linkage, get_args(Linkage))
    if not 0 <= threshold < np.inf:
        raise wrong("threshold", expected="a squared distance >= 0, finite", got=threshold)
    rows = check_embeddings(embeddings, "embeddings").numpy()
    if len(rows) > MOST_FACES:
        fix = "cluster a part of them, and give each of the others the cluster of its nearest"
        raise wrong("embeddings", expected=f"at most {MOST_FACES:,} rows", got=f"{len(rows):,}", fix=fix)
    links = read_constraints(len(rows), must_link, cannot_link, same_photo)
    if len(rows) < 2:
        return torch.zeros(len(rows), dtype=torch.int64)
    groups = _free(rows, threshold, linkage) if links is None else _constrained(rows, threshold, linkage, links)
    return torch.from_numpy(number_by_first(groups))


def number_by_first(groups: NDArray[np.integer]) -> NDArray[np.int64]:
    """The same groups, numbered from 0 in the order in which they first occur.

    Args:
        groups: [n], any whole numbers.

    Example:
        >>> number_by_first(np.array([7, 3, 7, 5])).tolist()
        [0, 1, 0, 2]
    """
    _, first, members = np.unique(groups, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[members]


def _free(rows: NDArray[np.float64], threshold: float, linkage: str) -> NDArray[np.integer]:
    """Without links: scipy's linkage, which scikit-learn's AgglomerativeClustering calls too."""
    from scipy.cluster.hierarchy import fcluster
    from scipy.cluster.hierarchy import linkage as merge
    from scipy.spatial.distance import pdist

    # differences, not a product of matrices: equal rows are exactly 0 apart
    return fcluster(merge(pdist(rows, "sqeuclidean"), linkage), threshold, criterion="distance")


def _constrained(
    rows: NDArray[np.float64],
    threshold: float,
    linkage: str,
    links: Constraints,
) -> NDArray[np.integer]:
    from scipy.spatial.distance import pdist, squareform

    together = np.argsort(links.component, kind="stable")
    distances = squareform(pdist(rows[together], "sqeuclidean"))  # (n, n)
    sizes = np.bincount(links.component)
    distances = contract(distances, sizes, linkage)  # (groups, groups)
    distances[links.forbidden] = np.inf
    np.fill_diagonal(distances, np.inf)
    return agglomerate(distances, sizes, threshold=threshold, linkage=linkage)[links.component]
