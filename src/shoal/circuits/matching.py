"""Heads of two models put beside each other: which is which, whatever order they are in."""

from jaxtyping import Float
from scipy.optimize import linear_sum_assignment
from torch import Tensor


def match_heads(likeness: Float[Tensor, "ours theirs"]) -> list[tuple[int, int]]:
    """Pairs of heads with the largest likeness in total, by optimal assignment.

    Args:
        likeness: of every head of one model with every head of another, larger is more alike.

    Returns:
        One pair for every head of the smaller side, in the order of ours.

    Example:
        >>> import torch
        >>> match_heads(torch.tensor([[0.1, 0.9], [0.8, 0.2]]))
        [(0, 1), (1, 0)]
    """
    ours, theirs = linear_sum_assignment(likeness.cpu().numpy(), maximize=True)
    return [(int(i), int(j)) for i, j in zip(ours, theirs, strict=True)]
