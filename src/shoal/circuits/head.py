"""One layer, one head, no residual, no norm, no MLP: softmax(Q Kᵀ / √d) V on contents and positions side by side.

    head = compile_rule(same() & not_self(), vocabulary="ABC", max_len=4)
    head.run("ABA")                    # outputs by token name
    print(head.tables())               # W_Q, W_K, W_V with the names of their rows
    head.trace("ABA").attention        # every step of the attention

The null key, where there is one, is a key before the sequence and no query.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from shoal.circuits.layout import PADDING, Layout
from shoal.errors import wrong


@dataclass(frozen=True)
class Trace:
    """Every step of the attention for one batch; the null key, where there is one, is the first row of keys.

    Attributes:
        inputs: rows with names as in `Layout.names`.
        queries, keys, values: projected rows.
        scores: Q Kᵀ / √d; −∞ where a key is padding.
        attention: softmax of the scores over keys.
        outputs: attention times values.
    """

    inputs: Float[Tensor, "batch keys dim"]
    queries: Float[Tensor, "*seeds batch n d"]
    keys: Float[Tensor, "*seeds batch keys d"]
    values: Float[Tensor, "*seeds batch keys m"]
    scores: Float[Tensor, "*seeds batch n keys"]
    attention: Float[Tensor, "*seeds batch n keys"]
    outputs: Float[Tensor, "*seeds batch n m"]


class Head(nn.Module):
    """A head whose inputs have named dimensions.

    Args:
        layout: names of the input's dimensions.
        qk_dim: of queries and keys.
        v_dim: of values; as many as tokens for a selection, 1 for `unique()`.

    Attributes:
        W_Q, W_K: (dim, qk_dim), to be multiplied from the right.
        W_V: (dim, v_dim).
    """

    def __init__(self, layout: Layout, qk_dim: int, v_dim: int):
        super().__init__()
        self.layout = layout
        dim = len(layout.names)
        self.W_Q = nn.Parameter(torch.zeros(dim, qk_dim))
        self.W_K = nn.Parameter(torch.zeros(dim, qk_dim))
        self.W_V = nn.Parameter(torch.zeros(dim, v_dim))

    def forward(self, tokens: Int[Tensor, "batch n"]) -> Float[Tensor, "batch n m"]:
        """Outputs of a batch of sequences.

        Args:
            tokens: indices into the vocabulary; −1 is padding, at the end.
        """
        return self.trace_batch(tokens).outputs

    def trace_batch(self, tokens: Int[Tensor, "batch n"]) -> Trace:
        """Every step for a batch; arguments as of `forward`."""
        inputs = self.layout.embed(tokens, self.W_Q.dtype)  # (B, keys, D)
        queries = inputs[:, 1:] if self.layout.null else inputs
        return attend(inputs, queries @ self.W_Q, inputs @ self.W_K, inputs @ self.W_V, tokens, null=self.layout.null)

    def trace(self, sequence: Sequence[str]) -> Trace:
        """Every step for one sequence of token names.

        Raises:
            InputError: if the sequence is empty or too long, or holds an unknown token.
        """
        self.check_weights()
        with torch.no_grad():
            return self.trace_batch(self.layout.indices(sequence).to(self.W_Q.device))

    def run(self, sequence: Sequence[str]) -> list[list[float]]:
        """Outputs for one sequence of token names, a list for every place; see `trace`.

        Example:
            >>> from shoal.circuits import compile_rule, first
            >>> outputs = compile_rule(first(), "ABC", max_len=4).run("BCA")
            >>> [[round(x, 6) for x in place] for place in outputs]
            [[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0]]
        """
        return self.trace(sequence).outputs[0].tolist()

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the output's dimensions."""
        wide = self.W_V.shape[1] == len(self.layout.vocabulary)
        return self.layout.vocabulary if wide else tuple(f"o{i}" for i in range(self.W_V.shape[1]))

    def tables(self, digits: int = 2) -> str:
        """The weights as tables that name their rows and columns.

        Example:
            >>> from shoal.circuits import compile_rule, first
            >>> print(compile_rule(first(), "AB", max_len=2).tables(0))
            W_Q   d0
            A      0
            B      0
            p0   100
            p1   100
            <BLANKLINE>
            W_K  d0
            A     0
            B     0
            p0    1
            p1    0
            <BLANKLINE>
            W_V  A  B
            A    1  0
            B    0  1
            p0   0  0
            p1   0  0
        """
        inner = tuple(f"d{i}" for i in range(self.W_Q.shape[1]))
        found = (("W_Q", self.W_Q, inner), ("W_K", self.W_K, inner), ("W_V", self.W_V, self.output_names))
        return "\n\n".join(
            _table(name, weights, self.layout.names, columns, digits) for name, weights, columns in found
        )

    def check_weights(self) -> None:
        """Refuse weights of another shape, or that are no numbers.

        Raises:
            InputError: if shapes do not fit each other and the layout, or a weight is NaN or infinite.
        """
        dim, inner = len(self.layout.names), self.W_Q.shape[-1]
        shapes = {"W_Q": (dim, inner), "W_K": (dim, inner), "W_V": (dim, self.W_V.shape[-1])}
        for name, weights in self.named_parameters():
            if tuple(weights.shape) != shapes[name]:
                raise wrong(name, expected=list(shapes[name]), got=list(weights.shape))
            if not bool(torch.isfinite(weights).all()):
                raise wrong(name, expected="finite numbers", got="NaN or infinity")


def attend(inputs: Tensor, queries: Tensor, keys: Tensor, values: Tensor, tokens: Tensor, *, null: bool) -> Trace:
    """Attention of projected rows; heads may come before the batch in every tensor but `inputs` and `tokens`."""
    padding = tokens == PADDING  # (B, N)
    if null:
        padding = torch.cat([padding.new_zeros(len(padding), 1), padding], 1)
    scores = queries @ keys.mT / keys.shape[-1] ** 0.5  # (…, B, N, keys)
    scores = scores.masked_fill(padding[:, None], -torch.inf)
    attention = scores.softmax(-1)
    return Trace(inputs, queries, keys, values, scores, attention, attention @ values)


def _table(title: str, weights: Tensor, rows: Sequence[str], columns: Sequence[str], digits: int) -> str:
    cells = [[title, *columns]] + [
        [name, *(f"{value:.{digits}f}".replace("-0", "0") if value == 0 else f"{value:.{digits}f}" for value in line)]
        for name, line in zip(rows, weights.tolist(), strict=True)
    ]
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True))])
        for line in cells
    )
