"""Linear-time attention: `linear_attention`, with the signature of torch's scaled_dot_product_attention.

    phi = create_feature_map("positive", dim=64, num_features=256)
    out = linear_attention(q, k, v, feature_map=phi, is_causal=True)      # O(seq · features · (dim + m))

The readable truth is `shoal.attention.linear_attention_reference`; the loops are in `causal` and `full`.
"""

from typing import Literal, overload

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from shoal.attention.checks import check_feature_map, check_inputs, hides_infinity, name_nonfinite
from shoal.attention.eager import eager, full_precision
from shoal.attention.guard import guarded
from shoal.attention.kernelised import run_kernel
from shoal.attention.maps.base import FeatureMap
from shoal.attention.preparing import as_problem, label_of, starting_sums
from shoal.attention.problem import Problem
from shoal.attention.reporting import warn_of_denominators
from shoal.attention.state import AttentionState
from shoal.attention.step import is_step, step
from shoal.attention.values import longest_seen, too_long, values_seen
from shoal.attention.weights import Sums
from shoal.errors import wrong


@overload
def linear_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    feature_map: FeatureMap | None,
    is_causal: bool = False,
    key_mask: Tensor | None = None,
    scale: float | None = None,
    enable_gqa: bool = False,
    guard: bool = False,
    state: AttentionState | None = None,
    return_state: Literal[False] = False,
) -> Tensor: ...


@overload
def linear_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    feature_map: FeatureMap | None,
    is_causal: bool = False,
    key_mask: Tensor | None = None,
    scale: float | None = None,
    enable_gqa: bool = False,
    guard: bool = False,
    state: AttentionState | None = None,
    return_state: Literal[True],
) -> tuple[Tensor, AttentionState]: ...


@full_precision
def linear_attention(
    q: Float[Tensor, "batch q_heads q_len dim"],
    k: Float[Tensor, "batch heads len dim"],
    v: Float[Tensor, "batch heads len m"],
    *,
    feature_map: FeatureMap | None,
    is_causal: bool = False,
    key_mask: Bool[Tensor, "batch len"] | None = None,
    scale: float | None = None,
    enable_gqa: bool = False,
    guard: bool = False,
    state: AttentionState | None = None,
    return_state: bool = False,
) -> Float[Tensor, "batch q_heads q_len m"] | tuple[Float[Tensor, "batch q_heads q_len m"], AttentionState]:
    """Attention in time linear in the sequence: Σ_j phi(q_i)·phi(k_j) v_j / Σ_j phi(q_i)·phi(k_j).

    Safe at any norm: features are kept as logarithms until they are compared with the largest so far; outputs are
    finite for logits up to 1e4 and beyond. Strictly causal: a later token does not move an earlier output by one bit.
    A row whose denominator is negative, vanishes or overflows (signed maps, `relu`), or nearly cancels so that the row
    is longer than every value it sees, gets the mean of those values, is counted in `state.replaced` and reported by a
    `DenominatorWarning`. A row that sees no key is 0.

    Args:
        q: queries; float32, float64, bfloat16 or float16. Sums are float32, or float64 for float64.
        k: keys; as many as queries if causal.
        v: values.
        feature_map: of `create_feature_map`; None takes q and k as features, [.., features], as they are.
        is_causal: whether query i sees only the keys 0 … i (and those in the state).
        key_mask: True takes part. Padding is never looked at, so that the result is that of the unpadded keys.
        scale: of the logits that the map approximates, > 0; 1/√dim unless given.
        enable_gqa: whether several query heads may share a key head.
        guard: whether to compute a few rows exactly and to shrink the output towards the mean of the values as far as
            they say, see `shoal.attention.guard`; for inputs that the map may not have been made for. Not with a state.
        state: what came before, of the same map; a constant for autograd.
        return_state: whether to return the state after these keys.

    Returns:
        One row per query, in the dtype of the inputs; and the state, if asked for. Differentiable once with respect to
        q, k, v and the map's parameters, in memory of the size of inputs and outputs.

    Raises:
        InputError: if shapes, dtypes, devices, map or state do not fit, or an input holds NaN or infinity.

    Example:
        >>> from shoal.attention import create_feature_map
        >>> q, k, v = torch.randn(3, 1, 8, 100, 64).unbind()
        >>> phi = create_feature_map("positive", dim=64)
        >>> linear_attention(q, k, v, feature_map=phi).shape
        torch.Size([1, 8, 100, 64])
        >>> out, state = linear_attention(q, k, v, feature_map=phi, is_causal=True, return_state=True)
        >>> next_out = linear_attention(
        ...     q[:, :, :1], k[:, :, :1], v[:, :, :1], feature_map=phi, is_causal=True, state=state
        ... )

    Source: Katharopoulos et al. 2020, "Transformers are RNNs" (arXiv 2006.16236); features after Choromanski et al.
        2021 (arXiv 2009.14794) and others, see `create_feature_map`.
    """
    check_inputs(q, k, v, key_mask=key_mask, scale=scale, enable_gqa=enable_gqa, is_causal=is_causal)
    check_feature_map(feature_map, q, k)
    if guard and (state is not None or return_state):
        raise wrong("guard", expected="a whole sequence", got="a state", fix="leave guard=False while streaming")
    problem = as_problem(q, k, v, feature_map, key_mask, scale)
    if state is not None and is_step(q, is_causal, key_mask) and (found := step(problem, state)) is not None:
        out = found[0].reshape(*q.shape[:3], v.shape[3]).to(q.dtype)
        return (out, found[1]) if return_state else out
    return _attend(q, k, v, problem, is_causal, guard, state, return_state)


