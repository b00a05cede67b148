"""Clusters: scikit-learn's without links, brute force with them, and promises that hold whatever the input."""

import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import AgglomerativeClustering

from shoal.errors import InputError
from shoal.faces import clustering
from shoal.faces.clustering import cluster, number_by_first

LINKAGES = ["average", "complete", "single"]


def people(n: int, dim: int = 6, *, groups: int = 4, noise: float = 0.35, seed: int = 0) -> torch.Tensor:
    """Unit vectors about a few centres."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(groups, dim, generator=generator)
    rows = centres[torch.arange(n) % groups] + noise * torch.randn(n, dim, generator=generator)
    return torch.nn.functional.normalize(rows.double(), dim=1)


def brute_force(
    rows: torch.Tensor,
    threshold: float,
    linkage: str,
    must_link: list[tuple[int, int]],
    cannot_link: list[tuple[int, int]],
) -> list[int]:
    """Sets of faces, measured anew before every step."""
    clusters = [{i} for i in range(len(rows))]
    for a, b in must_link:
        one, other = (next(c for c in clusters if end in c) for end in (a, b))
        if one is not other:
            clusters.remove(other)
            one |= other
    reduce = {"average": np.mean, "complete": np.max, "single": np.min}[linkage]
    while True:
        near = []
        for one, other in combinations(sorted(clusters, key=min), 2):
            if any({a, b} <= one | other for a, b in cannot_link):
                continue
            apart = reduce([float((rows[i] - rows[j]).square().sum()) for i in one for j in other])
            near.append((apart, min(one), min(other), one, other))
        near = [entry for entry in near if entry[0] <= threshold]
        if not near:
            break
        *_, one, other = min(near, key=lambda entry: entry[:3])
        clusters.remove(other)
        one |= other
    labels = [next(k for k, c in enumerate(clusters) if i in c) for i in range(len(rows))]
    return number_by_first(np.array(labels, dtype=np.int64)).tolist() if labels else []


def draw_links(
    n: int,
    many: int,
    rng: np.random.Generator,
    truth: np.ndarray,
    kind: bool,
) -> list[tuple[int, int]]:
    """Pairs that a made-up truth calls one person, or two: never a contradiction."""
    pairs = [pair for pair in combinations(range(n), 2) if (truth[pair[0]] == truth[pair[1]]) == kind]
    return [pairs[i] for i in rng.permutation(len(pairs))[:many]]


class TestWithoutLinks:
    @pytest.mark.parametrize("linkage", LINKAGES)
    @pytest.mark.parametrize("threshold", [0.0, 0.1, 0.5, 1.0, 2.0, 4.0])
    def test_it_is_scikit_learns(self, linkage: str, threshold: float) -> None:
        for seed in range(5):
            rows = people(60, seed=seed)
            square = (rows[:, None] - rows[None]).square().sum(2).numpy()
            above = math.nextafter(threshold, 5)  # they join what is nearer than that
            settings: Any = {"n_clusters": None, "metric": "precomputed", "distance_threshold": above}
            theirs = AgglomerativeClustering(linkage=linkage, **settings).fit_predict(square)
            ours = cluster(rows, threshold=threshold, linkage=linkage)
            assert ours.tolist() == number_by_first(theirs).tolist()

    @pytest.mark.parametrize("linkage", LINKAGES)
    def test_it_is_that_with_links_that_say_nothing(self, linkage: str) -> None:
        for seed in range(10):
            rows = people(50, seed=seed)
            for threshold in (0.2, 0.8, 1.6):
                free = cluster(rows, threshold=threshold, linkage=linkage)
                linked = cluster(rows, threshold=threshold, linkage=linkage, must_link=[(3, 3)])
                assert torch.equal(free, linked)

    def test_numbers_follow_the_first_face(self) -> None:
        rows = torch.tensor([[0.0, 1], [1, 0], [0, 1], [-1, 0], [1, 0]])
        assert cluster(rows, threshold=0.5).tolist() == [0, 1, 0, 2, 1]

    def test_equal_rows_are_one_even_at_threshold_zero(self) -> None:
        rows = people(8, 128, groups=8, seed=3).float().repeat(3, 1)
        assert cluster(rows, threshold=0).tolist() == list(range(8)) * 3
        assert cluster(rows, threshold=0, must_link=[(0, 8)]).tolist() == list(range(8)) * 3

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
    def test_any_float_will_do(self, dtype: torch.dtype) -> None:
        rows = people(40, groups=3, noise=0.1).to(dtype)
        assert cluster(rows, threshold=0.5).tolist() == [i % 3 for i in range(40)]

    def test_none_and_one(self) -> None:
        assert cluster(torch.empty(0, 8), threshold=1).tolist() == []
        assert cluster(torch.empty(0, 8), threshold=1, same_photo=[]).tolist() == []
        assert cluster(torch.ones(1, 8), threshold=1).tolist() == [0]
        assert cluster(torch.ones(1, 8), threshold=1, must_link=[(0, 0)], same_photo=[5]).tolist() == [0]
        assert cluster(torch.ones(2, 8), threshold=0, cannot_link=[(0, 1)]).tolist() == [0, 1]


class TestWithLinks:
    @pytest.mark.parametrize("linkage", LINKAGES)
    @pytest.mark.parametrize("seed", list(range(40)))
    def test_it_is_brute_force(self, linkage: str, seed: int) -> None:
        rng = np.random.default_rng(seed)
        n = int(rng.integers(2, 14))
        rows = people(n, 3, groups=3, noise=0.8, seed=seed)
        truth = rng.integers(0, 3, n)
        must = draw_links(n, int(rng.integers(0, 4)), rng, truth, True)
        cannot = draw_links(n, int(rng.integers(0, 6)), rng, truth, False)
        threshold = float(rng.choice([0.0, 0.3, 1.0, 2.0, 4.0]))
        found = cluster(rows, threshold=threshold, linkage=linkage, must_link=must, cannot_link=cannot)
        assert found.tolist() == brute_force(rows, threshold, linkage, must, cannot)

    @given(seed=st.integers(0, 10_000), linkage=st.sampled_from(LINKAGES), ties=st.booleans())
    def test_links_are_kept_strictly(self, seed: int, linkage: str, ties: bool) -> None:
        rng = np.random.default_rng(seed)
        n = int(rng.integers(2, 40))
        rows = people(n, 3, groups=2, noise=0.5, seed=seed)
        if ties:
            rows = rows.sign()
        truth = rng.integers(0, 5, n)
        must = draw_links(n, 5, rng, truth, True)
        cannot = draw_links(n, 15, rng, truth, False)
        photos = [i // 3 for i in range(n)]
        known = not self.joined(n, must, photos)
        found = cluster(
            rows,
            threshold=float(rng.choice([0.0, 1.0, 4.0, 1e6])),
            linkage=linkage,
            must_link=must,
            cannot_link=cannot,
            same_photo=photos if known else None,
        )
        assert all(found[a] == found[b] for a, b in must)
        assert all(found[a] != found[b] for a, b in cannot)
        together = [pair for pair in combinations(range(n), 2) if photos[pair[0]] == photos[pair[1]]]
        assert not known or all(found[a] != found[b] for a, b in together)
        assert found.tolist() == number_by_first(found.numpy()).tolist()

    @staticmethod
    def joined(n: int, must: list[tuple[int, int]], photos: list[int]) -> bool:
        """Whether must-links join two faces of one photo, perhaps through others."""
        groups = [{i} for i in range(n)]
        for a, b in must:
            one, other = (next(g for g in groups if end in g) for end in (a, b))
            if one is not other:
                groups.remove(other)
                one |= other
        return any(len({photos[i] for i in group}) < len(group) for group in groups)

    @pytest.mark.parametrize("linkage", LINKAGES)
    def test_what_is_apart_stays_apart_through_others(self, linkage: str) -> None:
        """0 and 1 are siblings; everything is near everything."""
        rows = torch.nn.functional.normalize(torch.ones(6, 4) + 0.01 * people(6, 4).float(), dim=1)
        found = cluster(rows, threshold=4, linkage=linkage, cannot_link=[(0, 1)])
        assert len(found.unique()) == 2
        assert found[0] != found[1]
        found = cluster(rows, threshold=4, linkage=linkage, must_link=[(0, 2), (1, 3)], cannot_link=[(2, 3)])
        assert found[0] == found[2] != found[1] == found[3]

    def test_must_links_join_whatever_the_distance(self) -> None:
        rows = torch.tensor([[1.0, 0], [-1, 0], [0.99, 0.1], [-0.99, 0.1]])
        assert cluster(rows, threshold=0, must_link=[(0, 1)]).tolist() == [0, 0, 1, 2]
        assert cluster(rows, threshold=0.1, linkage="single", must_link=[(0, 1)]).tolist() == [0, 0, 0, 0]

    def test_two_faces_of_one_photo_are_two_people(self) -> None:
        rows = torch.ones(5, 4)
        assert cluster(rows, threshold=1).tolist() == [0] * 5
        found = cluster(rows, threshold=1, same_photo=["a", "a", "b", None, "b"])
        assert found[0] != found[1]
        assert found[2] != found[4]
        assert len(found.unique()) == 2
        numbers = cluster(rows, threshold=1, same_photo=torch.tensor([4, 4, 7, -1, 7]))
        assert torch.equal(found, numbers)
        assert cluster(rows, threshold=1, same_photo=torch.arange(5)).tolist() == [0] * 5
        assert cluster(rows, threshold=1, same_photo=[-1] * 5).tolist() == [0] * 5

    @pytest.mark.parametrize("kind", [torch.tensor, np.array, list, tuple])
    def test_links_come_in_any_form(self, kind: Any) -> None:
        rows = torch.ones(4, 4)
        assert cluster(rows, threshold=1, cannot_link=kind([(0, 1), (0, 2)])).tolist() == [0, 1, 1, 0]


class TestBadInput:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"embeddings": torch.full((4, 2), math.nan)}, "embeddings: expected finite .* NaN or infinity"),
            ({"embeddings": torch.zeros(4, 2)}, "embeddings: .* got only zeros in 4 of 4 rows"),
            ({"threshold": -1}, "threshold: expected a squared distance >= 0, finite, got -1"),
            ({"threshold": math.nan}, "threshold: expected a squared distance"),
            ({"threshold": math.inf}, "threshold: expected a squared distance"),
            ({"linkage": "averge"}, "unknown linkage 'averge'; did you mean 'average'"),
            ({"must_link": [(0, 4)]}, r"must_link: expected pairs of row numbers from 0 to 3, got \(0, 4\)"),
            ({"must_link": [(0, -1)]}, r"must_link: expected pairs of row numbers from 0 to 3, got \(0, -1\)"),
            ({"cannot_link": [(0, 1, 2)]}, r"cannot_link: expected pairs of row numbers, got \(0, 1, 2\)"),
            (
                {"cannot_link": torch.tensor([[0, 1, 2]])},
                r"cannot_link: expected pairs of row numbers, got \[0, 1, 2\]",
            ),
            ({"cannot_link": [(2, 2)]}, r"cannot_link: expected pairs that can be two people, got \(2, 2\)"),
            ({"must_link": [(0, 1), (1, 2)], "cannot_link": [(2, 0)]}, r"got \(2, 0\), which must_link joins"),
            ({"same_photo": ["a"]}, "same_photo: expected the photo of each of 4 faces, got 1"),
            (
                {"must_link": [(0, 1), (1, 2)], "same_photo": ["a", "b", "a", "c"]},
                r"must_link: expected faces of different photos, got \(0, 2\), both on photo a; two faces of",
            ),
        ],
    )
    def test_it_is_one_line(self, change: dict[str, Any], message: str) -> None:
        arguments: dict[str, Any] = {"embeddings": torch.ones(4, 2), "threshold": 1.0, **change}
        with pytest.raises(InputError, match=message):
            cluster(arguments.pop("embeddings"), **arguments)

    def test_too_many_are_refused_before_memory_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(clustering, "MOST_FACES", 3)
        with pytest.raises(InputError, match="embeddings: expected at most 3 rows, got 4; cluster a part"):
            cluster(torch.ones(4, 2), threshold=1)

    def test_links_among_no_faces_are_refused(self) -> None:
        with pytest.raises(InputError, match="must_link: expected none, since there are no rows"):
            cluster(torch.empty(0, 4), threshold=1, must_link=[(0, 0)])
