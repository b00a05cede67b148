"""Is it overfitting, or only a gap?

Three losses are measured while a model trains: on training data, on data of the same kind that were *held back*, and on
validation data. A model that has seen no example twice can already have a gap between training and validation: the
validation set may simply be of another kind. So:

- held back − training is what was learned by heart;
- validation − held back is a shift between groups, and no overfitting;
- it *is* overfitting where the validation loss rises after its lowest while training loss goes on falling.

Write both gaps, then a verdict. Losses are noisy: a rise counts only if it is larger than three times the noise. Take
the means of several looks, since a single one may be low by luck.

Questions: what is wrong with calling the largest gap "overfitting"? When should training be stopped?

Hints
- The loss around step t: the mean of the looks t − 1, t and t + 1; leave off both ends.
"""

import torch
from torch import Tensor


def gaps(train: float, held_back: float, validation: float) -> tuple[float, float]:
    """What was learned by heart, and the shift.

    Args:
        train: loss on training data.
        held_back: loss on data of the same kind that are not trained on.
        validation: loss on validation data.
    """
    raise NotImplementedError("this one is yours to write")


def verdict(train: Tensor, validation: Tensor, noise: float) -> str:
    """What the curves say.

    Smooth both by the mean of three looks. "overfit" where the smoothed validation loss ends more than 3 · noise above
    its lowest while the smoothed training loss fell from that look to the end; else "underfit" where the smoothed
    validation loss still fell by more than 3 · noise over the last fifth of the smoothed looks (at least one); else
    "good".

    Args:
        train: loss at each look, at least 10.
        validation: the same.
        noise: standard deviation of a smoothed loss, > 0.
    """
    raise NotImplementedError("this one is yours to write")
