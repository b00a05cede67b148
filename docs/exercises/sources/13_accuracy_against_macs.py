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
    # <solution>
    return float((stages + heads).cumsum(0)[exits].double().mean())
    # </solution>


def choose_threshold(accuracy: Tensor, macs: Tensor, least: float) -> int | None:
    """The threshold that spends least among those that are accurate enough.

    Args:
        accuracy: of each threshold, on validation rows.
        macs: mean MACs of each threshold, on the same rows.
        least: accuracy that is enough.

    Returns:
        Its number; None where none is accurate enough.
    """
    # <solution>
    enough = (accuracy >= least).nonzero().flatten()
    return int(enough[macs[enough].argmin()]) if len(enough) else None
    # </solution>


def break_even(early_macs: Tensor, early_accuracy: Tensor, small_macs: float, small_accuracy: float) -> bool:
    """Whether early exit beats a smaller network: as accurate or more, for fewer MACs, at some threshold.

    Args:
        early_macs: mean MACs of each threshold.
        early_accuracy: its accuracy.
        small_macs: MACs of the smaller network.
        small_accuracy: its accuracy.
    """
    # <solution>
    return bool(((early_accuracy >= small_accuracy) & (early_macs < small_macs)).any())
    # </solution>


# <tests>
STAGES, HEADS = torch.tensor([100, 200, 300]), torch.tensor([1, 2, 3])


def test_a_row_pays_for_every_head_on_its_way() -> None:
    for exits, wanted in (([0], 101), ([1], 303), ([2], 606), ([0, 2], (101 + 606) / 2)):
        found = mean_macs(torch.tensor(exits), STAGES, HEADS)
        assert abs(found - wanted) < 1e-6, f"rows that leave at {exits}: expected {wanted} MACs, got {found}"


def test_the_cheapest_that_is_good_enough() -> None:
    accuracy, macs = torch.tensor([0.80, 0.90, 0.92, 0.95]), torch.tensor([10.0, 30.0, 25.0, 60.0])
    for least, wanted in ((0.90, 2), (0.93, 3), (0.95, 3), (0.5, 0), (0.99, None)):
        found = choose_threshold(accuracy, macs, least)
        assert found == wanted, f"for an accuracy of {least} expected number {wanted}, got {found}"


def test_luck_is_not_found_again() -> None:
    """All thresholds are truly 80 % right; the chosen one looks better, and is not."""
    generator = torch.Generator().manual_seed(0)
    promised, kept = [], []
    for _ in range(200):
        validation = (torch.rand(50, 100, generator=generator) < 0.8).double().mean(1)
        test = (torch.rand(50, 100, generator=generator) < 0.8).double().mean(1)
        chosen = choose_threshold(validation, -validation, 0.0)  # the most accurate one
        assert chosen is not None, "every threshold is accurate enough here"
        promised.append(validation[chosen])
        kept.append(test[chosen])
    gap = float(torch.stack(promised).mean() - torch.stack(kept).mean())
    assert gap > 0.05, (
        f"the best of 50 should look at least 5 points too good, got {100 * gap:.1f}: which one was chosen?"
    )


def test_break_even() -> None:
    macs, accuracy = torch.tensor([10.0, 20.0, 30.0]), torch.tensor([0.7, 0.9, 0.95])
    assert break_even(macs, accuracy, 25.0, 0.9), "20 MACs at the same accuracy beat 25"
    assert not break_even(macs, accuracy, 25.0, 0.95), "the same accuracy needs 30, more than 25"
    assert not break_even(macs, accuracy, 20.0, 0.9), "as many MACs for the same accuracy are no gain"


# <mistakes>
MISTAKES = [
    ("(stages + heads).cumsum(0)[exits]", "(stages.cumsum(0) + heads)[exits]", "MACs, got"),
    ("accuracy >= least", "accuracy > least", "expected number"),
    ("macs[enough].argmin()", "accuracy[enough].argmax()", "expected number"),
    ("(early_macs < small_macs)", "(early_macs <= small_macs)", "no gain"),
]
