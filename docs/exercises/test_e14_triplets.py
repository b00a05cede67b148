"""Tests of exercise 14: The triplet loss, and which triplets to learn from."""

import torch
from e14_triplets import mine_semi_hard, squared_distances, triplet_loss
from torch import Tensor


def _on_circle(*degrees: float) -> Tensor:
    angle = torch.tensor(degrees).double().deg2rad()
    return torch.stack([angle.cos(), angle.sin()], 1)


def test_distances() -> None:
    found = squared_distances(_on_circle(0, 90, 180))
    expected = torch.tensor([[0.0, 2, 4], [2, 0, 2], [4, 2, 0]]).double()
    assert torch.allclose(found, expected, atol=1e-6), f"squared distances of 0°, 90° and 180°: got {found.tolist()}"


def test_the_negative_is_the_closest_that_is_farther() -> None:
    x, labels = _on_circle(0, 30, 10, 50, 120), torch.tensor([0, 0, 1, 1, 1])
    found = [t for t in mine_semi_hard(x, labels) if t[:2] == (0, 1)]
    assert len(found) == 1, f"expected one triplet for anchor 0 and positive 1, got {len(found)}"
    assert found[0][2] != 2, "the negative at 10° is nearer than the positive: that is the hardest one, not semi-hard"
    assert found[0][2] == 3, f"expected the negative at 50°, got row {found[0][2]}"


def test_where_none_is_farther_the_farthest_is_taken() -> None:
    x, labels = _on_circle(0, 90, 20, 40), torch.tensor([0, 0, 1, 1])
    found = [t for t in mine_semi_hard(x, labels) if t[:2] == (0, 1)]
    assert found == [(0, 1, 3)], f"no negative is farther than 90°: expected the farthest, (0, 1, 3), got {found}"


def test_every_pair_of_one_person_both_ways() -> None:
    x, labels = _on_circle(0, 10, 20, 100, 120), torch.tensor([0, 0, 0, 1, 2])
    pairs = [t[:2] for t in mine_semi_hard(x, labels)]
    assert pairs == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)], f"expected six ordered pairs, got {pairs}"


def test_nothing_can_be_formed() -> None:
    assert mine_semi_hard(_on_circle(0, 10), torch.tensor([0, 0])) == [], "with one person there are no negatives"
    assert mine_semi_hard(_on_circle(0, 10), torch.tensor([0, 1])) == [], "with one image each there are no positives"
    loss = triplet_loss(_on_circle(0, 10).requires_grad_(), [])
    assert loss.item() == 0, f"no triplets: expected a loss of 0, got {loss.item()}"


def test_the_loss() -> None:
    x = _on_circle(0, 60, 90)
    near, away = 1.0, 2.0
    for margin, wanted in ((0.2, 0.0), (1.5, near - away + 1.5)):
        found = float(triplet_loss(x, [(0, 1, 2)], margin))
        assert abs(found - wanted) < 1e-6, f"distances 1 and 2, margin {margin}: expected {wanted}, got {found:.4f}"
    mean = float(triplet_loss(x, [(0, 1, 2), (0, 2, 1)], 0.2))
    assert abs(mean - (0.0 + 1.2) / 2) < 1e-6, f"expected the mean over triplets, 0.6, got {mean:.4f}"
