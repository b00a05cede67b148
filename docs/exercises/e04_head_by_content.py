"""A head by hand: selection by content.

One attention head, no residual, no norm, no MLP: O = softmax(X W_Q (X W_K)ᵀ / √d) X W_V. Tokens A, B and C come as
one-hot rows, X is [n, 3], and there are no positions.

Set W_Q, W_K and W_V by hand so that every token attends to the tokens of its own kind and to no others, all of them
alike. The output of A in A B A is then the mean of two As, which is A.

Questions: how large do the weights have to be, and why does nothing depend on it beyond that? Turn queries and keys by
a rotation R, W_Q R and W_K R. What changes in the head? What does that say about comparing the weights of two heads
number by number?

Hints
- The score of a query and a key should be large if they are the same token, and small otherwise.
- A difference of 20 between two scores leaves the smaller one two parts in a thousand million.
"""

import torch
from torch import Tensor


def content_head() -> tuple[Tensor, Tensor, Tensor]:
    """The weights.

    Returns:
        W_Q [3, d], W_K [3, d] and W_V [3, 3], with any d >= 1.
    """
    raise NotImplementedError("this one is yours to write")
