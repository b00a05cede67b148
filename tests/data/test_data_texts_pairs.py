"""Pairs in memory: taken, de-duplicated, and split so that nothing that hangs together is in two parts."""

import random
import re

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from shoal.data.texts import TextPairs, TextSplits, deduplicate, split_pairs, with_test_rows
from shoal.data.texts.pairs import normalise, opening
from shoal.data.texts.splits import components, rows_of, split_rows
from shoal.errors import InputError


def toy(n: int, *, groups: tuple[str, ...] = (), prefix: str = "") -> TextPairs:
    return TextPairs(
        documents=tuple(f"{prefix} text of number {i}" for i in range(n)),
        summaries=tuple(f"{prefix} number {i}" for i in range(n)),
        name="toy",
        groups=groups,
    )


def hang_together(pairs: TextPairs, one: int, other: int) -> bool:
    same_group = bool(pairs.groups) and pairs.groups[one] == pairs.groups[other] != ""
    keys = ((normalise, pairs.documents), (opening, pairs.documents), (normalise, pairs.summaries))
    return same_group or any(key(texts[one]) == key(texts[other]) for key, texts in keys)


class TestPairs:
    def test_parts_must_fit(self):
        with pytest.raises(InputError, match="summaries: expected one for each of 2 documents, got 1"):
            TextPairs(documents=("a", "b"), summaries=("c",), name="toy")
        with pytest.raises(InputError, match="summaries: expected no empty text, got an empty one in row 1"):
            TextPairs(documents=("a", "b"), summaries=("c", " \n"), name="toy")
        with pytest.raises(InputError, match="groups: expected one for each of 2 rows, or none, got 1"):
            TextPairs(documents=("a", "b"), summaries=("c", "d"), groups=("g",), name="toy")
        with pytest.raises(InputError, match="references: expected at least one for each of 1 rows"):
            TextPairs(documents=("a",), summaries=("c",), references=((),), name="toy")

    def test_rows_are_taken_with_all_that_belongs_to_them(self):
        pairs = TextPairs(
            documents=("a", "b", "c"),
            summaries=("x", "y", "z"),
            references=(("x",), ("y", "Y"), ("z",)),
            groups=("1", "2", "3"),
            name="toy",
        )
        two = pairs.take([2, 1])
        assert (two.documents, two.summaries, two.groups) == (("c", "b"), ("z", "y"), ("3", "2"))
        assert two.references == (("z",), ("y", "Y"))
        assert len(pairs.take(())) == 0
        with pytest.raises(InputError, match="rows: expected 0 to 2, got -1"):
            pairs.take([-1])

    def test_splits_without_test_rows_report_on_validation_rows(self):
        some = toy(3)
        parts = {"name": "toy", "source": "here", "train": some, "validation": some.take([1])}
        assert TextSplits(**parts, test=some.take(())).held_out.summaries == (" number 1",)
        splits = TextSplits(**parts, test=some.take([0]))
        assert splits.held_out.summaries == (" number 0",)
        assert str(splits) == "toy: 3 + 1 + 1 pairs of document and summary"
        assert "<td>train</td><td>3</td>" in splits._repr_html_()

    def test_rows_for_testing_are_not_those_that_choices_are_made_with(self):
        many, few = toy(100), toy(5, prefix="other")
        parts = {"name": "toy", "source": "here", "train": many, "validation": few}
        splits = with_test_rows(TextSplits(**parts, test=many.take(())))
        assert splits.test is few
        assert (len(splits.train), len(splits.validation)) == (90, 10)
        assert not {*splits.train.documents} & {*splits.validation.documents}
        whole = TextSplits(**parts, test=many.take([0]))
        assert with_test_rows(whole) is whole


class TestDeduplicate:
    @given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("uvwxyz")), min_size=1, max_size=30))
    def test_nothing_occurs_twice_and_nothing_else_is_dropped(self, rows: list[tuple[str, str]]):
        documents, summaries = zip(*rows, strict=True)
        found = deduplicate(TextPairs(documents=documents, summaries=summaries, name="toy"))
        slow = [row for i, row in enumerate(rows) if not any(row[0] == a or row[1] == b for a, b in rows[:i])]
        assert list(zip(found.documents, found.summaries, strict=True)) == slow

    def test_rows_that_are_held_out_count_as_seen(self):
        pairs = toy(5)
        assert deduplicate(pairs, against=pairs.take([1, 3])).summaries == pairs.take([0, 2, 4]).summaries


