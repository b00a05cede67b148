"""Rows of any layer's output: how long, of what, and that they say the same for every batch."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from shoal.difficulty.pooling import MOST, pool
from shoal.errors import InputError


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("shape", "width", "words"),
    [
        ((4, 10), 10, "whole"),
        ((4, 512), 512, "whole"),
        ((4, 513), 512, "512 signed sums of 513"),
        ((4, 3000), 512, "512 signed sums of 3000"),
        ((4, 8, 8, 8), 512, "whole"),
        ((4, 512, 1, 1), 512, "whole"),
        ((4, 64, 32, 32), 256, "mean over 2×2 of 32×32"),
        ((4, 16, 16, 16), 400, "mean over 5×5 of 16×16"),
        ((4, 512, 4, 4), 512, "mean over 1×1 of 4×4"),
        ((4, 128, 2, 60), 512, "mean over 2×2 of 2×60"),
        ((4, 100, 1, 60), 500, "mean over 1×5 of 1×60"),
        ((4, 2048, 7, 7), 512, "512 signed sums of 2048, mean over 1×1 of 7×7"),
        ((4, 600, 1, 1), 512, "512 signed sums of 600, mean over 1×1 of 1×1"),
        ((4, 17, 192), 384, "means of 2 groups of 17 tokens"),
        ((4, 197, 384), 384, "mean of 197 tokens"),
        ((4, 12, 16), 192, "whole"),
        ((4, 197, 768), 512, "512 signed sums of 768, mean of 197 tokens"),
        ((4, 1, 768), 512, "512 signed sums of 768, mean of 1 tokens"),
        ((4, 8, 4, 16, 16), 512, "mean over 4×4×4 of 4×16×16"),
        ((4, 32, 5, 6, 7), 256, "mean over 2×2×2 of 5×6×7"),
        ((4, 2, 3, 4, 5, 6), 384, "mean over 3×4×4×4 of 3×4×5×6"),
    ],
)
def test_rows_and_how_they_were_made(shape: tuple[int, ...], width: int, words: str) -> None:
    rows, how = pool(noise(*shape))
    assert (tuple(rows.shape), how) == ((4, width), words)
    assert rows.dtype == torch.float32


@given(shape=st.lists(st.integers(1, 40), min_size=1, max_size=4), most=st.sampled_from([1, 7, 512]))
def test_rows_are_never_too_long(shape: list[int], most: int) -> None:
    while math.prod(shape) > 50_000:
        shape[shape.index(max(shape))] //= 2
    rows, how = pool(noise(2, *shape), most)
    assert rows.shape[0] == 2
    assert rows.shape[1] <= most
    whole = math.prod(shape) <= most
    assert (how == "whole") == whole
    assert not whole or torch.equal(rows, noise(2, *shape).flatten(1))


def test_the_finest_grid_that_fits() -> None:
    """One more cell a side would be too many."""
    for channels, side in [(3, 32), (8, 28), (64, 32), (130, 9), (512, 7)]:
        rows, how = pool(noise(1, channels, side, side))
        cells = int(how.split("×")[0].split()[-1])
        assert rows.shape[1] == channels * cells**2
        assert channels * (cells + 1) ** 2 > MOST


def cells_of(size: int, count: int) -> list[range]:
    """The parts of a side; neighbours share a line where the side is no multiple."""
    return [range(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


def test_means_of_maps_are_those_of_loops() -> None:
    x = noise(2, 24, 9, 11)  # 4×4 cells
    rows, _ = pool(x)
    expected = [
        [
            sum(float(x[b, c, i, j]) for i in down for j in across) / (len(down) * len(across))
            for c in range(24)
            for down in cells_of(9, 4)
            for across in cells_of(11, 4)
        ]
        for b in range(2)
    ]
    assert torch.allclose(rows.double(), torch.tensor(expected, dtype=torch.float64), atol=1e-6)


def test_means_of_volumes_are_those_of_loops() -> None:
    x = noise(2, 60, 3, 5, 4)  # 2×2×2 cells
    rows, _ = pool(x)
    expected = [
        [
            sum(float(x[b, c, i, j, k]) for i in deep for j in down for k in across)
            / (len(deep) * len(down) * len(across))
            for c in range(60)
            for deep in cells_of(3, 2)
            for down in cells_of(5, 2)
            for across in cells_of(4, 2)
        ]
        for b in range(2)
    ]
    assert torch.allclose(rows.double(), torch.tensor(expected, dtype=torch.float64), atol=1e-6)


def test_means_of_tokens_are_those_of_loops() -> None:
    x = noise(2, 17, 100)  # 5 groups
    rows, _ = pool(x)
    expected = [
        [sum(float(x[b, n, d]) for n in part) / len(part) for part in cells_of(17, 5) for d in range(100)]
        for b in range(2)
    ]
    assert torch.allclose(rows.double(), torch.tensor(expected, dtype=torch.float64), atol=1e-6)


@pytest.mark.parametrize("shape", [(3000,), (2048, 3, 3), (40, 768), (17, 192), (64, 12, 12)])
def test_rows_are_the_same_in_every_batch(shape: tuple[int, ...]) -> None:
    """And after other batches of other widths; a user's random numbers are neither used nor changed."""
    x = noise(6, *shape)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    whole, how = pool(x)
    pool(noise(2, 777))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    parts = [pool(x[:1]), pool(x[1:5]), pool(x[5:])]
    assert {words for _, words in parts} == {how}
    assert torch.allclose(torch.cat([rows for rows, _ in parts]), whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_rows_are_float32(dtype: torch.dtype) -> None:
    for shape in [(2, 10), (2, 900), (2, 64, 8, 8)]:
        x = noise(*shape).to(dtype)
        rows, _ = pool(x)
        assert rows.dtype == torch.float32
        assert torch.equal(rows, pool(x.float())[0])


def test_layout_in_memory_makes_no_difference() -> None:
    x = noise(2, 64, 12, 12)
    assert torch.allclose(pool(x.to(memory_format=torch.channels_last))[0], pool(x)[0], atol=1e-6)


def test_an_empty_batch() -> None:
    rows, how = pool(torch.zeros(0, 64, 32, 32))
    assert (tuple(rows.shape), how) == ((0, 256), "mean over 2×2 of 32×32")


def test_signed_sums_are_of_every_number_once() -> None:
    """A unit vector lands in one sum, with its sign: so every sum is linear, and no number is lost or used twice."""
    rows, _ = pool(torch.eye(1300))
    assert torch.equal(rows.abs().sum(1), torch.ones(1300))
    assert torch.equal(rows.abs().amax(1), torch.ones(1300))
    assert 0.4 < float((rows.sum(1) > 0).double().mean()) < 0.6  # 7 standard deviations of a fair coin
    assert int((rows.abs().sum(0) > 0).sum()) > 400  # of 512 sums: 472 ± 6 are expected
    x = noise(3, 1300)
    assert torch.allclose(x @ rows, pool(x)[0], atol=1e-4)


def test_signed_sums_keep_dot_products_on_average() -> None:
    """Of rows of ones, where nothing but the signs makes the products of different numbers cancel out.

    The square length of w sums has mean w and variance 2·w·(w − 1)/512 (Charikar et al. 2002, lemma 2): its ratio to w
    is 1 ± √(2/512) for one width. Over 200 widths, which have signs of their own, the mean is 1 ± 0.0044; five of these
    are allowed. Without signs the ratio would be about 1 + w/512, which is 3.
    """
    ratios = torch.tensor([float(pool(torch.ones(1, w))[0].square().sum()) / w for w in range(1000, 1200)])
    assert abs(float(ratios.mean()) - 1) < 5 * (2 / 512 / 200) ** 0.5
    assert float(ratios.std()) < 1.5 * (2 / 512) ** 0.5


def test_signed_sums_keep_the_dot_products_of_random_rows() -> None:
    """Within five standard errors: of each product it is at most ‖x‖·‖y‖·√(2/512), where x and y are fixed."""
    x, y = noise(4000, 1500), noise(4000, 1500, seed=1)
    y += 0.5 * x  # so that products are not about zero
    short_x, short_y = pool(x)[0], pool(y)[0]
    error = (short_x * short_y).sum(1).double() - (x * y).sum(1).double()
    bound = (x.norm(dim=1) * y.norm(dim=1)).double().mean() * (2 / 512) ** 0.5
    assert float(error.std()) < 1.2 * float(bound)
    assert abs(float(error.mean())) < 5 * float(bound) / 4000**0.5


def test_outputs_without_a_row_for_every_example_are_refused() -> None:
    expected = r"^layer: expected an output \[batch, ...\] with a row for every example, got \[5\]$"
    with pytest.raises(InputError, match=expected):
        pool(torch.zeros(5))
