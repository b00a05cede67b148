"""Tests of exercise 06: A head by hand: contents and positions at once."""

import torch
from e06_head_by_both import repetition_head
from torch import Tensor


def _sequences(most: int) -> list[list[int]]:
    found, last = [], [[]]
    for _ in range(most):
        last = [[*tokens, token] for tokens in last for token in range(3)]
        found += last
    return found


def _run(tokens: list[int]) -> tuple[Tensor, Tensor]:
    w_q, w_k, w_v = repetition_head()
    n = len(tokens)
    rows = torch.cat([torch.zeros(n, 1), torch.eye(3)[tokens], torch.eye(4)[:n]], 1)
    x = torch.cat([torch.eye(8)[:1], rows])  # CLS first
    attention = (rows @ w_q @ (x @ w_k).T / w_q.shape[1] ** 0.5).softmax(1)
    return attention, (attention @ x @ w_v)[:, 0]


def test_shapes_fit() -> None:
    shapes = [list(weights.shape) for weights in repetition_head()]
    assert shapes == [[8, 8], [8, 8], [8, 1]], f"expected [8, 8], [8, 8] and [8, 1], got {shapes}"


def test_the_sign_is_right_on_every_input() -> None:
    for tokens in _sequences(4):
        attention, out = _run(tokens)
        wanted = torch.tensor([1.0 if tokens.count(token) == 1 else -1.0 for token in tokens])
        name = " ".join("ABC"[token] for token in tokens)
        assert torch.allclose(out, wanted, atol=0.1), (
            f"on {name} the outputs should be {wanted.tolist()}, got {[round(x, 2) for x in out.tolist()]}; "
            f"the first token attends to CLS and the places with {[round(x, 2) for x in attention[0].tolist()]}"
        )


def test_no_token_looks_at_itself() -> None:
    for tokens in _sequences(4):
        attention, _ = _run(tokens)
        own = attention[:, 1:].diagonal()
        assert float(own.max()) < 0.05, "a token attends to its own place: the position has to outweigh the token"
