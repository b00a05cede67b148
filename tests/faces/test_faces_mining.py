"""Mined triplets are those of the definition, on the same distances, whatever the batch looks like."""

import inspect
import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from shoal.errors import InputError
from shoal.faces import mining_loops, mining_numba, mining_torch
from shoal.faces.losses import MINING, TripletLoss
from shoal.faces.mining import mine_hardest, mine_random, mine_semi_hard, semi_hard_triplets
from shoal.faces.mining_distances import squared_distances
from shoal.faces.mining_lists import all_triplets, mine_all
from shoal.faces.triplets import Identities, Triplets
from tests.faces import oracle

BATCHES = 800
NO_NUMBA = mining_numba.why_not()
needs_numba = pytest.mark.skipif(bool(NO_NUMBA), reason=f"needs numba, an extra: {NO_NUMBA}")


def unit_rows(batch: int, dim: int, seed: int = 0) -> Tensor:
    return F.normalize(torch.randn(batch, dim, generator=torch.Generator().manual_seed(seed)))


def by_loop(far: Tensor, labels: Tensor) -> list[oracle.Triplet]:
    """The loop that numba compiles, as the plain Python that it is."""
    people = Identities.of(labels)
    negative = np.zeros(people.number_of_pairs, np.int64)
    if len(negative):
        parts = (far, people.order, people.start, people.count, people.first)
        inspect.unwrap(mining_loops.semi_hard_loop)(*(part.numpy() for part in parts), negative)
    return oracle.as_list(Triplets(*people.pairs(), torch.from_numpy(negative)))


# Semi-hard, on distances that are given


@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("backend", ["torch", pytest.param("numba", marks=needs_numba)])
def test_semi_hard_on_given_distances(backend: str, part: int) -> None:
    """With ties, asymmetric, in all dtypes; people with one image, one person only, nobody twice."""
    chance = random.Random(part)
    seen = 0
    for _ in range(BATCHES):
        labels = oracle.draw_labels(chance)
        far = oracle.draw_distances(chance, len(labels))
        found = semi_hard_triplets(far, torch.tensor(labels), backend=backend)
        assert oracle.as_list(found) == oracle.semi_hard(far.tolist(), labels)
        seen += len(found)
    assert seen > 10 * BATCHES


