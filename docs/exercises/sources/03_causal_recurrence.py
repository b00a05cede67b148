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
    # <solution>
    S, z = state
    S, z = S + torch.outer(phi_k, v), z + phi_k
    return phi_q @ S / (phi_q @ z), (S, z)
    # </solution>


def causal_attention(phi_q: Tensor, phi_k: Tensor, v: Tensor) -> Tensor:
    """All tokens, one after the other.

    Args:
        phi_q: features of the queries [n, R].
        phi_k: features of the keys [n, R].
        v: values [n, M].
    """
    # <solution>
    state, outputs = start(phi_k.shape[1], v.shape[1]), []
    for query, key, value in zip(phi_q, phi_k, v, strict=True):
        out, state = step(state, query, key, value)
        outputs.append(out)
    return torch.stack(outputs)
    # </solution>


# <tests>
def _inputs(n: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(n)
    return (
        torch.rand(n, 6, generator=generator),
        torch.rand(n, 6, generator=generator),
        torch.randn(n, 3, generator=generator),
    )


def test_the_first_token_sees_itself() -> None:
    phi_q, phi_k, v = _inputs(1)
    out, _ = step(start(6, 3), phi_q[0], phi_k[0], v[0])
    assert not out.isnan().any(), "the first token has nothing to look at: add it to the sums before reading them"
    assert torch.allclose(out, v[0], atol=1e-5), "the first token sees itself alone, so its output is its own value"


def test_the_recurrence_equals_the_masked_matrix() -> None:
    for n in (1, 2, 33):
        phi_q, phi_k, v = _inputs(n)
        weights = (phi_q @ phi_k.T).tril()
        expected = weights / weights.sum(1, keepdim=True) @ v
        out = causal_attention(phi_q, phi_k, v)
        assert torch.allclose(out, expected, atol=1e-4), f"not the masked attention of {n} tokens"


def test_the_future_does_not_matter() -> None:
    phi_q, phi_k, v = _inputs(20)
    before = causal_attention(phi_q, phi_k, v)
    v[10:] = 100.0
    after = causal_attention(phi_q, phi_k, v)
    assert torch.equal(before[:10], after[:10]), "outputs of the first ten tokens changed with values of later ones"


def test_a_state_can_be_gone_on_from_twice() -> None:
    phi_q, phi_k, v = _inputs(3)
    _, state = step(start(6, 3), phi_q[0], phi_k[0], v[0])
    once, _ = step(state, phi_q[1], phi_k[1], v[1])
    step(state, phi_q[2], phi_k[2], v[2])
    again, _ = step(state, phi_q[1], phi_k[1], v[1])
    assert torch.equal(once, again), "the state was changed in place: two continuations of one text disturb each other"


# <mistakes>
MISTAKES = [
    (
        "return phi_q @ S / (phi_q @ z), (S, z)",
        "return phi_q @ state[0] / (phi_q @ state[1]), (S, z)",
        "before reading",
    ),
    ("S, z = S + torch.outer(phi_k, v), z + phi_k", "S += torch.outer(phi_k, v); z += phi_k", "changed in place"),
    ("(phi_q @ z)", "z.sum()", "own value"),
]
