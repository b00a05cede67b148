"""A guard for maps on inputs they were not made for: shrink the output towards the mean of the values where that helps.

A few rows are computed exactly. From them follows, per head, the share β in [0, 1] of the mean that brings the output
closest to the truth: near 0 for a map that works, whose output is left as it is; near 1 for one that does not. A single
row that is much farther from the mean than every exact one gets the mean, too. If causal, a row is judged by rows
before it, and an exact one by itself.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from shoal.attention.problem import Problem
from shoal.attention.rows import exact_rows, mean_rows
from shoal.attention.sampling import draw_rows, rows_ahead
from shoal.attention.values import values_seen

ROWS = 96  # that are computed exactly; if causal, the first 24 and 4 of every third more: 75 of 1k, 110 of 16k
_WHOLE, _RATIO = 24, 4 / 3
_SMALL = 0.02  # a smaller share changes nothing that the sample could tell
_FAR = 3.0  # times the farthest exact row
_NOISE = 1e-9  # of a row's square
_FEW = 8  # rows before that can be said


def guarded(
    out: Float[Tensor, "pairs groups n m"], problem: Problem, is_causal: bool
) -> Float[Tensor, "pairs groups n m"]:
    """The output (1 − β) out + β mean(V).

    Args:
        out: of linear attention.
        problem: the call that it is the output of.
        is_causal: whether row i sees only keys up to i.
    """
    if not out.numel() or not problem.k.shape[2]:
        return out
    total, count = values_seen(problem, is_causal, None)
    mean = (total / count.clamp_min(1))[:, None]  # (P, 1, n or 1, M)
    with torch.no_grad():
        seen = _Seen.of(out, problem, is_causal)
        share = seen.share  # (P, G, n or 1, 1)
        share = share.masked_fill(share <= _SMALL, 0.0)
        share = torch.where((out - mean).norm(dim=-1, keepdim=True) > _FAR * seen.farthest, 1.0, share)
        if not bool((share > 0).any()):
            return out
    return out + share.to(out.dtype) * (mean - out)


@dataclass(frozen=True)
class _Seen:
    """What the exact rows say, for every row (causal) or for every head.

    Attributes:
        share: β, (P, G, n or 1, 1).
        farthest: the largest distance of an exact row from the mean, (P, G, n or 1, 1); infinite where none was seen.
    """

    share: Tensor
    farthest: Tensor

    @classmethod
    def of(cls, out: Tensor, problem: Problem, is_causal: bool) -> "_Seen":
        """Compute the rows and compare."""
        at, weights = (x.to(out.device) for x in _drawn(out.shape[2], is_causal))
        rows = problem.replace(q=problem.q[..., at, :])
        exact, _ = exact_rows(rows, at, is_causal)
        mean, here = mean_rows(rows, at, is_causal), out[:, :, at]
        gain, size = _sums(exact, mean, here, weights)  # (P, G, rows) each
        distance = (exact - mean).norm(dim=-1)
        if not is_causal:
            return cls(_share(gain.sum(-1), size.sum(-1))[..., None, None], distance.amax(-1)[..., None, None])
        own = _share(gain, size)
        gain, size = (F.pad(x.cumsum(-1), (1, 0)) for x in (gain, size))
        farthest = F.pad(distance.cummax(-1).values, (1, 0), value=torch.inf)
        farthest[..., :_FEW] = torch.inf  # a row that sees one value is at its mean: the first say nothing
        before = torch.searchsorted(at, torch.arange(out.shape[2], device=out.device))  # exact rows before each row
        share = _share(gain, size)[..., before]
        share[..., at] = torch.where(own > 0.5, 1.0, share[..., at])  # an exact row is judged by itself as well
        return cls(share[..., None], farthest[..., before, None])


def _drawn(length: int, is_causal: bool) -> tuple[Tensor, Tensor]:
    """Positions of the exact rows, and how many rows each stands for; if causal, whatever follows."""
    if is_causal:
        return rows_ahead(length, whole=_WHOLE, ratio=_RATIO, seed=0)
    sample = draw_rows(torch.arange(length), ROWS, growing=False, seed=0)
    return sample.positions, sample.weights


def _sums(exact: Tensor, mean: Tensor, here: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """(mean − out)·(exact − out) and |mean − out|² of every exact row, weighed by the rows that it stands for."""
    towards = (mean - here).double()  # (P, G, rows, M)
    size = towards.square().sum(-1) + _NOISE * exact.double().square().sum(-1)  # a row that is its mean says nothing
    return (towards * (exact - here)).sum(-1) * weights, size * weights


def _share(gain: Tensor, size: Tensor) -> Tensor:
    """The share of least squared error. More than half becomes all: a bad map has rows that the sample did not meet."""
    share = (gain / size.clamp_min(1e-300)).clamp(0, 1)
    return share.masked_fill(share > 0.5, 1.0)
