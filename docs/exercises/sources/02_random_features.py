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
    # <solution>
    angles = scale**0.5 * x @ directions.T  # (N, F)
    waves = torch.cat([angles.cos(), angles.sin()], 1) / len(directions) ** 0.5
    return (scale * x.square().sum(1, keepdim=True) / 2).exp() * waves
    # </solution>


def feature_attention(phi_q: Tensor, phi_k: Tensor, v: Tensor) -> Tensor:
    """Attention whose weights are inner products of features.

    Args:
        phi_q: features of the queries [n, R].
        phi_k: features of the keys [m, R].
        v: values [m, M].

    Returns:
        [n, M].
    """
    # <solution>
    S, z = phi_k.T @ v, phi_k.sum(0)  # (R, M), (R,)
    return phi_q @ S / (phi_q @ z)[:, None]
    # </solution>


# <tests>
def test_features_estimate_the_weight_without_bias() -> None:
    generator = torch.Generator().manual_seed(0)
    q, k = torch.randn(2, 4, 6, dtype=torch.float64, generator=generator) / 2
    directions = torch.randn(200_000, 6, dtype=torch.float64, generator=generator)
    estimate = trig_features(q, directions, 0.4) @ trig_features(k, directions, 0.4).T
    expected = (0.4 * q @ k.T).exp()
    assert estimate.shape == (4, 4), f"expected a number for each query and key, got {list(estimate.shape)}"
    assert torch.allclose(estimate, expected, rtol=0.02), (
        "with 200,000 directions the product of features should be exp(scale · q·k) to two digits; "
        f"the first is {estimate[0, 0]:.4f} in place of {expected[0, 0]:.4f}"
    )


def test_there_are_two_features_a_direction() -> None:
    features = trig_features(torch.zeros(3, 6), torch.randn(10, 6), 1.0)
    assert features.shape == (3, 20), f"expected [3, 20] for 10 directions, got {list(features.shape)}"
    assert torch.allclose(features.square().sum(1), torch.ones(3)), "at x = 0 the features should have length 1"


def test_attention_equals_the_matrix_written_out() -> None:
    generator = torch.Generator().manual_seed(1)
    phi_q, phi_k = torch.rand(7, 5, generator=generator), torch.rand(9, 5, generator=generator)
    v = torch.randn(9, 3, generator=generator)
    weights = phi_q @ phi_k.T
    expected = weights / weights.sum(1, keepdim=True) @ v
    out = feature_attention(phi_q, phi_k, v)
    assert out.shape == expected.shape, f"expected a row for each query, {list(expected.shape)}, got {list(out.shape)}"
    assert torch.allclose(out, expected, atol=1e-5), "not the mean of the values weighed by φ(q)·φ(k); the denominator?"


def test_the_matrix_of_all_pairs_is_never_made() -> None:
    phi, v = torch.ones(200_000, 8), torch.ones(200_000, 4)
    try:
        out = feature_attention(phi, phi, v)  # all pairs would be 160 GB
    except NotImplementedError:
        raise
    except RuntimeError as error:
        raise AssertionError(f"200,000 tokens are too many for a matrix of all pairs: {str(error)[:80]}") from None
    assert torch.allclose(out, v), "the mean of ones should be one"


# <mistakes>
MISTAKES = [
    ("/ len(directions) ** 0.5", "", "to two digits"),
    ("scale**0.5 * x", "scale * x", "to two digits"),
    ("(phi_q @ z)[:, None]", "z.sum()", "the denominator?"),
]
