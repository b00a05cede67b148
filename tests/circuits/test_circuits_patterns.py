"""What maps look like, in closed form; divergences against scipy; attention of recorded queries and keys."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from torch import Tensor

from shoal.circuits import (
    Pattern,
    describe_pattern,
    measure_pattern,
    measure_redundancy,
    recorded_attention,
    redundancy,
)
from shoal.circuits.measures import draw_again
from shoal.circuits.patterns import jensen_shannon, key_orders, seen_keys, total_variation
from shoal.errors import InputError
from tests.circuits.examples import normal


def maps_of(seed: int, *shape: int) -> Tensor:
    return (2 * normal(*shape, seed=seed)).softmax(-1)


def described(attention: Tensor, *, is_causal: bool = False) -> list[float]:
    return list(vars(describe_pattern(attention, is_causal=is_causal)).values())


# ---------------------------------------------------------------------- closed forms


def explained_by_first(n: int) -> float:
    """How much of the map that looks at the first key the distance explains: its means are 1/n … 1/1 once a diagonal.

    Distances −(n−1) … 0 have one entry of 1 among n − d entries; all others have none.
    """
    mean = 1 / n
    total = mean * (1 - mean)
    means = {d: 1 / (n - d) for d in range(n)}
    between = sum((n - d) * (m - mean) ** 2 for d, m in means.items())
    between += sum((n - d) * mean**2 for d in range(1, n))
    return between / n**2 / total


@pytest.mark.parametrize("n", [2, 3, 8, 65])
def test_closed_forms(n: int) -> None:
    first = torch.zeros(n, n)
    first[:, 0] = 1
    before = torch.eye(n).roll(1, 0)  # the first query looks at the last key
    flat = torch.full((n, n), 1 / n)
    causal = torch.ones(n, n).tril() / torch.arange(1, n + 1)[:, None]
    diagonal = (n - 1) / n
    for maps, expected in [
        (torch.eye(n), Pattern(entropy=0, stripe=0, band=1, previous=0, first=1 / n, itself=1)),
        (before, Pattern(entropy=0, stripe=0, band=1, previous=1, first=1 / n, itself=0)),
        (first, Pattern(entropy=0, stripe=1, band=explained_by_first(n), previous=1 / (n - 1), first=1, itself=1 / n)),
        (flat, Pattern(entropy=1, stripe=0, band=0, previous=1 / n, first=1 / n, itself=1 / n)),
    ]:
        for repeat in (1, 3):
            assert described(maps.expand(repeat, n, n)) == pytest.approx(list(vars(expected).values()), abs=1e-6)
    # the first row sees one key
    assert describe_pattern(causal[None], is_causal=True).entropy == pytest.approx(diagonal, abs=1e-6)


@pytest.mark.parametrize("n", [3, 6, 7, 65])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_rounding_of_uniform_maps_is_no_pattern(n: int, dtype: torch.dtype) -> None:
    """As a head without scores makes them."""
    found = describe_pattern(torch.zeros(2, n, n, dtype=dtype).softmax(-1))
    assert (found.stripe, found.band) == pytest.approx((0, 0), abs=1e-6)
    assert found.entropy == pytest.approx(1)


def test_one_place_has_no_pattern() -> None:
    assert described(torch.ones(2, 1, 1)) == [0, 0, 0, 0, 1, 1]


@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(1, 4))
def test_all_measures_are_shares(seed: int, n: int, count: int) -> None:
    found = described(maps_of(seed, count, n, n))
    assert all(-1e-12 <= x <= 1 + 1e-12 for x in found)


@given(st.integers(0, 10**6), st.integers(2, 7))
def test_measures_are_what_loops_find(seed: int, n: int) -> None:
    maps = maps_of(seed, 3, n, n)
    found = describe_pattern(maps)
    entries = [(i, j, float(a[i, j])) for a in maps for i in range(n) for j in range(n)]
    mean = sum(x for _, _, x in entries) / len(entries)

    def explained(kinds: list[int]) -> float:
        groups: dict[int, list[float]] = {}
        for kind, (_, _, x) in zip(kinds, entries, strict=True):
            groups.setdefault(kind, []).append(x)
        between = sum(len(g) * (sum(g) / len(g) - mean) ** 2 for g in groups.values())
        return between / sum((x - mean) ** 2 for _, _, x in entries)

    assert found.stripe == pytest.approx(explained([j for _, j, _ in entries]))
    assert found.band == pytest.approx(explained([j - i for i, j, _ in entries]))
    rows = [-sum(float(x) * math.log(x) for x in row) / math.log(n) for a in maps for row in a]
    assert found.entropy == pytest.approx(sum(rows) / len(rows))
    assert found.previous == pytest.approx(float(np.mean([a[i, i - 1] for a in maps for i in range(1, n)])))


def test_a_shifted_stripe_is_still_one_and_a_band_too() -> None:
    stripes = torch.zeros(1, 6, 6)
    stripes[:, :, 4] = 1
    assert describe_pattern(stripes).stripe == pytest.approx(1)
    assert describe_pattern(torch.eye(6).roll(2, 0)[None]).band == pytest.approx(1)


def test_keys_that_get_nothing_are_seen_all_the_same() -> None:
    """Sharp maps underflow: half of four keys is half of the entropy, whatever the others round to."""
    sharp = torch.tensor([[0.5, 0.5, 0, 0]]).expand(4, 4)[None]
    assert describe_pattern(sharp).entropy == pytest.approx(0.5)
    assert describe_pattern(sharp + 1e-30).entropy == pytest.approx(0.5)


# ---------------------------------------------------------------------- how sure, and by chance


@given(st.integers(0, 10**6), st.integers(2, 6), st.booleans())
def test_measured_is_described_with_an_interval(seed: int, n: int, is_causal: bool) -> None:
    maps = maps_of(seed, 5, n, n)
    if is_causal:
        maps = maps.tril() / maps.tril().sum(-1, keepdim=True)
    found = measure_pattern(maps, is_causal=is_causal, draws=20)
    assert [each.value for each in vars(found).values()] == described(maps, is_causal=is_causal)
    for each in vars(found).values():
        assert -1e-9 <= each.low <= each.value <= each.high <= 1 + 1e-9
        assert -1e-9 <= each.chance_low <= each.chance_high <= 1 + 1e-9


def test_a_bootstrap_sample_is_described_as_its_maps() -> None:
    """Also shares of variance, of which a mean over maps says nothing."""
    maps = maps_of(3, 8, 5, 5)
    generator = torch.Generator().manual_seed(0)
    counts = draw_again(8, 40, generator)
    samples = [describe_pattern(maps.repeat_interleave(row.long(), 0)) for row in counts]
    found = measure_pattern(maps, draws=40, seed=0)
    for name in vars(found):
        values = torch.tensor([getattr(sample, name) for sample in samples])
        low = float(values.double().quantile(0.025))
        assert getattr(found, name).low == pytest.approx(min(low, getattr(found, name).value), abs=1e-6), name


@pytest.mark.parametrize("is_causal", [False, True])
def test_orders_move_only_keys_that_are_seen(is_causal: bool) -> None:
    seen = seen_keys(5, is_causal)
    orders = key_orders(seen, 300, torch.Generator().manual_seed(0))
    assert bool((orders.sort(-1).values == torch.arange(5)).all())  # orders, all of them
    counts = torch.nn.functional.one_hot(orders, 5).double().mean(0)  # (query, to, from)
    even = seen[:, :, None] & seen[:, None, :]
    expected = even / seen.sum(-1)[:, None, None] + torch.diag_embed((~seen).double())
    assert torch.allclose(counts, expected, atol=0.12)  # four standard errors of 300 draws


def test_chance_is_a_head_as_sharp_that_looks_anywhere() -> None:
    n = 8
    found = measure_pattern(torch.eye(n).roll(1, 0).expand(30, n, n), draws=400)
    assert found.previous.chance == pytest.approx(1 / n, abs=0.02)
    assert found.first.chance == pytest.approx(1 / n, abs=0.02)
    assert found.previous.beyond_chance
    assert found.band.beyond_chance
    assert not found.first.beyond_chance
    assert found.entropy.beyond_chance  # sharper than attention drawn evenly
    # of a flat Dirichlet row: (ψ(n + 1) − ψ(2)) / log n
    even = (sum(1 / k for k in range(1, n + 1)) - 1) / math.log(n)
    assert found.entropy.chance == pytest.approx(even, abs=0.02)
    causal = measure_pattern(torch.eye(n).expand(30, n, n), is_causal=True, draws=400)
    assert causal.first.chance == pytest.approx(sum(1 / k for k in range(1, n + 1)) / n, abs=0.03)


def test_one_map_says_nothing_of_others() -> None:
    found = measure_pattern(maps_of(1, 1, 4, 4), draws=5)
    assert all((each.low, each.high) == (0, 1) for each in vars(found).values())
    pair = measure_redundancy(maps_of(1, 2, 1, 4, 4), draws=5)
    assert (pair[0][1].low, pair[0][1].high) == (0, 1)


def test_redundancy_has_an_interval_and_a_chance() -> None:
    heads = maps_of(1, 3, 12, 5, 5)
    heads[2] = heads[0]
    plain, found = redundancy(heads), measure_redundancy(heads, draws=60)
    for i in range(3):
        for j in range(3):
            each = found[i][j]
            assert each.value == pytest.approx(float(plain[i, j]))
            assert each.low <= each.value <= each.high
            assert each == found[j][i]
    assert found[0][2].beyond_chance
    assert found[1][1].beyond_chance
    assert found[0][1].high - found[0][1].low > 1e-3
    assert not found[0][1].beyond_chance  # one as sharp that looks anywhere is as near


def test_seeds_draw_and_leave_the_global_state_alone() -> None:
    before = torch.get_rng_state()
    maps = maps_of(1, 6, 4, 4)
    assert measure_pattern(maps, seed=1) == measure_pattern(maps, seed=1) != measure_pattern(maps, seed=2)
    assert torch.equal(before, torch.get_rng_state())


# ---------------------------------------------------------------------- divergences


@given(st.integers(0, 10**6), st.integers(1, 8))
def test_divergence_is_scipys(seed: int, n: int) -> None:
    one, other = maps_of(seed, 5, n), maps_of(seed + 1, 5, n)
    one[0, 0] = 0.0
    one[0] = one[0] / one[0].sum() if n > 1 else 1.0
    expected = [float(jensenshannon(*pair, base=2)) ** 2 for pair in zip(one.numpy(), other.numpy(), strict=True)]
    assert jensen_shannon(one, other).tolist() == pytest.approx(expected, abs=1e-12)


def test_divergences_of_the_same_and_of_nothing_in_common() -> None:
    one, other = torch.eye(3, dtype=torch.float64)[:2]
    assert float(jensen_shannon(one, one)) == float(total_variation(one, one)) == 0
    assert float(jensen_shannon(one, other)) == pytest.approx(1, abs=1e-12)
    assert float(total_variation(one, other)) == 1


@given(st.integers(0, 10**6))
def test_total_variation_is_the_attention_that_has_to_move(seed: int) -> None:
    one, other = maps_of(seed, 4, 6), maps_of(seed + 1, 4, 6)
    found = total_variation(one, other)
    assert torch.allclose(found, (one - other).clamp_min(0).sum(-1))
    assert torch.equal(found, total_variation(other, one))
    assert torch.allclose(total_variation(one, 0.25 * other + 0.75 * one), 0.25 * found)
    assert bool((jensen_shannon(one, other) <= found + 1e-6).all())  # Lin 1991, theorem 3


def test_redundancy_is_one_less_the_mean_total_variation() -> None:
    heads = maps_of(1, 4, 3, 5, 5)
    heads[3] = heads[1]
    found = redundancy(heads)
    assert torch.equal(found, found.T)
    assert found.diagonal().tolist() == [1] * 4
    assert float(found[1, 3]) == pytest.approx(1)
    for i in range(4):
        for j in range(4):
            rows = [float(0.5 * (a - b).abs().sum()) for a, b in zip(heads[i].flatten(0, 1), heads[j].flatten(0, 1))]  # noqa: B905
            assert float(found[i, j]) == pytest.approx(1 - sum(rows) / len(rows))
    apart = torch.stack([torch.eye(4), torch.eye(4).roll(1, 0)])[:, None]
    assert redundancy(apart).tolist() == [[1, 0], [0, 1]]


# ---------------------------------------------------------------------- recorded queries and keys


def qk(seed: int, n: int = 6) -> tuple[Tensor, Tensor]:
    return normal(2, 3, n, 4, seed=seed), normal(2, 3, n, 4, seed=seed + 1)


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("scale", [None, 0.3])
@pytest.mark.parametrize("n", [1, 6])
def test_recorded_attention_is_torchs(is_causal: bool, scale: float | None, n: int) -> None:
    """With the identity as values, torch's attention returns its weights."""
    q, k = qk(1, n)
    mask = torch.ones(2, n, dtype=torch.bool)
    mask[1, n // 2 + 1 :] = False
    seen = mask[:, None, None, :] & (torch.ones(n, n).tril().bool() if is_causal else torch.ones(n, n).bool())
    values = torch.eye(n).double().expand(2, 3, n, n)
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, values, attn_mask=seen, scale=scale)
    found = recorded_attention(q, k, is_causal=is_causal, key_mask=mask, scale=scale)
    assert found.shape == (3, 2, n, n)
    assert torch.allclose(found.transpose(0, 1), expected, atol=1e-12)


