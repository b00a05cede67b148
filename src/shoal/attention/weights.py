"""From features to weights in range: the arithmetic that the causal and the full form share.

Keys are weighed against a reference per feature (or per head, where features have only a factor per row), which
follows the largest key feature so far; queries take the reference up again and are divided by a factor per row, which
the quotient of attention cancels:

    w_k = phi(k) · exp(−reference)    w_q = phi(q) · exp(reference − shift)    phi(q)·phi(k) = w_q·w_k · exp(shift)

Weights of queries are at most 1 in size, those of keys at most exp(ROOM).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from shoal.attention.features import Features, plus_, scaled, scaled_
from shoal.attention.state import UNSET

if TYPE_CHECKING:
    from shoal.attention.slices import Slice

ROOM = 60.0  # keys may exceed the reference by exp(60) = 1e26 before it moves: float32 ends at 3e38
FLOOR = 1e-6  # a denominator this small, in units of the largest weights, is rounding noise


@dataclass
class Sums:
    """Running sums of one call, (P, R, M + 1) with P = batch · key heads, and their reference, (P, 1, scales)."""

    sums: Tensor
    reference: Tensor | None

    def copy(self) -> "Sums":
        """Sums that share no memory; a reference is never changed in place."""
        return Sums(self.sums.clone(), self.reference)

    def share(self, share: "Slice", heads: int) -> "Sums":
        """A copy of the sums of a slice; `heads` is K."""
        cut = lambda x: share.of(x.unflatten(0, (-1, heads))).flatten(0, 1)  # noqa: E731
        return Sums(cut(self.sums).clone(), None if self.reference is None else cut(self.reference))

    def gather(self, shares: "list[tuple[Slice, Sums]]", heads: int) -> None:
        """Take over the sums of all slices."""
        for name in ("sums", "reference"):
            whole = getattr(self, name)
            if whole is None:
                continue
            found = torch.empty_like(whole).unflatten(0, (-1, heads))
            for share, own in shares:
                share.of(found).copy_(getattr(own, name).unflatten(0, share.of(found).shape[:2]))
            setattr(self, name, found.flatten(0, 1))

    def raise_to(self, exponent: Tensor) -> None:
        """Move the reference up to `exponent` (P, 1, scales) where that is larger; the sums are rescaled."""
        assert self.reference is not None
        top = torch.maximum(self.reference, exponent)
        self.sums = self.sums * (self.reference - top).exp().mT
        self.reference = top

    def add(self, weights: Tensor, values: Tensor) -> None:
        """Take in keys: weights (P, n, R), values with a column of ones (P, n, M + 1)."""
        self.sums.baddbmm_(weights.mT, values)


def empty_sums(pairs: int, num_features: int, scales: int, m: int, like: Tensor) -> Sums:
    """Sums of no keys."""
    reference = like.new_full((pairs, 1, scales), UNSET) if scales else None
    return Sums(like.new_zeros(pairs, num_features, m + 1), reference)


def weigh_queries(features: Features, reference: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """w_q (P, n, R) and shift (P, n, 1); no shift without a reference. Works in place on the features."""
    if reference is None:
        return scaled(features.value, None), None
    if features.log is None:
        assert features.value is not None
        assert features.row is not None
        if reference.shape[-1] == 1:  # the row's factor is all there is: the shift takes it
            return features.value, features.row + reference
        top = reference.amax(-1, keepdim=True)
        return features.value * (reference - top).exp(), features.row + top
    lifted = plus_(features.log, reference)
    top = lifted.amax(-1, keepdim=True)
    shift = top if features.row is None else top + features.row
    return scaled_(features.value, plus_(lifted, top, -1)), shift


def exponent_of_rows(features: Features, reference: Tensor | None, log_den: Tensor) -> Tensor:
    """The exponent that makes queries' weights, with w_k, the rows of the attention matrix: they sum to 1 over keys.

    Args:
        features: of the queries.
        reference: that the keys are weighed against.
        log_den: logarithm of each row's denominator, (P, n, 1); +inf makes a row 0.
    """
    factor = -log_den if features.row is None else features.row - log_den
    if reference is None:
        return factor
    return factor + reference if features.log is None else features.log + factor + reference


def exponent_of_keys(features: Features, reference: Tensor | None, mask: Tensor | None) -> Tensor | None:
    """Log phi(k) − reference, (P, n, scales); −inf where a key is masked. Works in place on the features."""
    if reference is None:
        return None
    if features.log is None:
        assert features.row is not None
        exponent = features.row - reference
    else:
        exponent = features.log if features.row is None else plus_(features.log, features.row)
        exponent = plus_(exponent, reference, -1)
    return exponent if mask is None else exponent.masked_fill(~mask, -torch.inf)


def first_exponent(features: Features, mask: Tensor | None) -> Tensor | None:
    """Log phi of the first key, (P, 1, scales), the starting point of a reference; −inf where it is masked."""
    first = row = None if features.row is None else features.row[:, :1]
    if features.log is not None:
        first = features.log[:, :1].clone() if row is None else features.log[:, :1] + row
    return first if first is None or mask is None else first.masked_fill(~mask[:, :1], -torch.inf)


def weigh_block(features: Features, sums: Sums, mask: Tensor | None) -> Tensor:
    """w_k of a block of keys (P, n, R), after the reference was moved up to its largest features.

    Not for causal rows: the reference would carry the future to them.
    """
    if sums.reference is None:
        return weigh_keys(features, None, mask)
    exponent = features.row if features.log is None else features.log
    assert exponent is not None
    if features.log is not None and features.row is not None:
        exponent = plus_(features.log, features.row)
    exponent = exponent if mask is None else exponent.masked_fill(~mask, -torch.inf)
    sums.raise_to(exponent.amax(1, keepdim=True))
    return weigh_keys(features, plus_(exponent, sums.reference, -1), mask)


def weigh_keys(features: Features, exponent: Tensor | None, mask: Tensor | None) -> Tensor:
    """w_k, (P, n, R), in the memory of `exponent`; 0 where a key is masked."""
    if exponent is None:
        weights = scaled(features.value, None)
        return weights if mask is None else weights.masked_fill(~mask, 0.0)
    return scaled_(features.value, exponent)


def gradients_by_parts(
    features: Features, exponent: Tensor | None, weights: Tensor, by_weights: Tensor
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """From the gradient by w = value · exp(exponent) to those by value, log and row; None where a factor is missing.

    Args:
        features: whose weights they are.
        exponent: None stands for 0.
        weights: w.
        by_weights: the gradient.
    """
    by_value = by_log = by_row = None
    if features.value is not None:
        by_value = by_weights if exponent is None else by_weights * exponent.exp()
    if features.log is not None or features.row is not None:
        by_exponent = weights * by_weights
        by_log = None if features.log is None else by_exponent
        by_row = None if features.row is None else by_exponent.sum(-1, keepdim=True)
    return by_value, by_log, by_row
