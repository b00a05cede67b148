"""Harmonic embeddings: a new network that the old gallery understands.

A gallery holds embeddings by an old network, v1. A better one, v2, puts faces elsewhere: v1 and v2 embeddings of one
face are as far apart as those of strangers, and embedding everybody again may be impossible. *Harmonic* training makes
v2 agree with v1: its triplets mix embeddings of both, and semi-hard negatives are looked for in the *union* of both.

1. Write the mining: anchors are new embeddings, positives and negatives are old or new ones, of the same n images.
   For every anchor and every candidate of the same person, except the anchor's own new embedding itself, the negative
   is the closest candidate of somebody else that is farther than the positive; if none is farther, the farthest.
2. Write the baseline that it has to beat: the linear map from new to old embeddings by ridge regression, without a
   bias: W = argmin mean |W new − old|² + ridge · |W|².

Questions: why is the old embedding of the anchor's own image a fair positive? Why does v2 stay a bit below what it
could be alone?

Hints
- Rows 0 … n − 1 of `torch.cat([new, old])` are new, rows n … 2n − 1 old; labels are repeated.
- W = (oldᵀ new / n) (newᵀ new / n + ridge · I)⁻¹
"""

import torch
from torch import Tensor


def mine_harmonic(new: Tensor, old: Tensor, labels: Tensor) -> list[tuple[int, int, int]]:
    """Triplets over the union of new and old embeddings.

    Args:
        new: embeddings by the new network, of length 1 [n, d].
        old: of the same images by the old network [n, d].
        labels: who is on each image [n].

    Returns:
        (anchor, positive, negative): rows of `torch.cat([new, old])`, anchors below n; by anchor, then positive.
    """
    raise NotImplementedError("this one is yours to write")


def fit_translation(new: Tensor, old: Tensor, ridge: float) -> Tensor:
    """The linear map from new to old embeddings.

    Args:
        new: [n, d].
        old: [n, e].
        ridge: >= 0.

    Returns:
        W [e, d], to be used as new @ W.T.
    """
    raise NotImplementedError("this one is yours to write")