class TestSplit:
    @given(
        st.lists(st.tuples(st.integers(0, 200), st.integers(0, 200), st.integers(0, 200)), min_size=6, max_size=60),
        st.integers(0, 6),
        st.integers(0, 6),
        st.integers(0, 2**40),
    )
    def test_no_component_crosses(self, rows: list[tuple[int, int, int]], validation: int, test: int, seed: int):
        pairs = TextPairs(
            documents=tuple(f"text {d}" for d, _, _ in rows),
            summaries=tuple(f"summary {s}" for _, s, _ in rows),
            groups=tuple(f"g{g}" if g else "" for _, _, g in rows),
            name="toy",
        )
        try:
            parts = split_rows(pairs, validation=validation, test=test, seed=seed)
        except InputError as refusal:
            event("refused")
            assert re.search("hang together|fewer held-out rows", str(refusal))  # noqa: PT017 - it may be impossible
            return
        assert sorted(row for part in parts for row in part) == list(range(len(rows)))
        assert all(list(part) == sorted(part) for part in parts)
        for i, part in enumerate(parts):
            for other in parts[i + 1 :]:
                assert not any(hang_together(pairs, a, b) for a in part for b in other)
        for asked, part in zip((validation, test), parts[1:], strict=True):
            assert asked / 2 <= len(part) <= 2 * asked
        assert parts[0]

    @given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(0, 4)), min_size=1, max_size=25))
    def test_components_are_those_of_a_slow_search(self, rows: list[tuple[int, int, int]]):
        pairs = TextPairs(
            documents=tuple(f"text {d}" for d, _, _ in rows),
            summaries=tuple(f"summary {s}" for _, s, _ in rows),
            groups=tuple(f"g{g}" if g else "" for _, _, g in rows),
            name="toy",
        )
        reached: list[set[int]] = []
        for start in range(len(rows)):
            seen, todo = {start}, [start]
            while todo:
                row = todo.pop()
                new = {o for o in range(len(rows)) if o not in seen and hang_together(pairs, row, o)}
                seen |= new
                todo += new
            if seen not in reached:
                reached.append(seen)
        assert [set(part) for part in components(pairs)] == reached

    def test_sizes_are_as_asked_where_rows_are_free(self):
        pairs = toy(1_000)
        assert [len(part) for part in split_pairs(pairs, validation=123, test=0.05, seed=1)] == [827, 123, 50]
        assert [len(part) for part in split_pairs(pairs)] == [800, 100, 100]
        assert [len(part) for part in split_pairs(pairs, validation=0, test=0)] == [1_000, 0, 0]
        assert [rows_of(None, n, "test") for n in (5, 500, 60_000)] == [1, 50, 2_000]

    def test_the_seed_decides_and_nothing_else(self):
        pairs = toy(300)
        rows = split_rows(pairs, validation=30, test=30, seed=5)
        assert rows == split_rows(pairs, validation=30, test=30, seed=5)
        assert rows != split_rows(pairs, validation=30, test=30, seed=6)
        assert rows[2] == split_rows(pairs, validation=10, test=30, seed=5)[2]

    def test_a_family_does_not_fill_what_is_held_out(self):
        groups = tuple("family" if i < 40 else "" for i in range(800))
        for seed in range(5):
            held_out = split_rows(toy(800, groups=groups), validation=50, test=50, seed=seed)[1:]
            assert all(row >= 40 for part in held_out for row in part)

    def test_large_components_are_taken_where_there_are_no_small_ones(self):
        groups = tuple(str(i // 10) for i in range(100))
        train, validation, test = split_pairs(toy(100, groups=groups), validation=20, test=7, seed=0)
        assert (len(train), len(validation), len(test)) == (70, 20, 10)

    @pytest.mark.parametrize(
        ("groups", "asked", "message"),
        [
            (
                ["a"] * 100,
                10,
                "test size of toy: expected rows that can be split off: the 100 rows hang together in 1 ",
            ),
            (["a"] * 97 + ["b", "c", "d"], 20, "in 4 parts, the largest of 97, by equal groups"),
            ([""] * 100, 50, "expected fewer held-out rows than the 100 there are, got 50 for test and 50 for"),
            ([""] * 100, -1, r"test size: expected rows \(0 to 99\) or a share of them"),
            ([""] * 100, 1.0, r"test size: expected rows \(0 to 99\) or a share of them"),
        ],
    )
    def test_what_is_impossible_is_refused(self, groups: list[str], asked: float, message: str):
        with pytest.raises(InputError, match=message):
            split_pairs(toy(100, groups=tuple(groups)), validation=asked, test=asked)

    def test_rows_in_another_order_hang_together_in_the_same_way(self):
        groups = tuple(str(i // 3) for i in range(60))
        pairs = toy(60, groups=groups)
        order = random.Random(0).sample(range(60), 60)
        found = {frozenset(order[row] for row in part) for part in components(pairs.take(order))}
        assert found == {frozenset(part) for part in components(pairs)}
