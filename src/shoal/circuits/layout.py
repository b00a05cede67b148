"""The space that a head works in: contents and positions side by side, each with a name.

A row of the input is a one-hot content beside a one-hot position:

    [ ∅ | A B C | p0 p1 p2 p3 ]

∅ is a null key of its own, put before the sequence where a rule can select nothing (and the CLS of `unique()`). It has
no position. A rule that does not look at places has no positions either.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from shoal.errors import wrong

NULL = "∅"
PADDING = -1  # index of no token


@dataclass(frozen=True)
class Layout:
    """Names of the dimensions of a head's input.

    Attributes:
        vocabulary: names of the tokens.
        max_len: longest sequence.
        null: whether a null key comes before the sequence.
        positions: whether places are part of the input.
    """

    vocabulary: tuple[str, ...]
    max_len: int
    null: bool
    positions: bool

    @property
    def contents(self) -> tuple[str, ...]:
        """Names of the content dimensions."""
        return ((NULL,) if self.null else ()) + self.vocabulary

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all dimensions."""
        return self.contents + tuple(f"p{place}" for place in range(self.max_len if self.positions else 0))

    @property
    def content(self) -> slice:
        """Dimensions of the contents, the null key's among them."""
        return slice(0, len(self.contents))

    @property
    def position(self) -> slice:
        """Dimensions of the positions; empty where there are none."""
        return slice(len(self.contents), len(self.names))

    def indices(self, sequence: Sequence[str]) -> Int[Tensor, "1 n"]:
        """Tokens as numbers.

        Raises:
            InputError: if the sequence is empty or too long, or holds an unknown token.
        """
        if not len(sequence):
            raise wrong("sequence", expected="at least one token", got="none")
        if len(sequence) > self.max_len:
            raise wrong("sequence", expected=f"at most {self.max_len} tokens", got=len(sequence))
        for name in sequence:
            if name not in self.vocabulary:
                raise wrong("token", expected=f"one of {', '.join(self.vocabulary)}", got=repr(name))
        return torch.tensor([[self.vocabulary.index(name) for name in sequence]])

    def embed(
        self, tokens: Int[Tensor, "batch n"], dtype: torch.dtype = torch.float32
    ) -> Float[Tensor, "batch rows dim"]:
        """Rows of the input; the null key's comes first. Padding has rows of zeros.

        Args:
            tokens: indices into the vocabulary; −1 is padding.
            dtype: of the rows.

        Raises:
            InputError: if the tokens are no whole numbers of that range, or more than `max_len`.
        """
        self._check(tokens)
        kept = (tokens != PADDING)[..., None]
        rows = F.one_hot(tokens.clamp_min(0), len(self.vocabulary)).to(dtype)  # (B, N, V)
        if self.null:
            rows = F.pad(rows, (1, 0))
        if self.positions:
            places = torch.eye(self.max_len, dtype=dtype, device=tokens.device)[: tokens.shape[1]]
            rows = torch.cat([rows, places.expand(len(tokens), -1, -1)], -1)
        rows = rows * kept
        if not self.null:
            return rows
        null = rows.new_zeros(len(tokens), 1, len(self.names))
        null[..., 0] = 1
        return torch.cat([null, rows], 1)

    def _check(self, tokens: Tensor) -> None:
        whole = not (tokens.is_floating_point() or tokens.is_complex() or tokens.dtype == torch.bool)
        if tokens.ndim != 2 or not whole:
            raise wrong("tokens", expected="whole numbers, [batch, n]", got=f"{tokens.dtype} {list(tokens.shape)}")
        if not 0 < tokens.shape[1] <= self.max_len:
            raise wrong("tokens", expected=f"1 to {self.max_len} places", got=tokens.shape[1])
        if tokens.is_meta or not len(tokens):
            return
        low, high = (int(end) for end in tokens.aminmax())
        if low < PADDING or high >= len(self.vocabulary):
            allowed = f"{PADDING} for padding, or 0 to {len(self.vocabulary) - 1} for {', '.join(self.vocabulary)}"
            raise wrong("tokens", expected=allowed, got=low if low < PADDING else high)


def check_vocabulary(vocabulary: Sequence[str], max_len: int) -> tuple[str, ...]:
    """The names as a tuple.

    Raises:
        InputError: if there are none, some repeat, one is taken by the null key, or the length is out of range.
    """
    names = tuple(vocabulary)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise wrong("vocabulary", expected="at least one name of a token", got=list(names))
    if len(set(names)) < len(names):
        raise wrong("vocabulary", expected="different names", got=list(names))
    if NULL in names:
        raise wrong("vocabulary", expected=f"names other than {NULL}, which is the null key's", got=list(names))
    if not isinstance(max_len, int) or isinstance(max_len, bool) or max_len < 1:
        raise wrong("max_len", expected="a whole number >= 1", got=max_len)
    return names
