"""The loops that numba compiles: plain Python over arrays, which runs, slowly, without numba too.

Each function stands alone and allocates little: what it calls is numpy, and what it writes to is given.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]


def semi_hard_loop(
    far: Floats, order: Indices, start: Indices, count: Indices, first: Indices, negative: Indices
) -> None:
    """Write, for every pair (anchor, positive), the closest negative beyond the positive, else the farthest.

    For each anchor: sort its positives, put every negative into the bucket of those that are strictly nearer (a
    binary search without branches), keep the nearest of a bucket, then go from the farthest bucket inwards.

    Args:
        far: distances [batch, batch], >= 0 and finite.
        order: rows by person, as `Identities` has them; also start, count and first.
        start: where each row's person begins in order.
        count: rows of each row's person.
        first: where each row's pairs begin in `negative`.
        negative: [pairs], written.
    """
    rows = len(far)
    size = 1
    while size < count.max():
        size *= 2  # a power of two that is larger than any number of positives
    near = np.empty(size, np.float32)
    edge = np.empty(size, np.float32)
    least = np.empty(size, np.float32)
    at = np.empty(size, np.int64)
    distances = np.empty(rows, np.float32)
    for anchor in range(rows):
        positives = count[anchor] - 1
        if positives < 1:
            continue
        distances[:] = far[anchor]
        found = 0
        for place in range(start[anchor], start[anchor] + count[anchor]):
            row = order[place]
            if row != anchor:
                near[found] = distances[row]
                found += 1
            distances[row] = -1.0  # nearer than all: beyond no positive
        by_distance = np.argsort(near[:positives])
        edge[:] = np.inf
        least[:] = np.inf
        at[:] = -1
        for i in range(positives):
            edge[i] = near[by_distance[i]]
        farthest, farthest_at = np.float32(-1.0), 0
        for row in range(rows):
            distance = distances[row]
            bucket = 0
            step = size >> 1
            while step > 0:
                bucket += step * (edge[bucket + step - 1] < distance)
                step >>= 1
            if distance < least[bucket]:  # strictly: ties stay with the lowest row
                least[bucket] = distance
                at[bucket] = row
            if distance > farthest:
                farthest = distance
                farthest_at = row
        beyond = farthest_at
        for i in range(positives - 1, -1, -1):
            if at[i + 1] >= 0:
                beyond = at[i + 1]
            negative[first[anchor] + by_distance[i]] = beyond


def pull_loop(embeddings: Floats, anchor: Indices, positive: Indices, negative: Indices, gradient: Floats) -> None:
    """Add the gradient of Σ |a − p|² − |a − n|², halved, to `gradient`, a triplet at a time.

    By a it is n − p, by p it is p − a, by n it is a − n. Three loops, each of two rows read and one written:
    compilers turn those into vector instructions.

    Args:
        embeddings: [batch, dim].
        anchor: [triplets], rows; also positive and negative.
        positive: [triplets].
        negative: [triplets].
        gradient: [batch, dim], added to.
    """
    dim = embeddings.shape[1]
    for t in range(len(anchor)):
        a, p, n = anchor[t], positive[t], negative[t]
        for i in range(dim):
            gradient[a, i] += embeddings[n, i] - embeddings[p, i]
        for i in range(dim):
            gradient[p, i] += embeddings[p, i] - embeddings[a, i]
        for i in range(dim):
            gradient[n, i] += embeddings[a, i] - embeddings[n, i]
