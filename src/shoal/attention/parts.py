"""Parts of one attention put together under one normaliser.

Every part hands over its normalised output and the logarithm of its denominator; together they are what attention over
all of their keys would be:

    out = Σ_p exp(L_p − L) out_p,    L = log Σ_p exp(L_p)
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

Part = tuple[Float[Tensor, "*rows m"], Float[Tensor, "*rows 1"]]


def merge_parts(parts: Sequence[Part]) -> Part:
    """One part that stands for all; −inf as a log denominator marks a part without keys for that row.

    Args:
        parts: outputs (…, M) and log denominators (…, 1), all of one shape.

    Returns:
        The same of their union; 0 and −inf where no part has any key.

    Example:
        >>> one, two = torch.tensor([[1.0]]), torch.tensor([[3.0]])
        >>> merge_parts([(one, torch.zeros(1, 1)), (two, torch.zeros(1, 1))])[0]
        tensor([[2.]])
    """
    logs = torch.stack([log for _, log in parts])  # (parts, …, 1)
    top = logs.detach().amax(0)
    top = top.masked_fill(top == -torch.inf, 0.0)
    weights = (logs - top).exp()
    total = weights.sum(0)
    outs = torch.stack([out for out, _ in parts])
    merged = (weights * outs).sum(0) / total.clamp_min(torch.finfo(total.dtype).tiny)
    return merged, top + total.log()
