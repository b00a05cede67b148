"""Batches of people: what is in them, that they are functions of seed and step, and that an epoch comes round."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from shoal.faces.mining import mine_semi_hard
from shoal.faces.sampling import IdentityBatchSampler
from shoal.faces.triplets import Identities


def like_faces(chance: random.Random) -> list[int]:
    """Most people have one image, some a few, one or two very many."""
    sizes = [1] * chance.randint(0, 60) + [chance.randint(2, 9) for _ in range(chance.randint(1, 20))]
    sizes += [chance.randint(20, 90) for _ in range(chance.randint(0, 2))] or [1, 1]
    labels = [person for person, size in enumerate(sizes) for _ in range(size)]
    chance.shuffle(labels)
    return labels


@pytest.mark.parametrize("seed", range(20))
def test_what_is_in_a_batch(seed: int) -> None:
    chance = random.Random(seed)
    labels = like_faces(chance)
    sizes = Counter(labels)
    several = [person for person, size in sizes.items() if size > 1]
    identities, per_identity = chance.randint(2, 12), chance.randint(2, 8)
    sampler = IdentityBatchSampler(labels, identities, per_identity, seed=seed)
    for step in range(2 * len(sampler)):
        rows = sampler.batch(step)
        assert len(set(rows)) == len(rows)
        drawn = Counter(labels[row] for row in rows)
        taken = {person: count for person, count in drawn.items() if sizes[person] > 1}
        assert len(taken) == min(identities, len(several))
        assert all(count == min(sizes[person], per_identity) for person, count in taken.items())
        room = identities * per_identity - sum(taken.values())
        assert len(rows) - sum(taken.values()) == min(room, list(sizes.values()).count(1))


def test_everybody_with_enough_images_fills_a_batch_exactly() -> None:
    labels = torch.arange(60 * 50) % 60
    sampler = IdentityBatchSampler(labels)
    people = Identities.of(labels[sampler.batch(3)])
    assert people.people == 45
    assert (people.count == 40).all()
    assert len(sampler) == -(-60 * 50 // (45 * 40))


def test_a_batch_is_a_function_of_seed_and_step() -> None:
    labels = like_faces(random.Random(1))
    sampler = IdentityBatchSampler(labels, 4, 3, seed=7)
    steps = [5, 0, 40, 5, 1]
    drawn = [sampler.batch(step) for step in steps]
    fresh = [IdentityBatchSampler(labels, 4, 3, seed=7).batch(step) for step in steps]
    assert drawn == fresh
    assert len({tuple(rows) for rows in drawn}) == 4
    assert IdentityBatchSampler(labels, 4, 3, seed=8).batch(5) != drawn[0]


def test_iterating_goes_on_with_the_next_epoch() -> None:
    labels = like_faces(random.Random(2))
    sampler = IdentityBatchSampler(labels, 4, 3)
    one, two = list(sampler), list(sampler)
    assert len(one) == len(two) == len(sampler)
    assert [*one, *two] == [sampler.batch(step) for step in range(2 * len(sampler))]
    sampler.epoch = 1
    assert list(sampler) == two


@pytest.mark.parametrize("seed", range(4))
def test_every_image_with_a_partner_is_expected_once_an_epoch(seed: int) -> None:
    chance = random.Random(seed)
    sizes = [1] * 30 + [chance.randint(2, 12) for _ in range(40)] + [33]
    labels = [person for person, size in enumerate(sizes) for _ in range(size)]
    sampler = IdentityBatchSampler(labels, 5, 4, seed=seed)
    epochs = 120
    seen = Counter(row for _ in range(epochs) for rows in sampler for row in rows)
    extra = len(sampler) * 5 / sum(max(1, size / 4) for size in sizes if size > 1)  # the last batch is filled up
    assert 1 <= extra < 1 + 1 / (len(sampler) - 1)
    for person, size in enumerate(sizes):
        if size > 1:
            mean = sum(seen[row] for row, label in enumerate(labels) if label == person) / size / epochs
            assert mean == pytest.approx(extra, abs=0.15)
            worst = min(seen[row] for row, label in enumerate(labels) if label == person) / epochs
            assert worst > 0.6  # one image: within its chances


def test_people_who_must_be_in_every_batch() -> None:
    """One has 80 of the 92 images: each of hers still comes once an epoch; the others come more often."""
    labels = [0] * 80 + [1 + row // 2 for row in range(12)]
    sampler = IdentityBatchSampler(labels, 2, 8)
    assert len(sampler) == 10
    for _ in range(3):
        drawn = Counter(labels[row] for rows in sampler for row in rows)
        assert drawn[0] == 80
        assert all(drawn[person] >= 2 for person in range(1, 7))


def test_fewer_people_than_asked_for() -> None:
    sampler = IdentityBatchSampler(torch.arange(40) % 4, 45, 5)
    assert sorted(Counter(row % 4 for row in sampler.batch(0)).values()) == [5, 5, 5, 5]
    assert len(sampler) == 2


def test_single_images_are_only_negatives() -> None:
    labels = torch.tensor([0, 0, 1, 1, 2, 3, 4, 5])
    sampler = IdentityBatchSampler(labels, 2, 4)
    rows = torch.tensor(sampler.batch(0))
    assert sorted(rows.tolist()) == list(range(8))
    embeddings = torch.nn.functional.normalize(torch.randn(8, 4))
    triplets = mine_semi_hard(embeddings, labels[rows])
    assert len(triplets) == 4
    assert (labels[rows][triplets.anchor] < 2).all()


@pytest.mark.parametrize("kind", [list, np.asarray, torch.tensor, lambda x: torch.tensor(x, dtype=torch.int32)])
def test_labels_may_be_anything_whole(kind: Callable[[list[int]], Any]) -> None:
    labels = like_faces(random.Random(5))
    assert IdentityBatchSampler(kind(labels), 3, 3).batch(4) == IdentityBatchSampler(labels, 3, 3).batch(4)


def test_it_serves_a_loader() -> None:
    labels = torch.tensor(like_faces(random.Random(6)))
    sampler = IdentityBatchSampler(labels, 3, 3)
    loader = DataLoader(TensorDataset(torch.arange(len(labels)), labels), batch_sampler=sampler)
    drawn = [rows.tolist() for rows, _ in loader]
    assert drawn == [sampler.batch(step) for step in range(len(sampler))]
    assert len(loader) == len(sampler)
