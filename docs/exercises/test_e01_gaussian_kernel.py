"""Tests of exercise 01: Softmax attention as a Gaussian kernel."""

import torch
from e01_gaussian_kernel import gaussian_factors
from torch import Tensor


def _inputs() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(2, 5, 8, dtype=torch.float64, generator=generator))


def test_the_kernel_depends_on_the_distance_alone() -> None:
    q, k = _inputs()
    _, kernel, _ = gaussian_factors(q, k, 0.5)
    _, moved, _ = gaussian_factors(q + 3, k + 3, 0.5)
    assert torch.allclose(kernel, moved), "the kernel changed when queries and keys moved together: it is not of q − k"
    _, itself, _ = gaussian_factors(q, q, 0.5)
    assert torch.allclose(itself.diagonal(), torch.ones(5).double(), atol=1e-6), "at distance 0 a Gaussian kernel is 1"


def test_the_product_is_the_weight_of_attention() -> None:
    q, k = _inputs()
    for scale in (8**-0.5, 1.0, 0.1):
        a, kernel, b = gaussian_factors(q, k, scale)
        product = a[:, None] * kernel * b[None, :]
        expected = (scale * q @ k.T).exp()
        assert torch.allclose(product, expected, rtol=1e-6), (
            f"a · kernel · b is not exp(scale · q·k) at scale {scale:.3g}"
        )


def test_the_factor_of_the_query_cancels() -> None:
    q, k = _inputs()
    _, kernel, b = gaussian_factors(q, k, 8**-0.5)
    weights = kernel * b / (kernel * b).sum(1, keepdim=True)
    expected = (q @ k.T / 8**0.5).softmax(1)
    assert torch.allclose(weights, expected), "without a(q), rows that are divided by their sum should be the softmax"
