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
    raise NotImplementedError("this one is yours to write")
