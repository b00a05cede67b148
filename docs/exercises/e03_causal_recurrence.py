"""Causal attention as a recurrence.

When token i may see only the tokens j ≤ i, the two sums of feature attention become running sums:

    S_i = S_{i−1} + φ(k_i) v_iᵀ,    z_i = z_{i−1} + φ(k_i),    out_i = φ(q_i)ᵀ S_i / φ(q_i)ᵀ z_i

The state (S, z) has the same size after ten tokens and after a million: a transformer whose attention is written so is
a recurrent network. Write one step, and from it the whole. (Books often print the upper bound of these sums wrongly:
the token itself is part of what it sees.)

Questions: what does a step cost in R features and values of M numbers? What would a key–value cache cost instead?

Hints
- Update the state before you read from it.
- `torch.outer` makes the product of a column and a row.
"""

import torch
from torch import Tensor

State = tuple[Tensor, Tensor]


def start(features: int, width: int) -> State:
    """The state before the first token: S of zeros [features, width], z of zeros [features]."""
    return torch.zeros(features, width), torch.zeros(features)


def step(state: State, phi_q: Tensor, phi_k: Tensor, v: Tensor) -> tuple[Tensor, State]:
    """Take in one token and answer its query.

    Args:
        state: (S, z) after the tokens before; it must not be changed in place, since others may go on from it.
        phi_q: features of the query [R].
        phi_k: features of the key [R].
        v: value [M].

    Returns:
        The output [M], and the new state.
    """
    raise NotImplementedError("this one is yours to write")


def causal_attention(phi_q: Tensor, phi_k: Tensor, v: Tensor) -> Tensor:
    """All tokens, one after the other.

    Args:
        phi_q: features of the queries [n, R].
        phi_k: features of the keys [n, R].
        v: values [n, M].
    """
    raise NotImplementedError("this one is yours to write")
