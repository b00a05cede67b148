"""A guard for maps on inputs they were not made for: shrink the output towards the mean of the values where that helps.

A few rows are computed exactly. From them follows, per head, the share β in [0, 1] of the mean that brings the output
closest to the truth: near 0 for a map that works, and the output is left as it is; near 1 for one that does not. If
causal, the β of a row comes from rows before it.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from shoal.attention.problem import Problem
from shoal.attention.rows import exact_rows, mean_rows
from shoal.attention.sampling import draw_rows
from shoal.attention.values import values_seen

ROWS = 64  # that are computed exactly
_SMALL = 0.02  # a smaller share changes nothing that the sample could tell


def guarded(
    out: Float[Tensor, "pairs groups n m"], problem: Problem, is_causal: bool
) -> Float[Tensor, "pairs groups n m"]:
    """The output (1 − β) out + β mean(V).

    Args:
        out: of linear attention.
        problem: the call that it is the output of.
        is_causal: whether row i sees only keys up to i.
    """
    share = shares(out.detach(), problem, is_causal)  # (P, G, n or 1, 1)
    if not bool((share > _SMALL).any()):
        return out
    total, count = values_seen(problem, is_causal, None)
    mean = (total / count.clamp_min(1))[:, None]  # (P, 1, n or 1, M)
    return out + share.to(out.dtype) * (mean - out)


@torch.no_grad()
def shares(out: Tensor, problem: Problem, is_causal: bool) -> Tensor:
    """β of every row, (P, G, n, 1), or of every head, (P, G, 1, 1)."""
    sample = draw_rows(torch.arange(out.shape[2]), ROWS, growing=is_causal, seed=0)
    at = sample.positions.to(out.device)
    rows = problem.replace(q=problem.q[..., at, :])
    exact, _ = exact_rows(rows, at, is_causal)
    here = out[:, :, at]
    towards = (mean_rows(rows, at, is_causal) - here).double()  # (P, G, rows, M)
    weights = sample.weights.to(out.device)
    gain = (towards * (exact - here)).sum(-1) * weights  # (P, G, rows)
    size = towards.square().sum(-1) * weights
    if not is_causal:
        return _share(gain.sum(-1), size.sum(-1))[..., None, None]
    gain, size = (torch.nn.functional.pad(x.cumsum(-1), (1, 0)) for x in (gain, size))
    by_count = _share(gain, size)  # (P, G, rows + 1): by the number of sampled rows before
    before = torch.searchsorted(at, torch.arange(out.shape[2], device=out.device))
    return by_count[..., before, None]


def _share(gain: Tensor, size: Tensor) -> Tensor:
    """The share of least squared error; more than half becomes all: what is left of a bad map may hold rows that the
    sample did not meet.
    """
    share = (gain / size.clamp_min(1e-300)).clamp(0, 1)
    return share.masked_fill(share > 0.5, 1.0)
