"""Tests of exercise 16: Harmonic embeddings: a new network that the old gallery understands."""

import torch
from e16_harmonic_embeddings import fit_translation, mine_harmonic
from torch import Tensor


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
