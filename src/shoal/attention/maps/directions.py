"""Random directions: rows that are each N(0, I), independent of one another or orthogonal in blocks."""

import torch
from jaxtyping import Float
from torch import Tensor


def draw_directions(count: int, dim: int, *, orthogonal: bool, seed: int) -> Float[Tensor, "count dim"]:
    """Draw directions for random features.

    Orthogonal rows come in blocks of `dim`: a Haar-distributed rotation, each row times the norm of an independent
    Gaussian vector, so that every single row is N(0, I) and every estimate stays unbiased. (A fixed norm √dim, as some
    implementations have it, is biased.)

    Args:
        count: rows, >= 1.
        dim: of the space, >= 1.
        orthogonal: whether rows of a block are orthogonal.
        seed: of the draw; torch's global random state is left alone.

    Returns:
        float32 on the CPU.

    Example:
        >>> w = draw_directions(3, 3, orthogonal=True, seed=0)
        >>> bool((w @ w.T).fill_diagonal_(0).abs().max() < 1e-5)
        True

    Source: Yu et al. 2016, "Orthogonal random features", section 3 (arXiv 1610.09072).
    """
    generator = torch.Generator().manual_seed(seed)
    gaussian = lambda rows: torch.randn(rows, dim, generator=generator, dtype=torch.float64)  # noqa: E731
    if not orthogonal:
        return gaussian(count).float()
    blocks = [_rotation(gaussian(dim)) * gaussian(dim).norm(dim=1, keepdim=True) for _ in range(-(-count // dim))]
    return torch.cat(blocks)[:count].float()


def _rotation(gaussian: Tensor) -> Tensor:
    """A Haar-distributed orthogonal matrix: QR with the signs of R's diagonal put right (Mezzadri 2007)."""
    q, r = torch.linalg.qr(gaussian)
    return q * r.diagonal().sign()
