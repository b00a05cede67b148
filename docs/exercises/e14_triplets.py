"""The triplet loss, and which triplets to learn from.

With squared distances between rows of unit length, an anchor a, another image p of the same person and an image n of
somebody else should satisfy |a − p|² + margin < |a − n|². The loss is the mean of what is missing,
[|a − p|² − |a − n|² + margin]₊.

All triplets are too many, and most satisfy the margin already. For each pair of anchor and positive take one negative,
the **semi-hard** one: the closest of those that are farther than the positive. Where none is farther, the farthest of
all (the paper leaves this open; TensorFlow Addons decided so). Always taking the hardest negative makes the network put
everybody onto one point, where the loss is the margin and the gradient is nothing.

Questions: how many triplets are there for 1,800 images of 45 people? Which of them does "semi-hard" leave?

Hints
- A matrix of squared distances of rows of length 1 is 2 − 2 x xᵀ.
- Set what is no candidate to infinity (or minus infinity) before `min` (or `max`).
- Two loops over anchors and positives are fine here.
"""

import torch
from torch import Tensor


def squared_distances(x: Tensor) -> Tensor:
    """Squared distances of all rows [n, n]; rows have length 1."""
    raise NotImplementedError("this one is yours to write")


def mine_semi_hard(x: Tensor, labels: Tensor) -> list[tuple[int, int, int]]:
    """One triplet for each ordered pair of different images of one person.

    Args:
        x: embeddings of length 1 [n, d].
        labels: who is on each [n].

    Returns:
        (anchor, positive, negative), by anchor, then by positive; empty where nothing can be formed.
    """
    raise NotImplementedError("this one is yours to write")


def triplet_loss(x: Tensor, triplets: list[tuple[int, int, int]], margin: float = 0.2) -> Tensor:
    """Mean of [|a − p|² − |a − n|² + margin]₊; 0 where there are no triplets."""
    raise NotImplementedError("this one is yours to write")
