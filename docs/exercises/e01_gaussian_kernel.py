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
    raise NotImplementedError("this one is yours to write")
