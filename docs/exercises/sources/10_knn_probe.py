"""What does a layer know? A probe of nearest neighbours.

A probe asks how well the classes can be told apart from what a layer computes. One of nearest neighbours is not
trained, so that it adds nothing of its own: the k nearest *training* examples, in the space of that layer, vote.

A training example finds itself among its neighbours, at distance 0, and votes for its own label: at every layer, even
at one that knows nothing, it looks settled. So training examples are left out of their own neighbours. An example has
two depths, one as a training example (leave-one-out) and one as a new example of a network that was trained without it.

Question: why should the probe use the training data and not the test data?

Hints
- `torch.cdist`, then `topk(k, largest=False)`.
- Leaving out: set the diagonal of the distances to infinity.
- Equal votes: the lower class. `argmax` of counts does so.
"""

import torch
from torch import Tensor


def probe(references: Tensor, labels: Tensor, queries: Tensor | None, k: int, classes: int) -> tuple[Tensor, Tensor]:
    """Votes of the k nearest references, and the class that has most of them.

    Args:
        references: features of training examples [n, d].
        labels: their classes [n].
        queries: features of new examples [m, d]; None asks about the references, each without itself.
        k: neighbours.
        classes: number of classes.

    Returns:
        shares of the votes by class [m, classes], and the class with the most [m]; ties go to the lower class.
    """
    # <solution>
    distances = torch.cdist(references if queries is None else queries, references)
    if queries is None:
        distances.fill_diagonal_(torch.inf)
    near = distances.topk(k, largest=False).indices  # (m, k)
    votes = torch.nn.functional.one_hot(labels[near], classes).double().mean(1)
    return votes, votes.argmax(1)
    # </solution>


# <tests>
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


# <mistakes>
MISTAKES = [
    ("distances.fill_diagonal_(torch.inf)", "pass", "find itself?"),
    ("if queries is None:", "if distances.shape[0] == distances.shape[1]:", "may vote"),
    ("largest=False", "largest=True", "shares of 3 neighbours"),
]
