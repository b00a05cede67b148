"""Where the backward pass puts its gradients: whole tensors, of which every slice writes its own slice."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from shoal.attention.problem import Problem
from shoal.attention.slices import Slice


@dataclass
class Own:
    """Views of the gradients for one slice.

    Attributes:
        q: (P, G, N, D).
        k: (P, N, D).
        v: (P, N, M).
        parameters: those of the slice's map that need a gradient.
        totals: their gradients, added up as the loops go on.
    """

    q: Tensor
    k: Tensor
    v: Tensor
    parameters: list[Tensor] = field(default_factory=list)
    totals: list[Tensor] = field(default_factory=list)

    def accumulate(self, gradients: Sequence[Tensor | None]) -> None:
        """Add gradients by the parameters where there are some."""
        for total, gradient in zip(self.totals, gradients, strict=True):
            if gradient is not None:
                total += gradient


@dataclass
class Gradients:
    """Gradients of one call, in the precision that was computed in.

    Attributes:
        q: (B, K, G, N, D).
        k: (B, K, N, D).
        v: (B, K, N, M).
        needed: whether each parameter of the map needs a gradient.
        owns: what each slice writes to; gradients by parameters are added up at the end.
        whole: the call.
    """

    q: Tensor
    k: Tensor
    v: Tensor
    needed: Sequence[bool]
    owns: list[tuple[Slice, Own]]
    whole: Problem

    @classmethod
    def like(cls, whole: Problem, needed: Sequence[bool]) -> "Gradients":
        """Room for the gradients of a call; `needed` says which parameters of the map want one."""
        q, k, v = (torch.empty(x.shape, dtype=whole.dtype, device=x.device) for x in (whole.q, whole.k, whole.v))
        return cls(q, k, v, needed, [], whole)

    def of(self, share: Slice, problem: Problem) -> Own:
        """Views for a slice; `problem` is the slice's, with its own slices of the map's parameters."""
        fitted = problem.feature_map
        every = [] if fitted is None else list(fitted.parameters())
        wanted: list[Tensor] = [p for p, needed in zip(every, self.needed, strict=True) if needed]
        totals = [torch.zeros_like(p) for p in wanted]
        own = Own(share.pairs(self.q), share.pairs(self.k), share.pairs(self.v), wanted, totals)
        self.owns.append((share, own))
        return own

    def by_inputs(self, whole: Problem) -> list[Tensor]:
        """Gradients by q, k and v in their dtypes."""
        return [g.to(x.dtype) for g, x in ((self.q, whole.q), (self.k, whole.k), (self.v, whole.v))]

    def by_parameters(self) -> list[Tensor | None]:
        """Gradients by the map's parameters, the slices' put together."""
        if not any(self.needed):
            return [None] * len(self.needed)
        assert self.whole.feature_map is not None
        every = list(self.whole.feature_map.parameters())
        found = [torch.zeros_like(p) if needed else None for p, needed in zip(every, self.needed, strict=True)]
        wanted = [total for total in found if total is not None]
        for share, own in self.owns:
            for total, addend in zip(wanted, own.totals, strict=True):
                place = total if total.shape == addend.shape else total[share.heads]
                place += addend
        return found
