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
    # <solution>
    n, union, who = len(new), torch.cat([new, old]), labels.repeat(2)
    distances, found = torch.cdist(new.double(), union.double()).square(), []
    for a in range(n):
        others = who != labels[a]
        for p in range(2 * n):
            if p == a or who[p] != labels[a] or not bool(others.any()):
                continue
            farther = others & (distances[a] > distances[a, p])
            if bool(farther.any()):
                negative = distances[a].masked_fill(~farther, torch.inf).argmin()
            else:
                negative = distances[a].masked_fill(~others, -torch.inf).argmax()
            found.append((a, p, int(negative)))
    return found
    # </solution>


def fit_translation(new: Tensor, old: Tensor, ridge: float) -> Tensor:
    """The linear map from new to old embeddings.

    Args:
        new: [n, d].
        old: [n, e].
        ridge: >= 0.

    Returns:
        W [e, d], to be used as new @ W.T.
    """
    # <solution>
    n, d = new.shape
    return torch.linalg.solve(new.T @ new / n + ridge * torch.eye(d).to(new), new.T @ old / n).T
    # </solution>


# <tests>
def _on_circle(*degrees: float) -> Tensor:
    angle = torch.tensor(degrees).double().deg2rad()
    return torch.stack([angle.cos(), angle.sin()], 1)


def test_old_and_new_positives_but_not_the_anchor_itself() -> None:
    new, old = _on_circle(0, 10, 90), _on_circle(5, 15, 100)
    pairs = [t[:2] for t in mine_harmonic(new, old, torch.tensor([0, 0, 1]))]
    assert (0, 3) in pairs, "the old embedding of the anchor's own image, row 3, is a positive"
    assert (0, 0) not in pairs, "the anchor is no positive of itself"
    expected = [(0, 1), (0, 3), (0, 4), (1, 0), (1, 3), (1, 4), (2, 5)]
    assert pairs == expected, f"expected anchors and positives {expected}, got {pairs}"


def test_negatives_come_from_the_union() -> None:
    labels = torch.tensor([0, 0, 1])
    from_old = [t for t in mine_harmonic(_on_circle(0, 20, 90), _on_circle(0, 20, 30), labels) if t[:2] == (0, 1)]
    assert from_old == [(0, 1, 5)], f"the old negative at 30°, row 5, is the closer one; got {from_old}"
    from_new = [t for t in mine_harmonic(_on_circle(0, 20, 30), _on_circle(0, 20, 90), labels) if t[:2] == (0, 1)]
    assert from_new == [(0, 1, 2)], f"the new negative at 30°, row 2, is the closer one; got {from_new}"


def test_where_none_is_farther_the_farthest_is_taken() -> None:
    found = mine_harmonic(_on_circle(0, 90, 20), _on_circle(0, 90, 40), torch.tensor([0, 0, 1]))
    assert (0, 1, 5) in found, "no negative is farther than 90°: the one at 40°, row 5, is the farthest"


def test_the_translation_finds_a_rotation() -> None:
    generator = torch.Generator().manual_seed(0)
    old = torch.nn.functional.normalize(torch.randn(50, 6, generator=generator, dtype=torch.float64))
    turn = torch.linalg.qr(torch.randn(6, 6, generator=generator, dtype=torch.float64)).Q
    W = fit_translation(old @ turn, old, ridge=0.0)
    assert W.shape == (6, 6), f"expected [6, 6], got {list(W.shape)}"
    assert torch.allclose(old @ turn @ W.T, old, atol=1e-6), (
        "new embeddings are a rotation of the old: W should undo it"
    )


def test_the_ridge_shrinks_and_is_a_share_of_the_mean() -> None:
    new = torch.eye(4).double().repeat(10, 1)
    W = fit_translation(new, new, ridge=0.25)
    assert torch.allclose(W, 0.5 * torch.eye(4).double()), (
        f"with variances of 1/4 and a ridge of 1/4 half is left; got {W.diagonal().tolist()}: means, not sums?"
    )


# <mistakes>
MISTAKES = [
    ("if p == a or", "if p % n == a or", "row 3, is a positive"),
    ("others = who != labels[a]", "others = (who != labels[a]) & (torch.arange(2 * n) < n)", "row 5, is the closer"),
    ("masked_fill(~others, -torch.inf).argmax()", "masked_fill(~others, torch.inf).argmin()", "is the farthest"),
    ("new.T @ new / n + ridge", "new.T @ new + ridge", "a rotation of the old"),
]