def test_rows_that_see_nothing_are_zero() -> None:
    q, k = qk(1)
    mask = torch.ones(2, 6, dtype=torch.bool)
    mask[0, 0], mask[1] = False, False
    found = recorded_attention(q, k, is_causal=True, key_mask=mask)
    assert not found[:, 0, 0].any()
    assert not found[:, 1].any()
    assert torch.allclose(found[:, 0, 1:].sum(-1), torch.ones(3, 5).double())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_recorded_attention_is_computed_in_float64(dtype: torch.dtype) -> None:
    q, k = (x.to(dtype) for x in qk(1))
    assert torch.equal(recorded_attention(q, k), recorded_attention(q.double(), k.double()))


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_recordings_that_are_no_numbers_are_refused(side: int, value: float) -> None:
    pair = qk(1)
    pair[side][0, 0, 0, 0] = value
    with pytest.raises(InputError, match="q and k: expected finite numbers, got NaN or infinity"):
        recorded_attention(*pair)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_gpu_says_what_the_cpu_says() -> None:
    q, k = qk(1)
    expected = recorded_attention(q, k, is_causal=True)
    found = recorded_attention(q.cuda(), k.cuda(), is_causal=True)
    assert torch.allclose(found.cpu(), expected, atol=1e-9)
    for head, other in zip(found, expected, strict=True):
        assert described(head) == pytest.approx(described(other), abs=1e-9)
    assert torch.allclose(redundancy(found), redundancy(expected), atol=1e-9)
