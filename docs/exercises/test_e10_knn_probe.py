"""Tests of exercise 10: What does a layer know? A probe of nearest neighbours."""

import torch
from e10_knn_probe import probe


def test_neighbours_vote() -> None:
    references = torch.tensor([[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]])
    labels = torch.tensor([0, 0, 1, 2, 2, 2])
    votes, winner = probe(references, labels, torch.tensor([[0.9], [10.9]]), k=3, classes=3)
    assert votes.shape == (2, 3), f"expected a share for each of 3 classes, [2, 3], got {list(votes.shape)}"
    assert torch.allclose(votes.double(), torch.tensor([[2 / 3, 1 / 3, 0], [0, 0, 1]]).double()), (
        "shares of 3 neighbours"
    )
    assert winner.tolist() == [0, 2], f"expected classes 0 and 2, got {winner.tolist()}"


def test_an_example_does_not_vote_for_itself() -> None:
    generator = torch.Generator().manual_seed(0)
    noise, labels = torch.randn(400, 5, generator=generator), torch.randint(2, (400,), generator=generator)
    _, winner = probe(noise, labels, None, k=1, classes=2)
    right = float((winner == labels).double().mean())
    assert right < 0.65, f"labels are chance, but {right:.0%} are told right: does each example find itself?"


def test_leaving_out_is_not_done_for_new_examples() -> None:
    references, labels = torch.tensor([[0.0], [5.0], [6.0]]), torch.tensor([1, 0, 0])
    _, winner = probe(references, labels, references.clone(), k=1, classes=2)
    assert winner.tolist() == [1, 0, 0], "new examples may be equal to a training example, which then may vote"


def test_ties_go_to_the_lower_class() -> None:
    references, labels = torch.tensor([[1.0], [-1.0]]), torch.tensor([1, 0])
    _, winner = probe(references, labels, torch.tensor([[0.1], [-0.1]]), k=2, classes=2)
    assert winner.tolist() == [0, 0], f"one vote each: the lower class, 0, should win; got {winner.tolist()}"
