"""Random features against their closed forms: mean and variance of the kernel estimate over seeds, by z-tests.

With z = x + y, δ = x − y, x = √scale q, y = √scale k, and F independent directions or pairs:

    trig        var = exp(|x|² + |y|²) (1 − exp(−|δ|²))² / (2F)
    positive    var / exp(2 x·y) = (exp(|z|²) − 1) / F
    hyperbolic  var / exp(2 x·y) = 2 sinh²(|z|²/2) / F
    oprf, sderf var / exp(2 x·y) = (Π (1 − 4a) (1 − 8a)^(−1/2) exp(z²/(1 − 8a)) − 1) / F, over the axes
"""

import math
from functools import cache

import pytest
import torch
from scipy import integrate, stats
from torch import Tensor

from shoal.attention import FeatureMap, create_feature_map
from shoal.attention.maps.directions import draw_directions
from shoal.attention.maps.random import Sderf
from tests.attention.inputs import normal

DIM, FEATURES, PAIRS = 4, 16, 3
RANDOM = ["trig", "positive", "hyperbolic", "oprf", "sderf"]
STRETCH = torch.tensor([2.0, 1.0, 0.5, 0.25], dtype=torch.float64)


def rows() -> tuple[Tensor, Tensor]:
    """Queries and keys for which |x + y| is about 1: the estimates' tails are short enough for a z-test."""
    return 0.5 * normal(1, 1, PAIRS, DIM, seed=1), 0.5 * normal(1, 1, PAIRS, DIM, seed=2)


@cache
def estimates(name: str, seeds: int, orthogonal: bool) -> tuple[Tensor, FeatureMap]:
    """Kernel estimates of the pairs by many maps, (seeds, PAIRS, PAIRS)."""
    phi = create_feature_map(name, DIM, FEATURES, orthogonal=orthogonal, invariances=False)
    if phi.needs_fit:
        phi.fit(STRETCH * normal(1, 1, 300, DIM, seed=3), STRETCH * normal(1, 1, 300, DIM, seed=4))
    q, k = rows()
    found = []
    for seed in range(seeds):
        phi.redraw(seed)
        found.append((phi.queries(q).linear() @ phi.keys(k).linear().mT)[0, 0])
    return torch.stack(found), phi


