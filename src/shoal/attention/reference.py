"""The truths that everything fast is held against: a few lines each, any float dtype, O(queries · keys) memory.

    exact = softmax_attention_reference(q, k, v, is_causal=True)
    linear = linear_attention_reference(q, k, v, feature_map=phi, is_causal=True)

Softmax attention weighs a value by exp(scale · q·k). A feature map replaces that kernel by phi(q)·phi(k); the
quotient stays the same:

    out_i = Σ_j phi(q_i)·phi(k_j) v_j / Σ_j phi(q_i)·phi(k_j)

Nothing here is clever. The kernel is written out as a matrix, the mask is applied, rows are divided by their sums.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from shoal.attention.features import scaled
from shoal.attention.maps.base import FeatureMap


def softmax_attention_reference(
    q: Float[Tensor, "batch q_heads q_len dim"],
    k: Float[Tensor, "batch heads len dim"],
    v: Float[Tensor, "batch heads len m"],
    *,
    is_causal: bool = False,
    key_mask: Bool[Tensor, "batch len"] | None = None,
    scale: float | None = None,
) -> Float[Tensor, "batch q_heads q_len m"]:
    """Exact attention: softmax(scale · q kᵀ) v. Rows that see no key are 0.

    Args:
        q: queries of any float dtype; give float64 for the truth. Several query heads may share a key head.
        k: keys.
        v: values.
        is_causal: whether query i sees only the keys 0 … i.
        key_mask: True takes part.
        scale: 1/√dim unless given.

    Returns:
        One row per query, in the dtype of v.

    Example:
        >>> q = k = torch.zeros(1, 1, 2, 4)
        >>> softmax_attention_reference(q, k, torch.tensor([[[[1.0], [3.0]]]]), is_causal=True).flatten()
        tensor([1., 2.])

    Source: Vaswani et al. 2017, "Attention is all you need", section 3.2.1 (arXiv 1706.03762).
    """
    scale = float(q.shape[-1] ** -0.5) if scale is None else scale
    k, v = (x.repeat_interleave(q.shape[1] // k.shape[1], dim=1) for x in (k, v))
    logits = scale * q @ k.mT  # (B, H, Nq, Nk)
    logits = logits.masked_fill(~visible(q, k, is_causal, key_mask), -torch.inf)
    return logits.softmax(-1).nan_to_num(0.0) @ v  # a row of -inf alone is NaN: it sees nothing


def linear_attention_reference(
    q: Float[Tensor, "batch q_heads q_len dim"],
    k: Float[Tensor, "batch heads len dim"],
    v: Float[Tensor, "batch heads len m"],
    *,
    feature_map: FeatureMap | None,
    is_causal: bool = False,
    key_mask: Bool[Tensor, "batch len"] | None = None,
    scale: float | None = None,
) -> Float[Tensor, "batch q_heads q_len m"]:
    """Kernelised attention with the kernel matrix written out. Rows that see no key are 0.

    No fallback for a denominator that is negative or vanishes: what comes out is what the formula says.

    Args:
        q: queries, as in `softmax_attention_reference`.
        k: keys.
        v: values.
        feature_map: phi; None takes q and k as features.
        is_causal: whether query i sees only the keys 0 … i.
        key_mask: True takes part.
        scale: of the logits that the map approximates; 1/√dim unless given.

    Returns:
        One row per query, in the dtype of v.

    Example:
        >>> q = k = torch.ones(1, 1, 2, 4)
        >>> linear_attention_reference(q, k, torch.tensor([[[[1.0], [3.0]]]]), feature_map=None).flatten()
        tensor([2., 2.])

    Source: Katharopoulos et al. 2020, "Transformers are RNNs", section 3.2 (arXiv 2006.16236).
    """
    kernel = kernel_matrix(q, k, feature_map, scale)
    kernel = kernel.masked_fill(~visible(q, k, is_causal, key_mask), 0.0)
    v = v.repeat_interleave(q.shape[1] // v.shape[1], dim=1)
    return (kernel @ v / kernel.sum(-1, keepdim=True)).nan_to_num(0.0)


def kernel_matrix(
    q: Float[Tensor, "batch q_heads q_len dim"],
    k: Float[Tensor, "batch heads len dim"],
    feature_map: FeatureMap | None,
    scale: float | None = None,
) -> Float[Tensor, "batch q_heads q_len len"]:
    """phi(q)·phi(k) of every query with every key, each row divided by a factor that keeps it from overflowing.

    Args:
        q: queries.
        k: keys.
        feature_map: phi; None takes q and k as features.
        scale: as in `linear_attention_reference`.
    """
    B, K, _, _ = k.shape
    if feature_map is None:
        return q @ k.repeat_interleave(q.shape[1] // K, dim=1).mT
    grouped = q.reshape(B, K, -1, q.shape[-1])  # query heads that share a key head, one after the other
    phi_q, phi_k = feature_map.queries(grouped, scale), feature_map.keys(k, scale)
    log_q, log_k = phi_q.exponent, phi_k.exponent
    if log_q is None or log_k is None:
        kernel = phi_q.linear() @ phi_k.linear().mT
        return kernel.reshape(*q.shape[:3], -1)
    top = log_k.amax(-2, keepdim=True)  # (B, K, 1, R) or (B, K, 1, 1)
    lifted = log_q + top  # the maps' factors may be one per row or one per feature
    left, right = scaled(phi_q.value, lifted - lifted.amax(-1, keepdim=True)), scaled(phi_k.value, log_k - top)
    return (left @ right.mT).reshape(*q.shape[:3], -1)


def visible(q: Tensor, k: Tensor, is_causal: bool, key_mask: Tensor | None) -> Tensor:
    """Which query sees which key, (B or 1, 1, Nq, Nk)."""
    seen = torch.ones(1, 1, q.shape[2], k.shape[2], dtype=torch.bool, device=q.device)
    seen = seen.tril() if is_causal else seen
    return seen if key_mask is None else seen & key_mask[:, None, None, :]
