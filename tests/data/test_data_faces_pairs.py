"""Pairs, pairs that are drawn, and people who are divided."""

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shoal.data.faces import FacePairs, draw_pairs, folds_in_order, load_faces, split_faces
from shoal.data.faces.drawing import _unrank  # pyright: ignore[reportPrivateUsage]
from shoal.errors import InputError
from tests.data.test_data_folders import fill


def toy(a: list[int], b: list[int], same: list[bool], fold: list[int]) -> FacePairs:
    columns = {"a": a, "b": b, "same": same, "fold": fold}
    return FacePairs(**{part: torch.tensor(values) for part, values in columns.items()}, name="toy")


def ends_of(pairs: FacePairs, fold: int) -> set[int]:
    """All images of a part."""
    return {*pairs.a[pairs.fold == fold].tolist(), *pairs.b[pairs.fold == fold].tolist()}


class TestPairs:
    def test_rows_are_gathered(self):
        pairs = toy([0, 2], [1, 0], [True, False], [0, 1])
        a, b = pairs.gather(torch.tensor([[1.0, 1], [2, 2], [3, 3]]))
        assert a.tolist() == [[1, 1], [3, 3]]
        assert b.tolist() == [[2, 2], [1, 1]]
        assert pairs.take(pairs.same).b.tolist() == [1]
        assert pairs.take(torch.tensor([1, 0])).fold.tolist() == [1, 0]

    def test_missing_images_are_refused(self):
        pairs = toy([0, 2, 9], [1, 0, -1], [True, False, False], [0, 0, 1])
        with pytest.raises(InputError, match="pairs of toy: expected rows 0 to 1, got rows 2 and 0 in pair 1"):
            pairs.gather(torch.zeros(2, 4))
        with pytest.raises(InputError, match="expected images, which are not there"):
            pairs.gather(torch.zeros(0, 4))

    def test_parts_that_do_not_fit_are_refused(self):
        with pytest.raises(InputError, match=r"pairs, b: expected torch\.int64 \[2\], got torch\.int64 \[1\]"):
            toy([0, 2], [1], [True, False], [0, 1])
        with pytest.raises(InputError, match=r"pairs, same: expected torch\.bool"):
            FacePairs(a=torch.tensor([0]), b=torch.tensor([0]), same=torch.tensor([1]), fold=torch.tensor([0]))

    @given(st.lists(st.booleans(), max_size=60), st.integers(2, 12))
    def test_folds_in_order_share_both_kinds_out(self, same: list[bool], folds: int):
        kinds = torch.tensor(same, dtype=torch.bool)
        fold = folds_in_order(kinds, folds)
        for kind in (kinds, ~kinds):
            counts = torch.bincount(fold[kind], minlength=folds)
            assert int(counts.max() - counts.min()) <= 1
            assert bool((fold[kind].diff() >= 0).all())

    def test_one_fold_is_refused(self):
        with pytest.raises(InputError, match="folds: expected at least 2, got 1"):
            folds_in_order(torch.tensor([True]), 1)


