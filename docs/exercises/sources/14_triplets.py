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
    # <solution>
    return (2 - 2 * x @ x.T).clamp(min=0)
    # </solution>


def mine_semi_hard(x: Tensor, labels: Tensor) -> list[tuple[int, int, int]]:
    """One triplet for each ordered pair of different images of one person.

    Args:
        x: embeddings of length 1 [n, d].
        labels: who is on each [n].

    Returns:
        (anchor, positive, negative), by anchor, then by positive; empty where nothing can be formed.
    """
    # <solution>
    distances, found = squared_distances(x), []
    for a in range(len(x)):
        others = labels != labels[a]
        if not bool(others.any()):
            continue
        for p in range(len(x)):
            if p == a or labels[p] != labels[a]:
                continue
            farther = others & (distances[a] > distances[a, p])
            if bool(farther.any()):
                n = distances[a].masked_fill(~farther, torch.inf).argmin()
            else:
                n = distances[a].masked_fill(~others, -torch.inf).argmax()
            found.append((a, p, int(n)))
    return found
    # </solution>


def triplet_loss(x: Tensor, triplets: list[tuple[int, int, int]], margin: float = 0.2) -> Tensor:
    """Mean of [|a − p|² − |a − n|² + margin]₊; 0 where there are no triplets."""
    # <solution>
    if not triplets:
        return x.sum() * 0
    a, p, n = torch.tensor(triplets).T
    near, away = (x[a] - x[p]).square().sum(1), (x[a] - x[n]).square().sum(1)
    return (near - away + margin).clamp(min=0).mean()
    # </solution>


# <tests>
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


# <mistakes>
MISTAKES = [
    ("others & (distances[a] > distances[a, p])", "others", "that is the hardest one"),
    ("masked_fill(~others, -torch.inf).argmax()", "masked_fill(~others, torch.inf).argmin()", "expected the farthest"),
    ("p == a or", "p <= a or", "six ordered pairs"),
    (".clamp(min=0).mean()", ".mean()", "expected 0.0"),
    ("near, away = (x[a] - x[p]).square().sum(1)", "near, away = (x[a] - x[p]).norm(dim=1) * 2", "margin"),
]
