"""Neighbours are those of the definition, whatever the rows are, and the proof that no other is nearer is right."""

from importlib import import_module
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from shoal.difficulty import nearest
from shoal.difficulty.brute import nearest_by_definition
from shoal.difficulty.different import groups_of
from shoal.difficulty.nearest import AROUND, NUMBERS_AT_ONCE, QUERIES_AT_ONCE, SPARE, _Search
from shoal.difficulty.tables import DirectTables, ProductTables, Table
from shoal.errors import InputError

SIZES = [1, 2, 31, 32, 33, 63, 100, 1025, 4097]  # around the 32 of a block and the 4096 of a tile
METRICS = ["euclidean", "cosine"]
DIMS = [3, 40]  # distances by differences, and by products


def rows(n: int, dim: int, seed: int = 0) -> Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


def others_by_definition(references: Tensor, own: list[int], k: int, metric: str) -> list[list[int]]:
    """Neighbours of some references among the others: the definition takes them as queries, and they are left out."""
    found = nearest_by_definition(references, references[own], k + 1, metric=metric)
    return [[other for other in line if other != at][:k] for at, line in zip(own, found, strict=True)]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("n", SIZES)
def test_equals_the_definition(n: int, dim: int, metric: str) -> None:
    references, queries = rows(n, dim), rows(6 if n < 1000 else 2, dim, seed=1)
    whole = nearest_by_definition(references, queries, n, metric=metric)
    for k in {1, 2, 30, n // 2, n - 1, n} & set(range(1, n + 1)):
        assert nearest(references, queries, k, metric=metric).index.tolist() == [line[:k] for line in whole]
    own = [0, n // 3, n - 1] if n < 1000 else [n - 1]
    whole = others_by_definition(references, own, n - 1, metric)
    for k in {1, 2, 30, n // 2, n - 1} & set(range(1, n)) if n < 1000 else {30}:
        found = nearest(references, None, k, metric=metric).index[own]
        assert found.tolist() == [line[:k] for line in whole]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dim", DIMS)
def test_equals_the_definition_for_every_number_of_neighbours(dim: int, metric: str) -> None:
    references = rows(33, dim)
    whole = nearest_by_definition(references, None, 32, metric=metric)
    for k in range(1, 33):
        assert nearest(references, None, k, metric=metric).index.tolist() == [line[:k] for line in whole]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dim", DIMS)
def test_rows_that_occur_often_and_rows_of_zeros(dim: int, metric: str) -> None:
    """Seven different rows, one of them zero and one twice another, which has its direction."""
    kinds = rows(7, dim)
    kinds[2], kinds[5] = 0, 2 * kinds[4]
    references = kinds[torch.randint(7, (70,), generator=torch.Generator().manual_seed(3))]
    queries = torch.cat([kinds, rows(3, dim, seed=1)])
    whole = nearest_by_definition(references, queries, 70, metric=metric)
    for k in (1, 2, 8, 9, 10, 11, 30, 69, 70):
        assert nearest(references, queries, k, metric=metric).index.tolist() == [line[:k] for line in whole]
    whole = nearest_by_definition(references, None, 69, metric=metric)
    for k in (1, 2, 8, 9, 10, 11, 30, 69):
        assert nearest(references, None, k, metric=metric).index.tolist() == [line[:k] for line in whole]


def test_rows_that_are_all_alike() -> None:
    found = nearest(torch.ones(50, 40), None, 3)
    assert found.index[[0, 1, 2, 3, 49]].tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2], [0, 1, 2]]
    assert torch.equal(found.distance, torch.zeros(50, 3, dtype=torch.float64))


def test_zeros_are_alike_and_have_no_cosine_with_others() -> None:
    references = torch.tensor([[0.0, 0.0], [1.0, 0.1], [-1.0, 0.0], [0.0, 0.0]])
    found = nearest(references, torch.tensor([[0.0, 0.0], [1.0, 0.0]]), 4, metric="cosine")
    assert found.index.tolist() == [[0, 3, 1, 2], [1, 0, 3, 2]]
    assert found.distance[0].tolist() == pytest.approx([0, 0, 1, 1])
    assert found.distance[1].tolist() == pytest.approx([1 - 1 / 1.01**0.5, 1, 1, 2])


@pytest.mark.parametrize("dim", DIMS)
def test_distances(dim: int) -> None:
    references, queries = rows(20, dim), rows(5, dim, seed=1)
    far = torch.cdist(queries.double(), references.double(), compute_mode="donot_use_mm_for_euclid_dist")
    found = nearest(references, queries, 20)
    assert torch.allclose(found.distance, far.gather(1, found.index), rtol=1e-12)
    cosine = torch.cosine_similarity(queries.double()[:, None], references.double()[None], dim=2)
    found = nearest(references, queries, 20, metric="cosine")
    assert torch.allclose(found.distance, 1 - cosine.gather(1, found.index), rtol=0, atol=1e-12)
    assert bool((found.distance.diff(dim=1) >= 0).all())


# Close rows, far away: what a product of matrices rounds away

STEP = 2.0**-10  # of float32 numbers around 10,000


def close_rows(n: int, dim: int = 64, seed: int = 0) -> Tensor:
    """Rows about 10,000 from the origin in every dimension, a few steps from each other; exact in float32."""
    return 10_000 + STEP * torch.randint(-3, 4, (n, dim), generator=torch.Generator().manual_seed(seed))


def twogroups_of(close: int, spread: int = 300) -> Tensor:
    """Close rows, and rows on the other side of the origin, so that the mean of all is close to neither."""
    return torch.cat([close_rows(close), -10_000 + 1000 * rows(spread, 64, seed=5)])


def by_product(references: Tensor, queries: Tensor, k: int) -> Tensor:
    """What everybody does: ‖r‖² − 2 q·r in float32, the k least."""
    squares = references.square().sum(1)
    return torch.addmm(squares, queries, references.T, alpha=-2).topk(k, 1, largest=False).indices


def test_near_ties_that_a_product_in_float32_gets_wrong() -> None:
    references, queries = close_rows(300), close_rows(20, seed=1)
    expected = torch.tensor(nearest_by_definition(references, queries, 1, metric="euclidean"))
    assert float((by_product(references, queries, 1) == expected).double().mean()) < 0.5
    assert torch.equal(nearest(references, queries, 1).index, expected)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """Numbers of candidates that searches asked for, and numbers of queries that were searched without a shortcut."""
    calls: dict[str, list[int]] = {"candidates": [], "without_shortcut": []}
    least, without = Table.least, _Search._fill_without_shortcut

    def counted_least(self: Table, rows: Tensor, count: int) -> tuple[Tensor, Tensor]:
        calls["candidates"].append(count)
        return least(self, rows, count)

    def counted_without(self: _Search, found: tuple[Tensor, Tensor], queries: Tensor, rows: Tensor) -> None:
        calls["without_shortcut"] += [len(rows)] * bool(len(rows))
        without(self, found, queries, rows)

    monkeypatch.setattr(Table, "least", counted_least)
    monkeypatch.setattr(_Search, "_fill_without_shortcut", counted_without)
    return calls


FIRST, SECOND, THIRD = (5 + spare for spare in SPARE)


@pytest.mark.parametrize(
    ("close", "queries", "candidates", "without"),
    [
        (3, 20, [FIRST], []),  # fewer close rows than candidates: sure at once
        (40, 20, [FIRST, SECOND], []),  # sure with more candidates
        (150, 20, [FIRST, SECOND, THIRD], []),  # with many more
        (400, 20, [FIRST, SECOND, THIRD, FIRST], []),  # around one of them
        (400, AROUND[1], [FIRST, SECOND, THIRD], [AROUND[1]]),  # too few for that
    ],
)
def test_queries_that_are_not_sure_are_searched_again(
    close: int, queries: int, candidates: list[int], without: list[int], calls: dict[str, list[int]]
) -> None:
    references, asked = twogroups_of(close), close_rows(queries, seed=1)
    found = nearest(references, asked, 5)
    assert calls == {"candidates": candidates, "without_shortcut": without}
    assert found.index.tolist() == nearest_by_definition(references, asked, 5, metric="euclidean")


def test_only_queries_that_are_not_sure_are_searched_again(calls: dict[str, list[int]]) -> None:
    references = twogroups_of(400)
    queries = torch.cat([close_rows(2, seed=1), references[500:505], close_rows(1, seed=2)])
    found = nearest(references, queries, 5)
    assert calls == {"candidates": [FIRST, SECOND, THIRD], "without_shortcut": [3]}
    assert found.index.tolist() == nearest_by_definition(references, queries, 5, metric="euclidean")


@pytest.mark.parametrize("metric", METRICS)
def test_heaps_of_close_rows_are_searched_each_around_one_of_its_own(metric: str, calls: dict[str, list[int]]) -> None:
    """Layers of a network that has collapsed: a few places, and all rows within a millionth of one of them."""
    places = rows(3, 64, seed=9).repeat_interleave(300, 0) * (rows(900, 1).exp() if metric == "cosine" else 1)
    references = (places * (1 + 1e-6 * rows(900, 64, seed=8)))[torch.randperm(900, generator=torch.manual_seed(0))]
    queries = references[:60]
    found = nearest(references, queries, 5, metric=metric)
    assert len(calls["candidates"]) == 3 + 3 + 3 + 1  # all; around each heap, where those that are left are not sure
    assert calls["without_shortcut"] == []
    assert found.index.tolist() == nearest_by_definition(references, queries, 5, metric=metric)


def test_rows_that_are_all_as_far_are_searched_without_a_shortcut(calls: dict[str, list[int]]) -> None:
    """No candidates are enough where all distances are equal; and so it ends."""
    queries = torch.cat([torch.eye(40), torch.zeros(40, 400)], 1)
    references = torch.cat([torch.zeros(400, 40), torch.eye(400)], 1)
    found = nearest(references, queries, 5)
    assert calls["without_shortcut"] == [8, 16, 16]
    assert found.index.tolist() == [[0, 1, 2, 3, 4]] * 40


def test_one_row_far_away_makes_no_other_unsure(calls: dict[str, list[int]]) -> None:
    references = rows(400, 40)
    references[7] *= 1e4
    found = nearest(references, rows(30, 40, seed=1), 5)
    assert calls == {"candidates": [FIRST], "without_shortcut": []}
    assert found.index.tolist() == nearest_by_definition(references, rows(30, 40, seed=1), 5, metric="euclidean")


@pytest.mark.parametrize("metric", METRICS)
def test_parts_of_any_size_give_the_same(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds around a few of the queries that are not sure, and brute force part by part."""
    references = torch.cat([twogroups_of(300), torch.eye(300, 64).repeat_interleave(3, 0) * rows(900, 1)])
    queries = torch.cat([close_rows(60, seed=1), references[600:660]])
    expected = nearest(references, queries, 5, metric=metric)
    module = import_module("shoal.difficulty.nearest")  # the package has a function of this name
    monkeypatch.setattr(module, "AROUND", (16, 4))
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 50)
    found = nearest(references, queries, 5, metric=metric)
    assert torch.equal(found.index, expected.index)
    monkeypatch.setattr(module, "MANY", 39)  # without products
    found = nearest(references, queries, 5, metric=metric)
    assert torch.equal(found.index, expected.index)


def test_tiny_rows_need_no_brute_force(calls: dict[str, list[int]]) -> None:
    references = 1e-40 * rows(400, 40)
    found = nearest(references, None, 5)
    assert calls["without_shortcut"] == []
    assert found.index.tolist() == nearest_by_definition(references, None, 5, metric="euclidean")
    distance = (references[0].double() - references[found.index[0, 0]].double()).norm()
    assert float(found.distance[0, 0]) == pytest.approx(float(distance), rel=1e-12)


def test_another_default_dtype_changes_nothing() -> None:
    references = rows(300, 40)
    expected = nearest(references, None, 5)
    try:
        torch.set_default_dtype(torch.float64)
        assert torch.equal(nearest(references, None, 5).index, expected.index)
    finally:
        torch.set_default_dtype(torch.float32)


def test_tables_that_share_memory_are_those_of_fresh_ones() -> None:
    references, queries = rows(500, 40), rows(12, 40, seed=1)
    shared = ProductTables(references)
    for some in (slice(0, 7), slice(2, 5), slice(3, 12), slice(1, 4)):
        table, fresh = shared.table(queries[some]), ProductTables(references).table(queries[some])
        assert torch.equal(table.numbers, fresh.numbers)
        assert torch.equal(table.minima, fresh.minima)


def test_rows_that_occur_often_are_searched_once(calls: dict[str, list[int]]) -> None:
    """A layer that is dead for most examples: no search of its many equal rows ends without a shortcut."""
    references = torch.cat([torch.zeros(2000, 40), rows(300, 40)])
    found = nearest(references, None, 5)
    assert calls["without_shortcut"] == []
    assert found.index[1999].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("scale", [1e-42, 1e-30, 1e-21, 1e-19, 1e-10, 1e10, 1e17, 1e20, 1e36])
def test_rows_of_any_size(scale: float, metric: str) -> None:
    """Squares of 1e20 are infinite in float32, those of 1e-30 zero."""
    references, queries = scale * rows(80, 40), scale * rows(3, 40, seed=1)
    found = nearest(references, queries, 5, metric=metric)
    assert found.index.tolist() == nearest_by_definition(references, queries, 5, metric=metric)


def test_one_row_of_huge_numbers_among_ordinary_ones() -> None:
    references = rows(60, 40)
    references[7] *= 1e25
    whole = nearest_by_definition(references, None, 59, metric="euclidean")
    for k in (3, 59):
        assert nearest(references, None, k).index.tolist() == [line[:k] for line in whole]


@given(data=st.data(), dim=st.sampled_from([2, 3, 40]), k=st.integers(1, 12), own=st.booleans())
def test_whole_numbers(data: st.DataObject, dim: int, k: int, own: bool) -> None:
    """Many ties, and all distances exact; 40 dimensions are two of numbers and 38 of zeros."""
    row = st.lists(st.integers(-2, 2), min_size=min(dim, 3), max_size=min(dim, 3))
    drawn = lambda least: torch.tensor(data.draw(st.lists(row, min_size=least, max_size=20)), dtype=torch.float32)  # noqa: E731
    references = drawn(k + own)
    queries = None if own else drawn(1)
    wide = lambda x: torch.cat([x, torch.zeros(len(x), dim - x.shape[1])], 1)  # noqa: E731
    references, queries = wide(references), None if queries is None else wide(queries)
    expected = nearest_by_definition(references, queries, k, metric="euclidean")
    assert nearest(references, queries, k).index.tolist() == expected


@given(data=st.data(), dim=st.sampled_from([4, 40]), k=st.integers(1, 12), own=st.booleans())
def test_whole_numbers_by_cosine(data: st.DataObject, dim: int, k: int, own: bool) -> None:
    """Rows of one number, or of four of one size: their lengths are exact, so that equal directions are equal."""
    one = st.tuples(st.integers(0, 3), st.sampled_from([-4, -1, 1, 2])).map(
        lambda x: [x[1] * (i == x[0]) for i in range(4)]
    )
    four = st.tuples(st.lists(st.sampled_from([-1, 1]), min_size=4, max_size=4), st.sampled_from([1, 2, 4]))
    row = st.one_of(one, four.map(lambda x: [x[1] * sign for sign in x[0]]), st.just([0] * 4))
    drawn = lambda least: torch.tensor(data.draw(st.lists(row, min_size=least, max_size=20)), dtype=torch.float32)  # noqa: E731
    references = drawn(k + own)
    queries = None if own else drawn(1)
    wide = lambda x: torch.cat([x, torch.zeros(len(x), dim - 4)], 1)  # noqa: E731
    references, queries = wide(references), None if queries is None else wide(queries)
    expected = nearest_by_definition(references, queries, k, metric="cosine")
    assert nearest(references, queries, k, metric="cosine").index.tolist() == expected


# Tables

ROWS = {
    "ordinary": (rows(500, 40), rows(60, 40, seed=1)),
    "many dimensions": (rows(200, 3000), rows(40, 3000, seed=1)),
    "far away": (close_rows(500), close_rows(60, seed=1)),
    "of many sizes": (rows(500, 40) * torch.logspace(-8, 8, 500)[:, None], rows(60, 40, seed=1)),
    "all positive": (rows(500, 512).exp(), rows(60, 512, seed=1).exp()),
    "tiny": (1e-21 * rows(500, 40), 1e-21 * rows(60, 40, seed=1)),
    "equal": (rows(500, 40), rows(500, 40)[:60]),
}


@pytest.mark.parametrize("kind", ROWS)
def test_the_bound_of_products_holds(kind: str) -> None:
    references, queries = ROWS[kind]
    assert_bounded(references, queries)


@pytest.mark.parametrize("precision", ["medium", "high"])
def test_the_bound_holds_where_products_may_round_to_bfloat16(precision: str) -> None:
    """On CPUs that have it: this setting makes plain products a thousand times worse there, and is put back."""
    try:
        torch.set_float32_matmul_precision(precision)
        products = torch.backends.mkldnn.matmul  # pyright: ignore[reportAttributeAccessIssue] - torch's stub lacks it
        before = products.fp32_precision
        assert before not in ("none", "ieee")
        assert_bounded(*ROWS["all positive"])
        assert products.fp32_precision == before
    finally:
        torch.set_float32_matmul_precision("highest")


def test_the_bound_holds_under_autocast() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert_bounded(*ROWS["all positive"])


def assert_bounded(references: Tensor, queries: Tensor) -> None:
    """`lower` is below the true square distance, and by no more than is stated for rows of these sizes."""
    table = ProductTables(references).table(queries)
    true = torch.cdist(queries.double(), references.double(), compute_mode="donot_use_mm_for_euclid_dist").square()
    squares = references.double().square().sum(1)[None] + queries.double().square().sum(1)[:, None]
    share = 2 * (references.shape[1] + 8) * torch.finfo(torch.float32).eps
    stated = share * squares + 8 * (references.shape[1] + 2) * torch.finfo(torch.float32).tiny
    every = torch.arange(len(queries))
    for column in range(len(references)):
        below = true[:, column] - table.lower(table.numbers[:, column], every).double()
        assert bool((below >= 0).all())
        assert bool((below <= stated[:, column]).all())


def test_the_bound_is_of_use() -> None:
    """It is far below usual distances, so that most queries are sure at once."""
    references, queries = ROWS["ordinary"]
    table = ProductTables(references).table(queries)
    every = torch.arange(len(queries))
    assert bool((table.lower(table.numbers[:, 0], every) > 0.99 * (references[0] - queries).square().sum(1)).all())


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("dim", DIMS)
def test_the_least_of_a_table_are_the_least(n: int, dim: int) -> None:
    references, queries = rows(n, dim), rows(5, dim, seed=1)
    tables = ProductTables(references) if dim > 32 else DirectTables(references.double())
    table = tables.table(queries.to(references.dtype if dim > 32 else torch.float64))
    asked = torch.tensor([4, 0, 2])
    for count in {1, 7, n // 2, n} & set(range(1, n + 1)):
        columns, bound = table.least(asked, count)
        numbers = table.numbers[asked]
        least = numbers[:, :n].sort(1).values[:, :count]
        assert torch.equal(numbers.gather(1, columns), least)
        assert int(columns.max()) < n
        assert all(len(set(line)) == count for line in columns.tolist())
        assert torch.equal(bound, table.lower(least[:, -1], asked))


@pytest.mark.parametrize(("metric", "dim", "kind"), [
    ("euclidean", 1, DirectTables), ("euclidean", 32, DirectTables), ("euclidean", 33, ProductTables),
    ("cosine", 30, DirectTables), ("cosine", 40, ProductTables),
])  # fmt: skip
def test_few_dimensions_are_measured_by_differences(
    metric: str, dim: int, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[type] = []
    for other in (DirectTables, ProductTables):
        original = other.table

        def counted(self: Any, queries: Tensor, original: Any = original) -> Table:
            made.append(type(self))
            return original(self, queries)

        monkeypatch.setattr(other, "table", counted)
    nearest(rows(50, dim), None, 3, metric=metric)
    assert made == [kind]


class Largest(TorchDispatchMode):
    """The most numbers of one tensor that was made."""

    numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        made = [x for x in tree_leaves(found) if isinstance(x, Tensor)]
        # what is only expanded, or a view, takes no memory
        sizes = [x.untyped_storage().nbytes() // x.element_size() for x in made]
        self.numbers = max([self.numbers, *sizes])
        return found


@pytest.mark.parametrize("different", [3000, 700])
@pytest.mark.parametrize("k", [30, pytest.param(500, marks=pytest.mark.slow)])
def test_memory_is_that_of_a_few_queries(k: int, different: int) -> None:
    """Never all pairs: tables are of 512 queries, and what is measured again goes in parts."""
    references = rows(different, 40).repeat(3000 // different + 1, 1)[:3000]
    with Largest() as largest:
        nearest(references, None, k)
    parts = QUERIES_AT_ONCE * (3000 + 32), 3000 * (k + 1), NUMBERS_AT_ONCE
    assert largest.numbers <= max(parts) < 3000**2 / 4


def test_no_queries() -> None:
    found = nearest(rows(5, 3), rows(0, 3), 2)
    assert found.index.shape == found.distance.shape == (0, 2)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_dtypes_are_measured_as_float32(dtype: torch.dtype) -> None:
    references = rows(60, 40).to(dtype)
    assert torch.equal(nearest(references, None, 4).index, nearest(references.float(), None, 4).index)


def test_gradients_and_arguments_are_left_alone() -> None:
    references = rows(60, 40).requires_grad_()
    before = references.detach().clone()
    found = nearest(references, references[:3], 2)
    assert not found.distance.requires_grad
    assert torch.equal(references.detach(), before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 0}, "k: expected a whole number >= 1, got 0"),
        ({"k": True}, "k: expected a whole number >= 1, got True"),
        ({"k": 21}, "k: expected at most the 20 references, got 21; give more references or a smaller k"),
        ({"k": 20, "queries": None}, "k: expected at most the 19 other references, got 20"),
        ({"references": rows(0, 3)}, "k: expected at most the 0 references, got 2"),
        ({"references": rows(1, 3), "queries": None}, "k: expected at most the 0 other references, got 2"),
        ({"metric": "manhattan"}, 'metric: expected "euclidean" or "cosine", got \'manhattan\''),
        ({"references": rows(20, 3) / 0}, "references: expected finite numbers, .* got NaN or infinity"),
        ({"queries": rows(4, 3) * torch.nan}, "queries: expected finite numbers, .* got NaN or infinity"),
        ({"queries": rows(4, 3).double() * 1e60}, "queries: expected finite numbers, as float32 holds them"),
        ({"references": rows(20, 0), "queries": None}, r"references: expected rows \[n, dim\], got \[20, 0\]"),
    ],
)
def test_wrong_arguments_are_refused(change: dict[str, Any], message: str) -> None:
    arguments = {"references": rows(20, 3), "queries": rows(4, 3), "k": 2, "metric": "euclidean"} | change
    with pytest.raises(InputError, match=f"^{message}") as caught:
        nearest(arguments["references"], arguments["queries"], arguments["k"], metric=arguments["metric"])
    assert "\n" not in str(caught.value)


def test_equal_rows_are_grouped_as_torch_does() -> None:
    """Also where sums of bits agree by accident: the weights are the same for all rows, so two swaps can be made to."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(-2, 3, (500, 3), generator=generator).float() * torch.tensor([0.5, 1.0, -1.0])
    rows[::50] = 0.0
    rows[25::50] = -0.0
    group, sizes = groups_of(rows)
    _, expected, counts = torch.unique(rows, dim=0, return_inverse=True, return_counts=True)
    assert torch.equal(sizes.sort().values, counts.sort().values)
    assert torch.equal(group[:, None] == group[None], expected[:, None] == expected[None])


def test_sums_that_agree_by_accident_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """With weights of 1, every order of the same numbers has the same sum."""
    real = torch.randint

    def ones(*args: object, **options: object) -> Tensor:
        return torch.zeros_like(real(*args, **options))  # type: ignore[call-overload]  # 2 · 0 + 1

    rows = torch.tensor([[1.0, 2.0], [2.0, 1.0], [1.0, 2.0]])
    monkeypatch.setattr(torch, "randint", ones)
    group, sizes = groups_of(rows)
    assert sorted(sizes.tolist()) == [1, 2]
    assert group[0] == group[2] != group[1]
