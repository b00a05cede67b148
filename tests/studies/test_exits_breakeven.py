"""Reading MACs off a curve, against a loop over its policies."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shoal.studies.exits_breakeven import (
    Path,
    Smaller,
    alike_and_apart,
    macs_at,
    of_rows,
    share_of_all,
    share_of_smaller,
)


def by_hand(goal: float, points: list[tuple[float, float]]) -> float:
    """Points (macs, accuracy): keep those that are better than every cheaper one, and walk along them."""
    kept: list[tuple[float, float]] = []
    for macs, accuracy in sorted(points):
        if not kept or accuracy > kept[-1][1]:
            kept.append((macs, accuracy))
    if goal <= kept[0][1]:
        return kept[0][0]
    for (low, worse), (high, better) in itertools.pairwise(kept):
        if goal <= better:
            return low + (high - low) * (goal - worse) / (better - worse)
    return max(macs for macs, _ in points)


@given(
    points=st.lists(
        st.tuples(st.integers(1, 100), st.integers(0, 20)), min_size=1, max_size=8, unique_by=lambda point: point[0]
    ),
    goal=st.integers(0, 20),
)
def test_macs_at_an_accuracy_are_those_of_a_walk_along_the_curve(points: list[tuple[int, int]], goal: int) -> None:
    macs, right = (torch.tensor([column], dtype=torch.float64) for column in zip(*points, strict=True))
    found = float(macs_at(torch.tensor([float(goal)]).double(), right / 20 * 20, macs))
    wanted = by_hand(goal, [(float(m), float(r)) for m, r in points])
    assert found == pytest.approx(wanted, abs=1e-6)


def made_up(n: int = 400) -> tuple[Path, Smaller, Smaller]:
    at = torch.arange(n)
    right = torch.stack([at % 10 < share for share in (5, 8, 9)], 1)
    macs = torch.tensor([10.0, 30.0, 80.0]).double().expand(n, -1)
    return Path(right, macs), Smaller("wide", at % 10 < 8, 60), Smaller("narrow", at % 20 < 13, 10)


def test_a_share_is_of_the_smaller_networks_macs() -> None:
    curve, wide, narrow = made_up()
    found = share_of_smaller(curve, wide)
    assert found.value == pytest.approx(0.5)
    assert found.low <= 0.5 <= found.high
    assert share_of_smaller(curve, narrow).value == pytest.approx(2.0)
    assert share_of_all(curve, (wide, narrow)).value == pytest.approx(math.sqrt(0.5 * 2.0))


def test_on_some_rows_everything_is_of_these_rows() -> None:
    curve, wide, _ = made_up()
    some, (other,) = of_rows(curve, (wide,), torch.arange(0, 400, 10))
    assert bool(some.right.all())
    assert bool(other.right.all())
    assert (len(some.right), len(some.macs), len(other.right)) == (40, 40, 40)


@given(n=st.integers(0, 50))
def test_halves_are_the_middle_and_both_ends(n: int) -> None:
    difficulty = torch.randn(n, generator=torch.Generator().manual_seed(n))
    alike, apart = alike_and_apart(difficulty)
    assert sorted([*alike.tolist(), *apart.tolist()]) == list(range(n))
    if len(apart):
        middle, ends = difficulty[alike], difficulty[apart]
        assert not ((ends > middle.min()) & (ends < middle.max())).any()