@eager
def _attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    problem: Problem,
    is_causal: bool,
    guard: bool,
    state: AttentionState | None,
    return_state: bool,
) -> Tensor | tuple[Tensor, AttentionState]:
    """`linear_attention` on checked inputs."""
    key_mask = problem.mask
    sums = starting_sums(problem, state)
    out, log_den = run_kernel(problem, is_causal, sums)
    bad = (log_den == -torch.inf) | too_long(out, problem, is_causal, state)  # (P, G, N, 1)
    replaced = bad.new_zeros(k.shape[:2], dtype=torch.long)
    finite = bool(torch.isfinite(out.detach().sum())) and not hides_infinity(q, k, problem.feature_map)
    if bool(bad.any()) or not finite:
        if error := name_nonfinite(q, k, v, key_mask):
            raise error
        out, replaced = replace_rows(out, bad, problem, is_causal, state)
    if guard:
        out = guarded(out, problem, is_causal)
    out = out.reshape(*q.shape[:3], v.shape[3]).to(q.dtype)
    if not return_state:
        return out
    return out, _state_after(problem, sums, state, replaced)


def replace_rows(
    out: Tensor, bad: Tensor, problem: Problem, is_causal: bool, state: AttentionState | None
) -> tuple[Tensor, Tensor]:
    """Give rows without a usable denominator the mean of the values that they see, and count and report them.

    Returns:
        Outputs, and how many rows were replaced, (B, K). Rows that see no key are 0 and are not counted.
    """
    total, count = values_seen(problem, is_causal, state)  # (P, N or 1, M), (P, N or 1, 1)
    mean = total / count.clamp_min(1)
    out = torch.where(bad, mean[:, None], out)
    counted = (bad & (count > 0)[:, None]).sum((1, 2, 3))  # (P,)
    if number := int(counted.sum()):
        warn_of_denominators(
            f"linear_attention: the denominator of {number} of {bad.numel()} rows was negative, vanished, cancelled or "
            "overflowed; they got the mean of the values they see. Take a positive feature map, or more features"
        )
    return out, counted.unflatten(0, problem.k.shape[:2])


def _state_after(problem: Problem, sums: Sums, before: AttentionState | None, replaced: Tensor) -> AttentionState:
    batch, heads = problem.k.shape[:2]
    value_sum, _ = values_seen(problem, False, before)  # (P, 1, M)
    mask = torch.ones(batch, problem.k.shape[2], device=problem.k.device) if problem.mask is None else problem.mask
    count = mask.sum(1).long()
    reference = sums.sums.new_empty(problem.pairs, 1, 0) if sums.reference is None else sums.reference
    return AttentionState(
        sums=sums.sums.unflatten(0, (batch, heads)),
        log_scale=reference[:, 0].unflatten(0, (batch, heads)),
        value_sum=value_sum[:, 0].detach().unflatten(0, (batch, heads)),
        longest=_longest(problem, before),
        count=count if before is None else before.count + count,
        replaced=replaced if before is None else before.replaced + replaced,
        label=label_of(problem)[0],
    )


def _longest(problem: Problem, before: AttentionState | None) -> Tensor:
    """(B, K); see `AttentionState.longest`."""
    shape = problem.k.shape[:2]
    if problem.feature_map is None or not problem.feature_map.signed or not problem.k.shape[2]:
        return problem.v.new_zeros(shape, dtype=problem.dtype) if before is None else before.longest
    return longest_seen(problem, False, before).detach().view(shape)
