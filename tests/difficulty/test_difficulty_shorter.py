"""Shorter rows: never farther apart, and neighbours found by them are those of brute force."""

from collections.abc import Callable
from importlib import import_module

import pytest
import torch
from torch import Tensor

from shoal.difficulty import nearest
from shoal.difficulty.nearest import _Search
from shoal.difficulty.shorter import Shorter
from shoal.difficulty.tables import ProductTables
from tests.difficulty.test_difficulty_nearest import METRICS, rows


def along_few(n: int, dim: int, seed: int = 0) -> Tensor:
    """Rows that differ along few directions, as pixels do: the i-th of them by 1 / i²."""
    turn, _ = torch.linalg.qr(rows(dim, dim, seed=99))
    return rows(n, dim, seed=seed) / torch.arange(1, dim + 1) ** 2 @ turn


def square_distances(one: Tensor, other: Tensor) -> Tensor:
    return torch.cdist(one.double(), other.double(), compute_mode="donot_use_mm_for_euclid_dist").square()


KINDS = {
    "along few directions": (along_few(200, 60), along_few(40, 60, seed=1)),
    "along all": (rows(200, 60), rows(40, 60, seed=1)),
    "along one": (rows(200, 1) * rows(1, 60), rows(40, 1, seed=1) * rows(1, 60)),
    "far away": (1000 + along_few(200, 60), 1000 + along_few(40, 60, seed=1)),
    "all alike": (torch.ones(200, 60), rows(40, 60)),
    "of many sizes": (along_few(200, 60) * torch.logspace(-8, 8, 200)[:, None], along_few(40, 60, seed=1)),
}


@pytest.mark.parametrize("numbers", [1, 7, 20, 60])
@pytest.mark.parametrize("kind", KINDS)
def test_shorter_rows_are_never_farther_apart(kind: str, numbers: int) -> None:
    """But for rounding, which is stated."""
    references, queries = KINDS[kind]
    shorter = Shorter(references[:120], numbers)
    short = [shorter(x) for x in (references, queries)]
    assert all(x.shape[1] == numbers + 1 for x in short)
    assert all(torch.allclose(x.norm(dim=1), y.norm(dim=1)) for x, y in zip(short, (references, queries), strict=True))
    sizes = queries.double().norm(dim=1)[:, None] + references.double().norm(dim=1)
    allowed = (shorter.rounding + 2 * torch.finfo(torch.float32).eps) * sizes
    apart, true = square_distances(short[1], short[0]).sqrt(), square_distances(queries, references).sqrt()
    assert bool((apart <= true + allowed).all())


def test_shorter_rows_keep_what_most_rows_differ_by() -> None:
    references, queries = KINDS["along few directions"]
    shorter = Shorter(references[:120], 20)
    share = square_distances(shorter(queries), shorter(references)) / square_distances(queries, references)
    assert float(share.median()) > 0.95


@pytest.mark.parametrize("kind", KINDS)
def test_the_bound_of_products_of_shorter_rows_holds(kind: str) -> None:
    references, queries = KINDS[kind]
    shorter = Shorter(references[:120], 20)
    table = ProductTables(references, shorter, rounding=shorter.rounding).table(shorter(queries))
    true, every = square_distances(queries, references), torch.arange(len(queries))
    for column in range(len(references)):
        assert bool((table.lower(table.numbers[:, column], every).double() <= true[:, column]).all())


def test_rounding_is_paid_for() -> None:
    references = rows(20, 60)
    kept = [ProductTables(references, rounding=rounding).kept for rounding in (0.0, 1e-4)]
    assert kept[0] - kept[1] == pytest.approx(4e-4, rel=1e-2)


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Which ways were taken, and for how many queries; shorter rows are tried from 40 dimensions on."""
    taken: list[tuple[str, int]] = []
    module = import_module("shoal.difficulty.nearest")  # the package has a function of this name
    monkeypatch.setattr(module, "WIDE", 40)
    monkeypatch.setattr(module, "QUERIES_AT_ONCE", 64)
    around = _Search._fill_around

    def fill_around(
        self: _Search, found: tuple[Tensor, Tensor], queries: Tensor, rows: Tensor, middle: Tensor
    ) -> Tensor:
        taken.append(("whole", len(rows)))
        return around(self, found, queries, rows, middle)

    monkeypatch.setattr(_Search, "_fill_around", fill_around)
    return taken


def brute_force(references: Tensor, queries: Tensor, k: int, metric: str) -> Tensor:
    one, other = (x.double() for x in (queries, references))
    if metric == "cosine":
        one, other = (x / x.norm(dim=1, keepdim=True) for x in (one, other))
    return square_distances(one, other).sort(dim=1, stable=True).indices[:, :k]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("kind", "whole"), [(along_few, 0), (rows, 1)])
def test_neighbours_by_shorter_rows(
    kind: Callable[..., Tensor], whole: int, metric: str, ways: list[tuple[str, int]]
) -> None:
    """Where rows differ along few directions hardly a query needs whole rows; where along all, it is given up."""
    references, queries = kind(1500, 60), kind(400, 60, seed=1)
    found = nearest(references, queries, 5, metric=metric)
    assert torch.equal(found.index, brute_force(references, queries, 5, metric))
    assert (ways[0][1] > 300) == bool(whole)


def test_training_examples_among_each_other_by_shorter_rows(ways: list[tuple[str, int]]) -> None:
    references = along_few(1500, 60)
    found = nearest(references, None, 5)
    assert torch.equal(found.index, brute_force(references, references, 6, "euclidean")[:, 1:])
    assert ways[0][1] < 150


def test_few_queries_or_references_do_without(ways: list[tuple[str, int]]) -> None:
    """Finding directions takes time."""
    references = along_few(1500, 60)
    nearest(references, references[:300], 5)
    nearest(references[:1200], references, 5)
    assert [count for _, count in ways] == [300, 1500]
