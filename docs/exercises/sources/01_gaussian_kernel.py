"""Softmax attention as a Gaussian kernel.

Attention weighs the value of key k for query q by exp(scale · q·k), with scale = 1/√D. Show that this is a product of
three factors, one of them a Gaussian kernel of the distance between q and k:

    exp(scale · q·k) = a(q) · exp(−|q − k|² / 2σ²) · b(k)

Find σ², a and b (write |q − k|² out as |q|² − 2 q·k + |k|²), then write `gaussian_factors`. A second question to answer
on paper: one of the factors can be left out of softmax attention without any change. Which one, and why?

Hints
- q·k is half of |q|² + |k|² − |q − k|².
- `torch.cdist(q, k)` gives distances, not their squares.
"""

import torch
from torch import Tensor


def gaussian_factors(q: Tensor, k: Tensor, scale: float) -> tuple[Tensor, Tensor, Tensor]:
    """Split exp(scale · q·k) into a factor of each query, a Gaussian kernel, and a factor of each key.

    Args:
        q: queries [n, dim].
        k: keys [m, dim].
        scale: of the logits, > 0.

    Returns:
        a [n], the kernel [n, m], b [m].
    """
    # <solution>
    variance = 1 / scale
    a = (q.square().sum(1) / (2 * variance)).exp()
    b = (k.square().sum(1) / (2 * variance)).exp()
    kernel = (-torch.cdist(q, k).square() / (2 * variance)).exp()
    return a, kernel, b
    # </solution>


# <tests>
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


# <mistakes>
MISTAKES = [
    ("variance = 1 / scale", "variance = scale", "is not exp(scale"),
    (".cdist(q, k).square()", ".cdist(q, k)", "is not exp(scale"),
    ("b = (k.square()", "b = (-k.square()", "is not exp(scale"),
]
