"""Trusted votes are those of loops, and do what they are for: wrong voters count less, mistaken pairs more."""

import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from shoal.difficulty import nearest
from shoal.difficulty.trust import (
    ALIKE,
    CLEAR,
    LEAST_TRUST,
    OF_HISTORY,
    PRIOR,
    ROUNDS,
    mean_votes,
    mistaken_pairs,
    trusted_shares,
)


def quantile(values: list[float], share: float) -> float:
    """With straight lines between the values in order."""
    values = sorted(values)
    place = share * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (place - low) * (values[high] - values[low])


def votes_in_loops(
    near: list[list[list[int]]], labels: list[int], classes: int, trust: list[float]
) -> list[list[float]]:
    found = []
    for probes in near:
        mean = [0.0] * classes
        for line in probes:
            total = sum(trust[other] for other in line)
            for other in line:
                mean[labels[other]] += trust[other] / total / len(probes)
        found.append(mean)
    return found


def pairs_in_loops(votes: list[list[float]], labels: list[int], classes: int) -> list[list[float]]:
    found = [[1.0] * classes for _ in range(classes)]
    for of in range(classes):
        leads = [next(c for c, share in enumerate(line) if share >= max(line) - ALIKE) for line in votes]
        here = [at for at, lead in enumerate(leads) if lead == of]
        if not here:
            continue
        least = quantile([max(votes[at]) for at in here], CLEAR)
        clear = [at for at in here if max(votes[at]) >= least - ALIKE]
        counts = [sum(labels[at] == label for at in clear) if label != of else 0 for label in range(classes)]
        found[of] = [(count + PRIOR) / (sum(counts) / (classes - 1) + PRIOR) for count in counts]
    return found


def shares_in_loops(
    near: list[list[list[int]]], labels: list[int], classes: int, said: list[list[float]] | None
) -> list[list[float]]:
    trust = [1.0] * len(labels)
    shares: list[list[float]] = []
    for _ in range(1 + ROUNDS):
        votes = votes_in_loops(near, labels, classes, trust)
        if said:
            votes = [
                [(1 - OF_HISTORY) * a + OF_HISTORY * b for a, b in zip(line, other, strict=True)]
                for line, other in zip(votes, said, strict=True)
            ]
        pairs = pairs_in_loops(votes, labels, classes)
        shares = []
        for line, label in zip(votes, labels, strict=True):
            evidence = [share * (1.0 if of == label else pairs[of][label]) for of, share in enumerate(line)]
            shares.append([one / sum(evidence) for one in evidence])
        trust = [max(LEAST_TRUST, line[label]) for line, label in zip(shares, labels, strict=True)]
    return shares


def made_up(n: int, classes: int, probes: int, k: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Neighbours in random rows, labels, and what a network said."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (n,), generator=generator)
    values = torch.nn.functional.one_hot(labels, classes) + 0.5 * torch.randn(n, classes, generator=generator)
    values[: n // 5] = torch.randn(n // 5, classes, generator=generator)
    rows = [values + 0.1 * torch.randn(n, classes, generator=generator) for _ in range(probes)]
    near = torch.stack([nearest(one, None, k).index for one in rows], 1).int()
    return near, labels, torch.randn(n, classes, generator=generator).softmax(1)


@example(classes=4, probes=3, k=5, heard=False, seed=5)  # shares that are the same sum in another order
@given(
    classes=st.integers(2, 5),
    probes=st.integers(1, 3),
    k=st.integers(1, 6),
    heard=st.booleans(),
    seed=st.integers(0, 999),
)
def test_shares_are_those_of_loops(classes: int, probes: int, k: int, heard: bool, seed: int) -> None:
    near, labels, said = made_up(30, classes, probes, k, seed)
    expected = shares_in_loops(near.tolist(), labels.tolist(), classes, said.tolist() if heard else None)
    found = trusted_shares(near, labels, classes, said if heard else None)
    assert torch.allclose(found, torch.tensor(expected), atol=1e-4)
    assert torch.allclose(found.sum(1), torch.ones(30), atol=1e-5)
    assert bool((found >= 0).all())


def test_votes_are_means_over_probes_with_the_weight_of_trust() -> None:
    near = torch.tensor([[[1, 2], [1, 1]], [[0, 2], [2, 0]], [[0, 1], [0, 1]]])
    votes = mean_votes(near, torch.tensor([0, 1, 1]), 2, torch.tensor([1.0, 0.25, 0.75]))
    assert torch.allclose(votes, torch.tensor([[0.0, 1.0], [4 / 7, 3 / 7], [0.8, 0.2]]))


def test_neighbours_with_wrong_labels_count_less() -> None:
    """Two wrong labels beside each other in a group of another class: each has a voter that is not believed."""
    x = torch.tensor([[0.0], [0.1], [-0.1], [0.12], [-0.12], [0.14], [-0.14], [20.0], [20.1], [20.2]])
    labels = torch.tensor([1, 1, 0, 0, 0, 0, 0, 1, 1, 1])
    near = nearest(x, None, 6).index[:, None]
    shares = trusted_shares(near, labels, 2)
    equal = mean_votes(near, labels, 2, torch.ones(10))
    assert bool((shares[:2, 1] < equal[:2, 1]).all())
    assert bool((shares[2:7, 0] > equal[2:7, 0]).all())


def test_pairs_that_are_mistaken_for_each_other_count_more() -> None:
    """Of class 0, clear by its votes, every third example has the label 1, and none the label 2."""
    votes = torch.tensor([[0.9, 0.05, 0.05]] * 30 + [[0.05, 0.9, 0.05]] * 30 + [[0.05, 0.05, 0.9]] * 30)
    labels = torch.tensor([1 if at % 3 == 0 else 0 for at in range(30)] + [1] * 30 + [2] * 30)
    pairs = mistaken_pairs(votes, labels)
    assert torch.allclose(pairs[0, 1:], torch.tensor([(10 + PRIOR) / (5 + PRIOR), PRIOR / (5 + PRIOR)]))
    assert torch.allclose(pairs[1:], torch.ones(2, 3))
    even = torch.tensor([1 + at % 2 if at % 3 == 0 else 0 for at in range(30)] + [1] * 30 + [2] * 30)
    assert torch.allclose(mistaken_pairs(votes, even)[:, 1:], torch.ones(3, 2))  # evenly: nothing changes
