"""A head by hand: selection by position.

The same head as before, but now a row of X holds the token, one-hot of 3, and beside it the position, one-hot of 4:
7 numbers in all, contents first. Sequences have one to four tokens.

Set the weights so that every place copies the FIRST token, with queries and keys of a single number (d = 1).

Questions: which rows of W_Q and W_K are zero, and what does it mean that they are? A trained head puts small numbers
there. Why does training not remove them? Could a head with d = 1 select the *previous* token?

Hints
- The query should be the same whatever its token is, and wherever it stands.
- Only one key must stand out.
"""

import torch
from torch import Tensor


def first_token_head() -> tuple[Tensor, Tensor, Tensor]:
    """The weights.

    Returns:
        W_Q [7, 1], W_K [7, 1] and W_V [7, 3]; rows 0 to 2 are tokens, rows 3 to 6 positions.
    """
    # <solution>
    w_q, w_k, w_v = torch.zeros(7, 1), torch.zeros(7, 1), torch.zeros(7, 3)
    w_q[3:] = 100.0  # every place asks the same question
    w_k[3] = 1.0  # the first place answers
    w_v[:3] = torch.eye(3)  # what is passed on is the token
    return w_q, w_k, w_v
    # </solution>


# <tests>
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


# <mistakes>
MISTAKES = [
    ("w_k[3] = 1.0", "w_k[6] = 1.0", "attention to the first place"),
    ("w_v[:3] = torch.eye(3)", "w_v[:] = 1 / 3", "does W_V pass positions on?"),
    ("w_q[3:] = 100.0", "w_q[:] = 50.0", "the question is the same for all"),
]
