"""What early exit costs and saves: MACs, and a threshold that was chosen fairly.

A row that leaves at exit e has paid for stages 0 … e and for heads 0 … e: it was asked at every head on its way. Write
the mean over rows. Then choose: of several thresholds, the one that spends least among those that are accurate enough.

Choose on validation rows and report on test rows. The threshold that looks best on the rows that it was chosen on is
partly lucky there; a test shows by how much.

Question: heads with as many weights as a stage would change what?

Hints
- `cumsum` of what each stage and head costs, then index with the exits.
- Compare accuracies with >=, and say so where no threshold is good enough.
"""

import torch
from torch import Tensor


def mean_macs(exits: Tensor, stages: Tensor, heads: Tensor) -> float:
    """Mean multiply–accumulate operations of a row.

    Args:
        exits: where each row left [n].
        stages: MACs of each stage [e].
        heads: MACs of each head [e].
    """
    raise NotImplementedError("this one is yours to write")


def choose_threshold(accuracy: Tensor, macs: Tensor, least: float) -> int | None:
    """The threshold that spends least among those that are accurate enough.

    Args:
        accuracy: of each threshold, on validation rows.
        macs: mean MACs of each threshold, on the same rows.
        least: accuracy that is enough.

    Returns:
        Its number; None where none is accurate enough.
    """
    raise NotImplementedError("this one is yours to write")


def break_even(early_macs: Tensor, early_accuracy: Tensor, small_macs: float, small_accuracy: float) -> bool:
    """Whether early exit beats a smaller network: as accurate or more, for fewer MACs, at some threshold.

    Args:
        early_macs: mean MACs of each threshold.
        early_accuracy: its accuracy.
        small_macs: MACs of the smaller network.
        small_accuracy: its accuracy.
    """
    raise NotImplementedError("this one is yours to write")
