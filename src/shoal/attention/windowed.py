"""Exact softmax where it matters most, linear beyond: near keys are usually the ones attended to.

    out = windowed_linear_attention(q, k, v, feature_map=phi, window=128, is_causal=True)

The far field is linear attention on shifted sequences: query i and the keys up to i − window are rows of the causal
form when the keys are moved by `window`. Without a causal mask, the same is done once more from the other end.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from shoal.attention.checks import check_feature_map, check_inputs, name_nonfinite
from shoal.attention.eager import eager, full_precision
from shoal.attention.guard import guarded
from shoal.attention.kernelised import run_kernel
from shoal.attention.local import LocalSoftmax
from shoal.attention.maps.base import FeatureMap
from shoal.attention.operator import replace_rows
from shoal.attention.parts import Part, merge_parts
from shoal.attention.preparing import as_problem, starting_sums
from shoal.attention.problem import Problem
from shoal.attention.reporting import warn_of_denominators
from shoal.attention.values import too_long, values_seen
from shoal.errors import wrong


@eager
@full_precision
def windowed_linear_attention(
    q: Float[Tensor, "batch q_heads len dim"],
    k: Float[Tensor, "batch heads len dim"],
    v: Float[Tensor, "batch heads len m"],
    *,
    feature_map: FeatureMap,
    window: int = 128,
    is_causal: bool = False,
    key_mask: Bool[Tensor, "batch len"] | None = None,
    scale: float | None = None,
    enable_gqa: bool = False,
    guard: bool = False,
) -> Float[Tensor, "batch q_heads len m"]:
    """Exact softmax where |i − j| < window (causal: 0 ≤ i − j < window), linear beyond it, one normaliser.

    exp(scale · q·k) within the window and phi(q)·phi(k) beyond it are added up as they are, so the map must estimate
    that kernel itself: trig, positive, hyperbolic, oprf, sderf, landmark and learned (fitted with a window) do, elu and
    relu do not. A window that holds the whole sequence gives exact attention. Time is O(seq · (window + features)).

    Args:
        q: queries, as in `linear_attention`; as many as keys.
        k: keys.
        v: values.
        feature_map: of `create_feature_map`.
        window: in keys, >= 1.
        is_causal: as in `linear_attention`.
        key_mask: as in `linear_attention`.
        scale: as in `linear_attention`.
        enable_gqa: as in `linear_attention`.
        guard: as in `linear_attention`.

    Returns:
        One row per query, in the dtype of the inputs; differentiable once. Where the far field has a negative or
        vanishing denominator, the window alone counts. A row that sees no key is 0.

    Raises:
        InputError: as `linear_attention`; also for a map that does not estimate the kernel, or a window below 1.

    Example:
        >>> from shoal.attention import create_feature_map
        >>> q, k, v = torch.randn(3, 1, 2, 300, 16).unbind()
        >>> phi = create_feature_map("positive", dim=16)
        >>> windowed_linear_attention(q, k, v, feature_map=phi, window=64, is_causal=True).shape
        torch.Size([1, 2, 300, 16])

    Source: Xiong et al. 2021, "Simple local attentions remain competitive" (arXiv 2112.07210) and Arora et al. 2024,
        "Based" (arXiv 2402.18668) combine both kinds; the common normaliser follows online softmax (Milakov and
        Gimelshein 2018).
    """
    check_inputs(q, k, v, key_mask=key_mask, scale=scale, enable_gqa=enable_gqa, is_causal=is_causal)
    check_window(q, k, feature_map, window)
    problem = as_problem(q, k, v, feature_map, key_mask, scale)
    parts = [LocalSoftmax.apply(problem.q, problem.k, problem.v, problem, is_causal, window)]
    parts += [] if window >= q.shape[2] else far_parts(problem, window, is_causal)
    out, log_den = merge_parts(parts)
    if not torch.isfinite(out.detach().sum()) and (error := name_nonfinite(q, k, v, key_mask)):
        raise error
    bad = log_den == -torch.inf
    if bad.any():
        out, _ = replace_rows(out, bad, problem, is_causal, None)
    if guard:
        out = guarded(out, problem, is_causal)
    return out.reshape(*q.shape[:3], v.shape[3]).to(q.dtype)


def check_window(q: Tensor, k: Tensor, feature_map: FeatureMap | None, window: int) -> None:
    """Refuse what the windowed form cannot use.

    Raises:
        InputError: for another number of queries than keys, a map that is no kernel of its own, or a window below 1.
    """
    if q.shape[2] != k.shape[2]:
        raise wrong("windowed attention", expected="as many queries as keys", got=f"{q.shape[2]} and {k.shape[2]}")
    check_feature_map(feature_map, q, k)
    check_window_of(feature_map, window)


def check_window_of(feature_map: FeatureMap | None, window: int) -> None:
    """Refuse a window below 1, and a map that cannot be put beside one.

    Raises:
        InputError: with what was expected and what was got.
    """
    if not isinstance(window, int) or isinstance(window, bool) or window < 1:
        raise wrong("window", expected="a whole number >= 1", got=window)
    if feature_map is None or not feature_map.estimates_softmax:
        got = "ready features" if feature_map is None else f"'{feature_map.name}'"
        fix = "its far field could not be put beside exact weights"
        if getattr(feature_map, "name", "") == "learned":
            fix = f"fit it for this use: .fit(q, k, v, window={window})"
        raise wrong("feature_map", expected="a map that estimates exp(scale · q·k)", got=got, fix=fix)


def far_parts(problem: Problem, window: int, is_causal: bool) -> list[Part]:
    """Linear attention beyond the window: to the left, and unless causal to the right."""
    parts = [_left_of(problem, window)]
    if not is_causal:
        out, log_den = _left_of(_turned(problem), window)
        parts.append((out.flip(2), log_den.flip(2)))
    return parts


def _left_of(problem: Problem, window: int) -> Part:
    """Query i against the keys 0 … i − window; the first `window` queries have none."""
    keys = problem.k.shape[2] - window
    shifted = problem.replace(
        q=problem.q[..., window:, :],
        k=problem.k[:, :, :keys],
        v=problem.v[:, :, :keys],
        mask=None if problem.mask is None else problem.mask[:, :keys],
    )
    out, log_den = run_kernel(shifted, True, starting_sums(shifted, None))
    log_den = log_den.masked_fill(too_long(out, shifted, True, None), -torch.inf)
    report_dropped(log_den, shifted)
    pad = torch.nn.functional.pad
    return pad(out, (0, 0, window, 0)), pad(log_den, (0, 0, window, 0), value=-torch.inf)


def report_dropped(log_den: Tensor, problem: Problem) -> None:
    """Warn where the far field of a row has keys and no usable denominator: that row has its window alone."""
    bad = log_den == -torch.inf  # (P, G, N, 1)
    if bad.any():
        _, count = values_seen(problem, True, None)  # (P, N, 1)
        if number := int((bad & (count > 0)[:, None]).sum()):
            warn_of_denominators(
                f"windowed_linear_attention: beyond the window, the denominator of {number} of {bad.numel()} rows was "
                "negative, vanished or cancelled; they got the window alone. Take a positive feature map, or more "
                "features"
            )


def _turned(problem: Problem) -> Problem:
    """The sequence from its end."""
    return problem.replace(
        q=problem.q.flip(3),
        k=problem.k.flip(2),
        v=problem.v.flip(2),
        mask=None if problem.mask is None else problem.mask.flip(1),
    )
