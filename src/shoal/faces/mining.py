"""Triplet mining: which negatives to learn from.

    mine_semi_hard(embeddings, labels)              # one a pair: the closest one beyond the positive
    mine_hardest(embeddings, labels)                # one a pair: the closest one
    mine_random(embeddings, labels, seed=0)         # one a pair: any
    mine_all(embeddings, labels)                    # every triplet, where they are few enough to list
    for triplets in all_triplets(labels): ...       # every triplet, a block at a time

A pair is an ordered (anchor, positive): two different rows of one person. Pairs come sorted by anchor, then by
positive. Persons with one image are nobody's positive, and everybody's negative. Never is there a tensor of
batch³.

Rooms beside this one: `triplets` (pairs), `mining_distances`, `mining_torch` and `mining_numba` (the same
negatives), `mining_lists` (every triplet), `mining_all` (the loss over all of them without a list),
`mining_gradients`.
"""

import torch
from jaxtyping import Float, Int64, Integer
from torch import Tensor

from shoal.errors import unknown_name, wrong
from shoal.faces import mining_numba, mining_torch
from shoal.faces.mining_distances import check_batch, check_labels, squared_distances, working
from shoal.faces.mining_lists import all_triplets, mine_all
from shoal.faces.triplets import Identities, Triplets

__all__ = [
    "all_triplets",
    "mine_all",
    "mine_hardest",
    "mine_random",
    "mine_semi_hard",
    "negatives",
    "semi_hard_triplets",
]

ONE_A_PAIR = ("semi-hard", "hardest", "random")
INFINITY = float("inf")


def mine_semi_hard(
    embeddings: Float[Tensor, "batch dim"], labels: Integer[Tensor, " batch"], *, backend: str = "auto"
) -> Triplets:
    """Pick, for every anchor–positive pair, the closest negative that is farther than the positive.

    Distances are squared Euclidean ones. A pair with no farther negative falls back to its farthest one
    (TensorFlow Addons' rule; the paper leaves it open). Ties go to the lowest row. Memory is O(batch²). The
    margin does not change the choice: pairs whose negative is beyond it contribute zero loss.

    Args:
        embeddings: rows, of length 1 usually; any float dtype (16 bits are compared in float32).
        labels: identity of each row.
        backend: "torch", "numba", or "auto", which is numba for large float32 batches on a CPU where it is
            installed. The indices are the same.

    Returns:
        Index tensors (anchor, positive, negative), one triplet a pair; empty where the batch holds fewer than
        two identities or no identity twice.

    Raises:
        InputError: if embeddings and labels differ in length, or a row is NaN, infinite or zero.

    Example:
        >>> embeddings = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8], [0.0, 1.0]])
        >>> triplets = mine_semi_hard(embeddings, torch.tensor([0, 0, 1, 2]))
        >>> triplets.anchor, triplets.positive, triplets.negative
        (tensor([0, 1]), tensor([1, 0]), tensor([2, 3]))

    Source: Schroff et al. 2015, "FaceNet", section 3.2 (arXiv 1503.03832).
    """
    return _mine("semi-hard", embeddings, labels, backend=backend)


def mine_hardest(embeddings: Float[Tensor, "batch dim"], labels: Integer[Tensor, " batch"]) -> Triplets:
    """Pick, for every anchor–positive pair, the anchor's closest negative; ties go to the lowest row.

    Early in training this makes one point of all faces; see `CollapseWatch`.

    Args:
        embeddings: see `mine_semi_hard`.
        labels: identity of each row.

    Returns:
        One triplet a pair.

    Raises:
        InputError: see `mine_semi_hard`.

    Example:
        >>> embeddings = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
        >>> mine_hardest(embeddings, torch.tensor([0, 0, 1])).negative
        tensor([2, 2])
    """
    return _mine("hardest", embeddings, labels)


def mine_random(
    embeddings: Float[Tensor, "batch dim"], labels: Integer[Tensor, " batch"], *, seed: int = 0
) -> Triplets:
    """Pick, for every anchor–positive pair, one of all negatives, each as likely as the others.

    Args:
        embeddings: checked, and not looked at otherwise.
        labels: identity of each row.
        seed: equal seeds give equal triplets, on every device.

    Returns:
        One triplet a pair.

    Raises:
        InputError: see `mine_semi_hard`.

    Example:
        >>> mine_random(torch.eye(3), torch.tensor([0, 0, 1])).negative
        tensor([2, 2])
    """
    return _mine("random", embeddings, labels, seed=seed)


def semi_hard_triplets(
    distances: Float[Tensor, "batch batch"], labels: Integer[Tensor, " batch"], *, backend: str = "auto"
) -> Triplets:
    """As `mine_semi_hard`, from distances that are at hand, whatever they measure.

    Args:
        distances: from each anchor (a row) to each other row (a column), >= 0 and finite; need not be
            symmetric. 16 bits are compared exactly, as float32.
        labels: identity of each row.
        backend: see `mine_semi_hard`.

    Returns:
        One triplet a pair.

    Raises:
        InputError: if distances are no square of such numbers, or labels differ in length.

    Example:
        >>> distances = torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 3.0], [1.0, 3.0, 0.0]])
        >>> semi_hard_triplets(distances, torch.tensor([5, 5, 6])).negative      # nothing beyond 1: the farthest
        tensor([2, 2])
    """
    if distances.ndim != 2 or distances.shape[0] != distances.shape[1] or not distances.is_floating_point():
        got = f"{distances.dtype} {list(distances.shape)}"
        raise wrong("distances", expected="floating-point numbers [batch, batch]", got=got)
    if not bool(((distances >= 0) & (distances < INFINITY)).all()):
        raise wrong("distances", expected="finite numbers >= 0", got="NaN, infinity or less than 0")
    check_labels(labels, len(distances))
    mining_numba.check_backend(backend)
    people = Identities.of(labels.to(distances.device))
    return Triplets(*people.pairs(), negatives("semi-hard", working(distances), people, backend=backend))


def negatives(
    rule: str, far: Float[Tensor, "batch batch"], people: Identities, *, backend: str = "auto", seed: int = 0
) -> Int64[Tensor, " pairs"]:
    """The negative of each pair of `people.pairs()` by a rule; nothing is checked but the names.

    Args:
        rule: "semi-hard", "hardest" or "random".
        far: squared distances, float32 or float64.
        people: of the same batch.
        backend: of semi-hard mining.
        seed: of random mining.
    """
    with torch.no_grad():
        if rule == "semi-hard":
            fast = mining_numba.uses_numba(backend, far.device, far.dtype, len(far))
            return (mining_numba if fast else mining_torch).semi_hard_negatives(far, people)
        if rule == "hardest":
            return mining_torch.hardest_negatives(far, people)
        if rule == "random":
            return mining_torch.random_negatives(people, seed)
    raise unknown_name("mining rule", rule, ONE_A_PAIR)


def _mine(rule: str, embeddings: Tensor, labels: Tensor, *, backend: str = "auto", seed: int = 0) -> Triplets:
    """Check, measure, choose."""
    check_batch(embeddings, labels)
    mining_numba.check_backend(backend)
    people = Identities.of(labels.to(embeddings.device))
    far = squared_distances(working(embeddings))
    return Triplets(*people.pairs(), negatives(rule, far, people, backend=backend, seed=seed))
