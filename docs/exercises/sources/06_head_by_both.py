"""A head by hand: contents and positions at once.

Scores of contents and of positions add up, so that one head can ask for both. Here it marks repetition: the output of a
place is +1 where its token occurs once in the sequence, and −1 where the token stands anywhere else as well.

A row of X has 8 numbers: CLS, A, B, C, and positions 0 to 3. CLS stands before the sequence; its row has 1 in the first
place and no position. It is a key like the others, and asks nothing. So keys are CLS and up to four tokens.

Set W_Q and W_K [8, 8], and W_V [8, 1]: a token looks at others of its kind; where there are none, it looks at CLS.

Questions: why is CLS needed? What would the head do without it on A B C? A token that occurs three times attends to two
places: does the output still come out right, and why?

Hints
- Start with "same token": W_Q holds a large multiple of one-hot contents, W_K the contents.
- Take away the own place: the same with positions, and a minus sign. It has to outweigh the token.
- CLS must win over tokens that are different and over the token itself, and lose against another of the same kind.
"""

import torch
from torch import Tensor


def repetition_head() -> tuple[Tensor, Tensor, Tensor]:
    """The weights.

    Returns:
        W_Q [8, 8], W_K [8, 8] and W_V [8, 1]; rows are CLS, A, B, C, then positions 0 to 3.
    """
    # <solution>
    large = 100.0
    w_q, w_k = large * torch.eye(8), torch.eye(8)
    w_q[4:] *= -1  # not itself: the own place takes away what the own token gave
    w_q[1:4, 0] = large / 2  # CLS lies between "another of my kind" and everything else
    w_v = torch.zeros(8, 1)
    w_v[0], w_v[1:4] = 1.0, -1.0
    return w_q, w_k, w_v
    # </solution>


# <tests>
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


# <mistakes>
MISTAKES = [
    ("w_q[4:] *= -1", "w_q[4:] *= 0", "the outputs should be"),
    ("= large / 2", "= 2 * large", "the outputs should be"),
    ("w_v[0], w_v[1:4] = 1.0, -1.0", "w_v[0], w_v[1:4] = -1.0, 1.0", "the outputs should be"),
]
