"""The exact test, against every outcome of small samples and against the normal approximation of large ones."""

import math
from functools import cache
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import betaincinv

from shoal.errors import InputError
from shoal.exits.guarantee import MISSED, p_value, passes


@cache
def every_outcome(rows: int) -> list[tuple[int, int]]:
    return [(losses, gains) for losses in range(rows + 1) for gains in range(rows + 1 - losses)]


@cache
def p_values(rows: int, max_drop: float) -> NDArray[np.float64]:
    return np.array([p_value(rows, losses, gains, max_drop) for losses, gains in every_outcome(rows)])


def chances(rows: int, loses: float, gains: float) -> NDArray[np.float64]:
    """The trinomial distribution, by its formula."""
    ties = max(1 - loses - gains, 0.0)
    found = []
    for lost, won in every_outcome(rows):
        ways = math.comb(rows, lost) * math.comb(rows - lost, won)
        found.append(ways * loses**lost * gains**won * ties ** (rows - lost - won))
    return np.array(found)


@pytest.mark.parametrize("rows", [1, 5, 12, 25])
@pytest.mark.parametrize("max_drop", [0.0, 0.03, 0.2, 0.6])
def test_where_too_much_is_lost_a_level_is_passed_no_more_often_than_it_says(rows: int, max_drop: float) -> None:
    """For every b − c >= max_drop on a grid, at every level: by summing over all outcomes, not by drawing some."""
    found = p_values(rows, max_drop)
    levels = np.unique(found)
    for gains in np.linspace(0, (1 - max_drop) / 2, 26):
        for more in (0.0, 0.01, 0.1):
            loses = gains + max_drop + more
            if loses + gains > 1:
                continue
            weights = chances(rows, loses, gains)
            passed = np.array([weights[found <= level].sum() for level in levels])
            assert (passed <= levels + 1e-12).all()


def statistic_by_search(rows: int, losses: int, gains: int, max_drop: float) -> float:
    """The score statistic, with the most likely share of gains found by trying."""

    def unlikely(c: float) -> float:
        shares, counts = (c + max_drop, c, 1 - 2 * c - max_drop), (losses, gains, rows - losses - gains)
        return -sum(n * math.log(max(p, 1e-300)) for n, p in zip(counts, shares, strict=True) if n)

    ends = (0.0, (1 - max_drop) / 2)
    found: Any = minimize_scalar(unlikely, bounds=ends, method="bounded", options={"xatol": 1e-10})
    c = min((float(found.x), *ends), key=unlikely)
    return (losses - gains - rows * max_drop) / math.sqrt(rows * (2 * c + max_drop - max_drop**2))


@pytest.mark.parametrize("max_drop", [0.03, 0.2])
def test_it_is_the_largest_chance_of_an_outcome_as_good(max_drop: float) -> None:
    """Slowly: all outcomes with a statistic no larger, those that follow from them, and a fine grid of c."""
    rows, outcomes = 25, every_outcome(25)
    statistic = {outcome: statistic_by_search(rows, *outcome, max_drop) for outcome in outcomes}
    seen = [(losses, gains) for losses, gains in outcomes if losses - gains < rows * max_drop - 1 and losses % 3 == 0]
    for losses, gains in seen:
        good = [outcome for outcome in outcomes if statistic[outcome] <= statistic[losses, gains] + 1e-7]
        frontier = {g: max(lost for lost, won in good if won == g) for g in {won for _, won in good}}
        closed = [any(lost <= frontier[g] and won >= g for g in frontier) for lost, won in outcomes]
        low = float(betaincinv(gains, rows - gains + 1, MISSED / 2)) if gains else 0.0
        high = float(betaincinv(gains + 1, rows - gains, 1 - MISSED / 2)) if gains < rows else 1.0
        grid = (
            np.linspace(low, min(high, (1 - max_drop) / 2), 200) if low < (1 - max_drop) / 2 else [(1 - max_drop) / 2]
        )
        largest = max(chances(rows, c + max_drop, c)[closed].sum() for c in grid)
        found = p_value(rows, losses, gains, max_drop) - MISSED
        assert largest * (1 - 1e-3) - 1e-9 <= found <= largest * 1.021 + 1e-7


@given(
    rows=st.integers(1, 400),
    shares=st.tuples(st.floats(0, 0.4), st.floats(0, 0.4)),
    max_drop=st.floats(0, 0.3),
)
def test_more_losses_are_never_better_and_more_gains_never_worse(
    rows: int, shares: tuple[float, float], max_drop: float
) -> None:
    losses, gains = int(shares[0] * (rows - 1)), int(shares[1] * (rows - 1))
    here = p_value(rows, losses, gains, max_drop)
    slack = 1.021  # of the bound
    assert 0 < here <= 1
    assert p_value(rows, losses + 1, gains, max_drop) * slack >= here
    assert p_value(rows, losses, gains + 1, max_drop) <= here * slack + MISSED


@pytest.mark.parametrize(("losses", "gains"), [(60, 50), (300, 260), (10, 0), (900, 900)])
def test_many_rows_give_what_the_normal_distribution_does(losses: int, gains: int) -> None:
    rows, max_drop = 10_000, 0.01
    share, drop = (losses + gains) / rows, (losses - gains) / rows
    z = (drop - max_drop) / math.sqrt(max(share - drop**2, max_drop) / rows)
    about = NormalDist().cdf(z)
    found = p_value(rows, losses, gains, max_drop)
    assert found <= 1.7 * about + 1e-3
    assert found >= 0.4 * about


@pytest.mark.parametrize("level", [0.01, 0.05, 0.1])
@given(losses=st.integers(0, 40), gains=st.integers(0, 40))
def test_the_short_way_to_a_decision_is_the_decision(level: float, losses: int, gains: int) -> None:
    found = p_value(700, losses, gains, 0.02)
    if abs(found / level - 1) > 0.03:  # within that, the bounds of both may lie on either side
        assert passes(700, losses, gains, 0.02, level) == (found <= level)


def test_without_a_loss_it_is_the_chance_of_none() -> None:
    for rows in (50, 300, 3000):
        assert p_value(rows, 0, 0, 0.01) == pytest.approx(0.99**rows, rel=0.025, abs=1.1 * MISSED)


def test_no_better_than_what_is_to_be_ruled_out_proves_nothing() -> None:
    assert p_value(1000, 20, 10, 0.01) == 1
    assert p_value(1000, 0, 0, 0.0) == 1
    assert not passes(1000, 20, 10, 0.01, 0.999)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((10, 8, 3, 0.1), "losses and gains: expected counts >= 0 of 10 >= 1 rows, got 8 and 3"),
        ((0, 0, 0, 0.1), "losses and gains: expected counts >= 0 of 0 >= 1 rows"),
        ((10, -1, 0, 0.1), "losses and gains"),
        ((10, 1, 0, 1.0), r"max_drop: expected a share in \[0, 1\), got 1.0; give 1 point as 0.01"),
    ],
)
def test_wrong_numbers_are_refused(arguments: tuple[int, int, int, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        p_value(*arguments)
