"""Tests of exercise 04: A head by hand: selection by content."""

import torch
from e04_head_by_content import content_head
from torch import Tensor


def _attention(tokens: list[int]) -> tuple[Tensor, Tensor]:
    w_q, w_k, w_v = content_head()
    x = torch.eye(3)[tokens]
    scores = x @ w_q @ (x @ w_k).T / w_q.shape[1] ** 0.5
    attention = scores.softmax(1)
    return attention, attention @ x @ w_v


def _sequences(most: int) -> list[list[int]]:
    found, last = [], [[]]
    for _ in range(most):
        last = [[*tokens, token] for tokens in last for token in range(3)]
        found += last
    return found


def _name(tokens: list[int]) -> str:
    return " ".join("ABC"[token] for token in tokens)


def test_shapes_fit() -> None:
    w_q, w_k, w_v = content_head()
    assert w_q.shape == w_k.shape, f"W_Q and W_K should have one shape, got {list(w_q.shape)} and {list(w_k.shape)}"
    assert len(w_q) == 3, f"W_Q should have a row for each of 3 tokens, got {len(w_q)}"
    assert w_v.shape == (3, 3), f"W_V should be [3, 3], got {list(w_v.shape)}"


def test_attention_goes_to_the_same_token_on_every_input() -> None:
    for tokens in _sequences(5):
        attention, _ = _attention(tokens)
        row = torch.tensor(tokens)
        same = (row[:, None] == row[None, :]).float()
        wanted = same / same.sum(1, keepdim=True)
        assert torch.allclose(attention, wanted, atol=0.01), (
            f"on {_name(tokens)} the first token should attend {wanted[0].tolist()}, "
            f"got {[round(x, 3) for x in attention[0].tolist()]}"
        )


def test_the_output_is_the_token() -> None:
    for tokens in _sequences(5):
        _, out = _attention(tokens)
        assert torch.allclose(out, torch.eye(3)[tokens], atol=0.05), f"on {_name(tokens)} the output is not the input"