def test_semi_hard_by_the_loop_for_numba() -> None:
    chance = random.Random(5)
    for _ in range(BATCHES // 3):
        labels = oracle.draw_labels(chance)
        far = oracle.draw_distances(chance, len(labels)).float()
        assert by_loop(far, torch.tensor(labels)) == oracle.semi_hard(far.tolist(), labels)


@pytest.mark.parametrize("people", [1, 2, 5, 40, 200])
@pytest.mark.parametrize("backend", ["torch", "loop", pytest.param("numba", marks=needs_numba)])
def test_larger_batches(backend: str, people: int) -> None:
    """More than a block of anchors, numbers of images around powers of two, and ties among many."""
    generator = torch.Generator().manual_seed(people)
    labels = torch.randint(people, (200 if backend == "loop" else 700,), generator=generator)
    labels[:17], labels[17:50] = people, people + 1  # 17 and 33 images
    far = (4 * torch.rand(len(labels), len(labels), generator=generator) * 16).round() / 16
    if backend == "loop":
        found = by_loop(far, labels)
    else:
        found = oracle.as_list(semi_hard_triplets(far, labels, backend=backend))
    at = torch.randint(len(found), (300,), generator=generator).tolist()
    numbers, who = far.numpy(), labels.numpy()
    for anchor, positive, negative in (found[pair] for pair in at):
        rows = np.flatnonzero(who != who[anchor])
        beyond = rows[numbers[anchor, rows] > numbers[anchor, positive]]
        closest = beyond[numbers[anchor, beyond].argmin()] if len(beyond) else rows[numbers[anchor, rows].argmax()]
        assert negative == closest


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(8)
    for _ in range(100):
        labels = torch.tensor(oracle.draw_labels(chance))
        far = oracle.draw_distances(chance, len(labels))
        whole = oracle.as_list(semi_hard_triplets(far, labels))
        for numbers in (1, 40, 100):
            monkeypatch.setattr(mining_torch, "NUMBERS_AT_ONCE", numbers)
            assert oracle.as_list(semi_hard_triplets(far, labels)) == whole
        monkeypatch.undo()


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_any_scale_of_distances(scale: float) -> None:
    """Packed into the bits of an integer, distances of 2 and more would pass a sentinel of 1 << 62."""
    labels = [0, 0, 0, 1, 1, 2]
    far = 3.9 * scale * torch.rand(6, 6, generator=torch.Generator().manual_seed(1))
    assert oracle.as_list(semi_hard_triplets(far, torch.tensor(labels))) == oracle.semi_hard(far.tolist(), labels)


# All rules, on embeddings


@pytest.mark.parametrize("rule", list(oracle.RULES))
def test_rules_on_embeddings(rule: str) -> None:
    """Duplicates and near ones included: the definition gets the distances that the miner reads."""
    mine: Callable[..., Triplets] = {"semi-hard": mine_semi_hard, "hardest": mine_hardest, "all": mine_all}[rule]
    chance = random.Random(9)
    for _ in range(BATCHES // 2):
        labels = oracle.draw_labels(chance)
        embeddings = oracle.draw_embeddings(chance, len(labels))
        far = squared_distances(embeddings).tolist()
        assert oracle.as_list(mine(embeddings, torch.tensor(labels))) == oracle.RULES[rule](far, labels)


def test_random_negatives_are_negatives_and_all_equally_likely() -> None:
    labels = torch.tensor([3, 1, 3, 2, 2, 5, 1, 3])
    embeddings = unit_rows(8, 4)
    drawn = torch.zeros(8, 8)
    for seed in range(400):
        triplets = mine_random(embeddings, labels, seed=seed)
        assert (labels[triplets.anchor] == labels[triplets.positive]).all()
        assert (labels[triplets.anchor] != labels[triplets.negative]).all()
        drawn.index_put_((triplets.anchor, triplets.negative), torch.ones(()), accumulate=True)
    for anchor in (0, 1, 3):
        mine = drawn[anchor, labels != labels[anchor]]
        expected = mine.sum() / len(mine)
        assert ((mine - expected).square() / expected).sum() < 25  # chi-squared of 4 or 5 degrees: 1 in 10,000


def test_random_is_a_function_of_the_seed() -> None:
    labels, embeddings = torch.arange(40) % 8, unit_rows(40, 4)
    one, same, other = (oracle.as_list(mine_random(embeddings, labels, seed=seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_pairs_are_all_and_in_order() -> None:
    chance = random.Random(11)
    for _ in range(300):
        labels = oracle.draw_labels(chance)
        people = Identities.of(torch.tensor(labels))
        anchor, positive = people.pairs()
        assert list(zip(anchor.tolist(), positive.tolist(), strict=True)) == oracle.pairs(labels)
        assert people.count_triplets() == len(oracle.every(labels))


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_all_triplets_in_blocks(at_once: int) -> None:
    labels = oracle.draw_labels(random.Random(13))
    found = [
        triplet for block in all_triplets(torch.tensor(labels), at_once=at_once) for triplet in oracle.as_list(block)
    ]
    assert found == oracle.every(labels)


def test_more_triplets_than_the_limit_are_not_listed() -> None:
    labels = torch.arange(90) // 30  # 90 · 29 · 60
    with pytest.raises(InputError, match=r"all triplets: expected at most 1,000, got 156,600 \(0.0 GB\); go through"):
        mine_all(unit_rows(90, 4), labels, limit=1000)
    assert len(mine_all(unit_rows(90, 4), labels)) == 156_600


# Precision, memory, devices


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_compared_in_float32(dtype: torch.dtype) -> None:
    labels, embeddings = torch.arange(60) % 12, unit_rows(60, 8).to(dtype)
    assert oracle.as_list(mine_semi_hard(embeddings, labels)) == oracle.as_list(
        mine_semi_hard(embeddings.float(), labels)
    )
    far = squared_distances(embeddings.float()).to(dtype)  # thousands of ties
    expected = oracle.semi_hard(far.tolist(), labels.tolist())
    assert oracle.as_list(semi_hard_triplets(far, labels)) == expected


def test_autocast_does_not_round_distances() -> None:
    labels, embeddings = torch.arange(60) % 12, unit_rows(60, 8)
    plain = oracle.as_list(mine_semi_hard(embeddings, labels))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert oracle.as_list(mine_semi_hard(embeddings, labels)) == plain


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int32])
def test_labels_of_any_whole_type(dtype: torch.dtype) -> None:
    labels, embeddings = torch.arange(30) % 7, unit_rows(30, 4)
    assert oracle.as_list(mine_semi_hard(embeddings, labels.to(dtype))) == oracle.as_list(
        mine_semi_hard(embeddings, labels)
    )


def test_distances_are_those_of_differences() -> None:
    rows = 3 * torch.randn(600, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rows[300:310] = rows[0]
    expected = (rows[:, None] - rows).square().sum(2)
    assert torch.allclose(squared_distances(rows), expected, rtol=1e-12, atol=1e-12)
    single = squared_distances(rows.float())
    assert torch.allclose(single.double(), expected, rtol=1e-4, atol=1e-4)
    assert single.min() >= 0


class Largest(TorchDispatchMode):
    """Remembers how many numbers the largest tensor has that any operation makes."""

    numbers = 0

    def __torch_dispatch__(self, func: Callable, types: object, args: tuple = (), kwargs: dict | None = None) -> object:
        found = func(*args, **(kwargs or {}))
        self.numbers = max(
            [
                self.numbers,
                *(
                    x.untyped_storage().nbytes() // x.element_size()
                    for x in tree_leaves(found)
                    if isinstance(x, Tensor)
                ),
            ]
        )
        return found


@pytest.mark.parametrize("rule", MINING)
def test_no_tensor_is_larger_than_the_matrix_of_distances(rule: str) -> None:
    """Neither batch³, nor a row of numbers for each triplet: forward and backward."""
    batch, dim = 1024, 128
    labels = torch.arange(batch) // 32
    embeddings = unit_rows(batch, dim).requires_grad_()
    with Largest() as largest:
        TripletLoss(mining=rule, backend="torch")(embeddings, labels).backward()
    assert batch * 31 * dim > batch**2  # a row for each pair would show
    assert largest.numbers <= batch**2


def test_embeddings_are_left_alone() -> None:
    labels, embeddings = torch.arange(30) % 7, unit_rows(30, 4).requires_grad_()
    before = embeddings.detach().clone()
    for mine in (mine_semi_hard, mine_hardest, mine_random, mine_all):
        mine(embeddings, labels)
    far = squared_distances(embeddings.detach())
    kept = far.clone()
    semi_hard_triplets(far, labels)
    assert torch.equal(embeddings, before)
    assert torch.equal(far, kept)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_the_same_indices_on_a_gpu() -> None:
    chance = random.Random(17)
    for _ in range(100):
        labels = torch.tensor(oracle.draw_labels(chance))
        far = oracle.draw_distances(chance, len(labels))
        there = semi_hard_triplets(far.cuda(), labels.cuda())
        assert oracle.as_list(there) == oracle.as_list(semi_hard_triplets(far, labels))
        rows = unit_rows(len(labels), 4).cuda()
        assert oracle.as_list(mine_random(rows, labels, seed=3)) == oracle.as_list(
            mine_random(rows.cpu(), labels, seed=3)
        )
