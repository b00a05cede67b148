"""What a decoder may see: padding and causal masks.

Documents of a batch have different lengths, so that short ones are filled up with padding. A token must never attend to
padding, whatever numbers stand there; and while a summary is learned, token t must not see the tokens after it, since
it is going to be asked for them.

Write the three masks of an encoder–decoder (True: may be seen), then attention under a mask. A test fills the padding
with NaN: 0 · NaN is NaN, so that a weight of zero is not enough.

Questions: what comes out of softmax for a row that may see nothing? Why is "the losses fall beautifully" the usual
symptom of a causal mask that is off by one?

Hints
- Scores that may not be seen are set to −∞ *before* the softmax.
- A value that is not to be seen can be set to zero before it is multiplied by its weight of zero.
"""

import torch
from torch import Tensor


def make_masks(source_lengths: Tensor, source_len: int, target_len: int) -> tuple[Tensor, Tensor, Tensor]:
    """Who may see whom; True takes part.

    Args:
        source_lengths: true lengths of the documents [b].
        source_len: that they are padded to.
        target_len: tokens of the summaries, without padding.

    Returns:
        encoder self-attention [b, source_len, source_len] (every row, padding as well, sees the document's tokens),
        decoder self-attention [b, target_len, target_len], and decoder to encoder [b, target_len, source_len].
    """
    raise NotImplementedError("this one is yours to write")


def masked_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Softmax attention that does not look at what may not be seen.

    Args:
        q: queries [b, n, d].
        k: keys [b, m, d].
        v: values [b, m, d].
        mask: [b, n, m]; every query sees at least one key. Keys that no query sees may hold anything, NaN as well.
    """
    raise NotImplementedError("this one is yours to write")