def closed_form(name: str, phi: FeatureMap) -> tuple[Tensor, Tensor]:
    """Mean and variance of the estimates."""
    x, y = ((DIM**-0.25 * r)[0, 0] for r in rows())
    z, delta = x[:, None] + y, x[:, None] - y
    z2, delta2 = z.square().sum(-1), delta.square().sum(-1)
    mean = (x @ y.T).exp()
    if name == "trig":
        sizes = (x.square().sum(-1)[:, None] + y.square().sum(-1)).exp()
        return mean, sizes * (1 - (-delta2).exp()).square() / (2 * (FEATURES // 2))
    if name == "positive":
        return mean, mean.square() * (z2.exp() - 1) / FEATURES
    if name == "hyperbolic":
        return mean, mean.square() * 2 * (z2 / 2).sinh().square() / (FEATURES // 2)
    assert isinstance(phi, Sderf)
    a = phi.a[0, 0].double()
    assert bool((a < -0.01).any())  # else the formula is that of `positive`
    along = z @ phi.axes[0].double()
    second = ((1 - 4 * a) * (1 - 8 * a).rsqrt() * (along.square() / (1 - 8 * a)).exp()).prod(-1)
    return mean, mean.square() * (second - 1) / FEATURES


def check_moments(name: str, seeds: int) -> None:
    found, phi = estimates(name, seeds, False)
    mean, variance = closed_form(name, phi)
    assert float(((found.mean(0) - mean) / (variance / seeds).sqrt()).abs().max()) < 4.5
    spread = (found - mean).square()
    error = spread.std(0) / seeds**0.5  # of the variance, from the sample's fourth moment
    assert float(((spread.mean(0) - variance) / error).abs().max()) < 4.5
    assert float((error / variance).max()) < 4 / seeds**0.5  # tails short enough for this test to say something


@pytest.mark.parametrize("name", RANDOM)
def test_the_kernel_estimate_has_the_mean_and_variance_of_its_formula(name: str) -> None:
    check_moments(name, 600)


@pytest.mark.slow
@pytest.mark.parametrize("name", RANDOM)
def test_the_kernel_estimate_has_the_mean_and_variance_of_its_formula_over_many_seeds(name: str) -> None:
    check_moments(name, 40_000)


@pytest.mark.parametrize("name", RANDOM)
def test_orthogonal_directions_leave_the_mean_and_do_not_raise_the_variance(name: str) -> None:
    found, phi = estimates(name, 500, True)
    mean, variance = closed_form(name, phi)
    assert float(((found.mean(0) - mean) / (found.std(0) / 500**0.5)).abs().max()) < 4.5
    # proven for positive features; oprf's factor exp(2a|w|²) depends on norms alone, which stay independent
    assert float((found.var(0) / variance).mean()) < (1.1 if name in ("oprf", "sderf") else 0.97)


@pytest.mark.parametrize("name", ["oprf", "sderf"])
def test_a_fit_lowers_the_variance_on_its_data(name: str) -> None:
    """Log second moments, averaged over the data, are smaller than with a = 0 (positive) and with a nearby a."""
    _, phi = estimates(name, 1, False)
    assert isinstance(phi, Sderf)
    x, y = (DIM**-0.25 * STRETCH * normal(300, DIM, seed=s) for s in (3, 4))
    along = (x[:, None] + y).flatten(0, 1) @ phi.axes[0].double()  # all pairs

    def level(a: Tensor) -> float:
        terms = (1 - 4 * a).log() - 0.5 * (1 - 8 * a).log() + along.square() / (1 - 8 * a)
        return float(terms.sum(-1).mean())

    a = phi.a[0, 0].double()
    best = level(a)
    assert best < level(torch.zeros_like(a)) - 0.1
    for factor in (0.9, 1.1):
        assert best < level(factor * a)
    if name == "sderf":
        _, plain = estimates("oprf", 1, False)
        assert isinstance(plain, Sderf)
        assert best < level(plain.a[0, 0].double())


@pytest.mark.parametrize("a", [0.0, -0.1, -1.0])
@pytest.mark.parametrize("z", [0.0, 0.5, 2.0])
def test_the_closed_form_of_oprf_is_the_integral(a: float, z: float) -> None:
    """So that the formula above is not only what the code says."""

    def weighed(w: float, power: int) -> float:
        product = (1 - 4 * a) ** 0.5 * math.exp(2 * a * w * w + (1 - 4 * a) ** 0.5 * w * z - z * z / 2)
        return product**power * math.exp(-w * w / 2) / math.sqrt(2 * math.pi)

    def moment(power: int) -> float:
        return integrate.quad(weighed, -40, 40, args=(power,))[0]

    assert moment(1) == pytest.approx(1, rel=1e-7)
    assert moment(2) == pytest.approx((1 - 4 * a) / (1 - 8 * a) ** 0.5 * math.exp(z * z / (1 - 8 * a)), rel=1e-6)


# ---------------------------------------------------------------------- directions


@pytest.mark.parametrize("orthogonal", [False, True])
@pytest.mark.parametrize("dim", [1, 3, 16])
def test_every_single_direction_is_gaussian(dim: int, orthogonal: bool) -> None:
    """Norms² are χ² with `dim` degrees of freedom (a fixed norm √dim would be biased), coordinates are N(0, 1)."""
    count = dim + 1  # one of a second block
    drawn = torch.stack([draw_directions(count, dim, orthogonal=orthogonal, seed=s) for s in range(600)]).double()
    for row in {0, dim - 1, dim}:
        norms = drawn[:, row].square().sum(-1)
        assert float((norms.mean() - dim) / (2 * dim / 600) ** 0.5) == pytest.approx(0, abs=4)
        assert stats.kstest(norms.numpy(), stats.chi2(dim).cdf).pvalue > 1e-4
        for column in {0, dim - 1}:
            assert stats.kstest(drawn[:, row, column].numpy(), stats.norm.cdf).pvalue > 1e-4


def test_a_rotation_prefers_no_direction() -> None:
    """Haar: the projection of each row on a fixed unit vector is as for a uniform direction, signs too."""
    dim = 3
    drawn = torch.stack([draw_directions(dim, dim, orthogonal=True, seed=s) for s in range(800)]).double()
    unit = drawn / drawn.norm(dim=-1, keepdim=True)
    for row in range(dim):
        for axis in torch.eye(dim, dtype=torch.float64), normal(dim, dim, seed=1):
            along = unit[:, row] @ (axis[0] / axis[0].norm())
            assert stats.kstest(along.numpy(), stats.uniform(-1, 2).cdf).pvalue > 1e-4  # in three dimensions: uniform
    assert abs(float(torch.linalg.det(unit).mean())) < 4 / 800**0.5  # rotations and reflections alike


def test_orthogonal_directions_are_orthogonal_in_blocks_and_independent_between_them() -> None:
    w = draw_directions(10, 4, orthogonal=True, seed=3).double()
    products = w @ w.T / (w.norm(dim=1)[:, None] * w.norm(dim=1))
    block = torch.arange(10) // 4
    inside = (block[:, None] == block) & ~torch.eye(10, dtype=torch.bool)
    assert float(products[inside].abs().max()) < 1e-6
    assert float(products[block[:, None] != block].abs().min()) > 1e-4
    assert len({round(float(n), 4) for n in w.norm(dim=1)}) == 10  # norms of their own


def test_independent_directions_are_independent() -> None:
    drawn = torch.stack([draw_directions(2, 4, orthogonal=False, seed=s) for s in range(600)]).double()
    products = (drawn[:, 0] * drawn[:, 1]).sum(-1)  # mean 0, variance 4; orthogonal ones would all be 0
    assert abs(float(products.mean())) < 4 * (4 / 600) ** 0.5
    assert float(products.var()) == pytest.approx(4, rel=0.35)


def test_directions_follow_the_seed_and_leave_the_global_state_alone() -> None:
    before = torch.get_rng_state()
    for orthogonal in (False, True):
        one, same, other = (draw_directions(5, 3, orthogonal=orthogonal, seed=s) for s in (1, 1, 2))
        assert torch.equal(one, same)
        assert not torch.equal(one, other)
    assert torch.equal(before, torch.get_rng_state())
