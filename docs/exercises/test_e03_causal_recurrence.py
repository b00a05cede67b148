"""Tests of exercise 03: Causal attention as a recurrence."""

import torch
from e03_causal_recurrence import causal_attention, start, step
from torch import Tensor


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
