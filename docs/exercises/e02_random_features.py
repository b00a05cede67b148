"""Attention by random features, in time linear in the sequence.

The Gaussian kernel is the mean of waves in random directions. With w ~ N(0, I),

    exp(−|q − k|² / 2σ²) = E cos(w·(q − k)/σ) = E [cos(w·q/σ) cos(w·k/σ) + sin(w·q/σ) sin(w·k/σ)]

so that F directions make 2F features whose inner product estimates it without bias. Multiplied by exp(|x|²/2σ²), they
estimate exp(scale · q·k) with σ² = 1/scale.

1. Write the features.
2. Write attention with any features: out_i = Σ_j φ(q_i)·φ(k_j) v_j / Σ_j φ(q_i)·φ(k_j). The point is the order of the
   sums. The matrix of all queries against all keys must never be made: a test uses 200,000 tokens.

Question: what does it cost in N tokens, D dimensions, R features and values of M numbers? And softmax attention?

Hints
- Divide by √F once, in the features, or by F in their product: not both.
- S = Σ_j φ(k_j) v_jᵀ and z = Σ_j φ(k_j) do not depend on i.
"""

import torch
from torch import Tensor


def trig_features(x: Tensor, directions: Tensor, scale: float) -> Tensor:
    """Features whose inner product estimates exp(scale · q·k) without bias.

    Args:
        x: queries or keys [n, dim].
        directions: drawn from N(0, I), [F, dim].
        scale: of the logits, > 0.

    Returns:
        [n, 2F], cosines first.
    """
    raise NotImplementedError("this one is yours to write")


def feature_attention(phi_q: Tensor, phi_k: Tensor, v: Tensor) -> Tensor:
    """Attention whose weights are inner products of features.

    Args:
        phi_q: features of the queries [n, R].
        phi_k: features of the keys [m, R].
        v: values [m, M].

    Returns:
        [n, M].
    """
    raise NotImplementedError("this one is yours to write")