class TestDrawn:
    @given(
        counts=st.lists(st.integers(1, 12), min_size=4, max_size=30),
        per_fold=st.integers(1, 30),
        folds=st.integers(1, 4),
        seed=st.integers(0, 99),
    )
    def test_what_is_drawn_is_right(self, counts: list[int], per_fold: int, folds: int, seed: int):
        labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
        labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))]
        try:
            pairs = draw_pairs(labels, per_fold=per_fold, folds=folds, seed=seed)
        except InputError:
            enough = sum(n > 1 for n in counts) >= folds and len(counts) >= 2 * folds
            assert not enough
            return
        assert torch.equal(labels[pairs.a] == labels[pairs.b], pairs.same)
        assert bool((pairs.a != pairs.b).all())
        ends = [tuple(sorted(pair)) for pair in zip(pairs.a.tolist(), pairs.b.tolist(), strict=True)]
        assert len(set(ends)) == len(ends)
        assert pairs.fold.unique().tolist() == list(range(folds))
        images = [ends_of(pairs, f) for f in range(folds)]
        assert not any(one & other for one, other in combinations(images, 2))
        for f in range(folds):
            kinds = pairs.same[pairs.fold == f]
            assert 1 <= int(kinds.sum()) == int((~kinds).sum()) <= per_fold

    def test_equal_seeds_draw_equal_pairs(self):
        labels = torch.arange(300) % 40
        one, same, other = (draw_pairs(labels, per_fold=20, seed=seed) for seed in (1, 1, 2))
        assert torch.equal(one.a, same.a)
        assert torch.equal(one.b, same.b)
        assert not torch.equal(one.a, other.a)

    def test_people_are_in_one_part_where_there_are_enough(self):
        labels = torch.arange(400) % 40
        pairs = draw_pairs(labels, per_fold=30, folds=10)
        people = [{int(labels[row]) for row in ends_of(pairs, f)} for f in range(10)]
        assert not any(one & other for one, other in combinations(people, 2))

    def test_somebody_with_many_photos_does_not_decide(self):
        labels = torch.cat((torch.zeros(3000, dtype=torch.int64), torch.arange(1, 40).repeat_interleave(4)))
        pairs = draw_pairs(labels, per_fold=100, folds=1)
        matched = torch.bincount(labels[pairs.a[pairs.same]], minlength=40)
        assert int(matched.max()) <= 3
        assert int(matched.min()) >= 2
        mismatched = (labels[pairs.a[~pairs.same]] == 0) | (labels[pairs.b[~pairs.same]] == 0)
        assert int(mismatched.sum()) < 20

    def test_all_pairs_are_had_where_all_are_asked_for(self):
        labels = torch.tensor([0, 0, 0, 1, 1, 1, -1])
        pairs = draw_pairs(labels, per_fold=1000, folds=1)
        assert int(pairs.same.sum()) == 6
        assert int(max(pairs.a.max(), pairs.b.max())) == 5

    def test_pairs_have_numbers(self):
        i, j = _unrank(np.arange(100_000))
        assert bool((i >= 0).all() and (i < j).all())
        assert np.array_equal(j * (j - 1) // 2 + i, np.arange(100_000))
        far = np.array([2**52, 2**52 + 1, 10**15])
        i, j = _unrank(far)
        assert np.array_equal(j * (j - 1) // 2 + i, far)
        assert bool((i >= 0).all() and (i < j).all())

    @pytest.mark.parametrize(
        ("labels", "settings"),
        [([0, 0, 0], {}), ([0, 1, 2, 3], {}), ([], {}), ([-1, -1], {}), ([0, 0, 1, 1], {"folds": 3})],
    )
    def test_too_few_are_refused(self, labels: list[int], settings: dict[str, Any]):
        with pytest.raises(InputError, match="pairs: expected two images of a person, and two people, in each"):
            draw_pairs(torch.tensor(labels, dtype=torch.int64), **settings)

    @pytest.mark.parametrize("settings", [{"per_fold": 0}, {"folds": 0}])
    def test_numbers_out_of_range_are_refused(self, settings: dict[str, Any]):
        with pytest.raises(InputError, match="pairs: expected per_fold >= 1 and folds >= 1"):
            draw_pairs(torch.tensor([0, 0, 1]), **settings)


class TestDivided:
    def test_no_person_is_on_both_sides(self, tmp_path: Path):
        counts = {f"p{i:02}": 1 + i % 4 for i in range(40)}
        faces = load_faces(fill(tmp_path, counts), image_size=4)
        splits = split_faces(faces, test=0.25, seed=3)
        assert not {*splits.train.people} & {*splits.test.people}
        assert {*splits.train.names} | {*splits.test.names} == {*faces.names}
        assert len(splits.test.people) == 10
        assert int((splits.test.counts == 1).sum()) in (2, 3)
        for part, pairs in ((splits.train, splits.train_pairs), (splits.test, splits.test_pairs)):
            assert torch.equal(part.labels[pairs.a] == part.labels[pairs.b], pairs.same)
            assert part.labels.unique().tolist() == list(range(len(part.people)))
        again, other = (split_faces(faces, test=0.25, seed=seed) for seed in (3, 4))
        assert again.test.people == splits.test.people
        assert other.test.people != splits.test.people

    def test_digits_are_divided_like_people(self):
        splits = split_faces(load_faces("digits"), pairs=200)
        assert (len(splits.train.people), len(splits.test.people)) == (7, 3)
        assert int(splits.test_pairs.same.sum()) == 200
        assert len(splits.test_pairs.fold.unique()) == 10
        assert "not faces" in splits.train.title

    def test_few_images_give_few_folds(self, tmp_path: Path):
        splits = split_faces(load_faces(fill(tmp_path, dict.fromkeys("abcd", 4)), image_size=4))
        assert len(splits.test_pairs.fold.unique()) == 2

    def test_too_few_people_are_refused(self, tmp_path: Path):
        with pytest.raises(InputError, match="expected at least 4 people with two images, got 3 of 4"):
            split_faces(load_faces(fill(tmp_path, {"a": 2, "b": 2, "c": 2, "d": 1}), image_size=4))
        with pytest.raises(InputError, match="got images of unknown people"):
            split_faces(load_faces(tmp_path / "a", image_size=4))

    @pytest.mark.parametrize("share", [0.0, 1.0, -1.0])
    def test_a_share_out_of_range_is_refused(self, share: float):
        with pytest.raises(InputError, match=r"test: expected a share of the people in \(0, 1\)"):
            split_faces(load_faces("digits"), test=share)
