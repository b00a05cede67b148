"""Tests of exercise 05: A head by hand: selection by position."""

import torch
from e05_head_by_position import first_token_head


def _sequences(most: int) -> list[list[int]]:
    found, last = [], [[]]
    for _ in range(most):
        last = [[*tokens, token] for tokens in last for token in range(3)]
        found += last
    return found


def _name(tokens: list[int]) -> str:
    return " ".join("ABC"[token] for token in tokens)


def test_shapes_fit() -> None:
    shapes = [list(weights.shape) for weights in first_token_head()]
    assert shapes == [[7, 1], [7, 1], [7, 3]], f"expected [7, 1], [7, 1] and [7, 3], got {shapes}"


def test_every_place_copies_the_first_token_on_every_input() -> None:
    w_q, w_k, w_v = first_token_head()
    for tokens in _sequences(4):
        n = len(tokens)
        x = torch.cat([torch.eye(3)[tokens], torch.eye(4)[:n]], 1)
        attention = (x @ w_q @ (x @ w_k).T).softmax(1)
        assert bool((attention[:, 0] > 0.99).all()), (
            f"on {_name(tokens)} attention to the first place should be above 0.99 everywhere, "
            f"got {[round(a, 3) for a in attention[:, 0].tolist()]}"
        )
        out = attention @ x @ w_v
        wanted = torch.eye(3)[[tokens[0]] * n]
        assert torch.allclose(out, wanted, atol=0.05), (
            f"on {_name(tokens)} every output should be {'ABC'[tokens[0]]}; does W_V pass positions on?"
        )


def test_contents_do_not_matter_for_where_it_looks() -> None:
    w_q, w_k, _ = first_token_head()
    assert bool((w_q[:3] == 0).all()), "the rows of W_Q for tokens should be zero: the question is the same for all"
    assert bool((w_k[:3] == 0).all()), "the rows of W_K for tokens should be zero: what stands there is no matter"
