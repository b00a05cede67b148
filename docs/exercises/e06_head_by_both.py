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
    raise NotImplementedError("this one is yours to write")
