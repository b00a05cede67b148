"""Scores of clusters, against slow readings of their definitions."""

from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import fowlkes_mallows_score

from shoal.errors import InputError
from shoal.faces.cluster_scores import cluster_scores

PARTITIONS = st.integers(1, 25).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(-3, 6), min_size=n, max_size=n),
        st.lists(st.integers(0, 5), min_size=n, max_size=n),
    )
)


@given(PARTITIONS)
def test_they_are_what_their_definitions_say(both: tuple[list[int], list[int]]) -> None:
    found, truth = both
    n = len(found)
    scores = cluster_scores(torch.tensor(found), torch.tensor(truth))
    pairs = list(combinations(range(n), 2))
    together = [found[i] == found[j] for i, j in pairs]
    same = [truth[i] == truth[j] for i, j in pairs]
    right = sum(a and b for a, b in zip(together, same, strict=True))
    assert scores.pairwise_precision == pytest.approx(right / sum(together) if any(together) else 1)
    assert scores.pairwise_recall == pytest.approx(right / sum(same) if any(same) else 1)
    precision = recall = 0.0
    for i in range(n):
        mine = {j for j in range(n) if found[j] == found[i]}
        person = {j for j in range(n) if truth[j] == truth[i]}
        precision += len(mine & person) / len(mine) / n
        recall += len(mine & person) / len(person) / n
    assert scores.bcubed_precision == pytest.approx(precision)
    assert scores.bcubed_recall == pytest.approx(recall)
    assert scores.bcubed_f == pytest.approx(2 * precision * recall / (precision + recall))
    majority = 0
    for label in set(found):
        members = [truth[i] for i in range(n) if found[i] == label]
        majority += max(members.count(person) for person in members)
    assert scores.purity == pytest.approx(majority / n)
    assert (scores.clusters, scores.people, scores.faces) == (len(set(found)), len(set(truth)), n)
    for value in (scores.purity, scores.pairwise_f, scores.bcubed_f):
        assert 0 <= value <= 1 + 1e-12


def test_pairs_agree_with_scikit_learn() -> None:
    generator = torch.Generator().manual_seed(0)
    found, truth = (torch.randint(0, 8, (300,), generator=generator) for _ in range(2))
    scores = cluster_scores(found, truth)
    geometric = (scores.pairwise_precision * scores.pairwise_recall) ** 0.5
    assert geometric == pytest.approx(fowlkes_mallows_score(truth.numpy(), found.numpy()))


def test_the_best_and_the_two_worst() -> None:
    truth = torch.tensor([0, 0, 1, 1, 1, 2])
    perfect = cluster_scores(torch.tensor([5, 5, 9, 9, 9, 0]), truth)
    assert (perfect.purity, perfect.pairwise_f, perfect.bcubed_f) == (1, 1, 1)
    alone = cluster_scores(torch.arange(6), truth)
    assert (alone.purity, alone.pairwise_precision, alone.pairwise_recall, alone.pairwise_f) == (1, 1, 0, 0)
    assert alone.bcubed_recall == pytest.approx(3 / 6)
    one = cluster_scores(torch.zeros(6, dtype=torch.int64), truth)
    assert (one.purity, one.pairwise_recall, one.bcubed_recall) == (0.5, 1, 1)


def test_it_can_be_read() -> None:
    text = str(cluster_scores(torch.tensor([0, 0, 1]), torch.tensor([0, 0, 1])))
    assert text == "2 clusters of 2 people: purity 1.000, pairwise F 1.000, BCubed F 1.000"


def test_bad_input_is_one_line() -> None:
    with pytest.raises(InputError, match=r"two tensors \[faces\] of one length >= 1, got \[2\] and \[3\]"):
        cluster_scores(torch.tensor([0, 1]), torch.tensor([0, 1, 2]))
    with pytest.raises(InputError, match=r"got \[0\] and \[0\]"):
        cluster_scores(torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.int64))
    with pytest.raises(InputError, match="truth: expected the person of each face, >= 0, got 1 of 2 negative"):
        cluster_scores(torch.tensor([0, 1]), torch.tensor([0, -1]))
