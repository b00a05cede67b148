"""Tests of exercise 15: Which distance means "the same person"?"""

import torch
from e15_verification_threshold import pairs_needed, threshold_at, val_and_far


def test_rates() -> None:
    distances, same = torch.tensor([0.1, 0.5, 0.9, 0.2, 0.8]), torch.tensor([True, True, True, False, False])
    val, far = val_and_far(distances, same, 0.5)
    assert abs(val - 2 / 3) < 1e-6, f"two of three pairs of one person are at most 0.5: expected VAL 2/3, got {val:.3f}"
    assert abs(far - 1 / 2) < 1e-6, f"one of two pairs of strangers is at most 0.5: expected FAR 1/2, got {far:.3f}"


def test_the_threshold_keeps_to_the_rate_and_is_the_largest() -> None:
    generator = torch.Generator().manual_seed(0)
    strangers = torch.rand(1000, generator=generator, dtype=torch.float64)
    ordered = strangers.sort().values
    for far in (0.001, 0.01, 0.25):
        threshold, count = threshold_at(far, strangers), round(1000 * far)
        accepted = int((strangers <= threshold).sum())
        assert accepted <= count, f"FAR {far}: {count} of 1,000 strangers may be accepted, {accepted} are"
        assert accepted == count, f"FAR {far}: only {accepted} are accepted; a larger threshold would still keep to it"
        assert threshold > float(ordered[count - 1 : count + 1].mean()), "as large as can be: up to the next stranger"


def test_ties_are_refused_together() -> None:
    strangers = torch.tensor([0.3] * 10 + [0.9] * 10, dtype=torch.float64)
    accepted = int((strangers <= threshold_at(0.1, strangers)).sum())
    assert accepted == 0, f"two may be accepted, but ten are equal: none of these may be; {accepted} are"


def test_how_many_pairs_a_promise_takes() -> None:
    for far, wanted in ((0.01, 299), (0.001, 2995)):
        found = pairs_needed(far)
        assert found == wanted, f"a promise of {far}: expected {wanted} pairs, got {found}"
        assert (1 - far) ** found <= 0.05 < (1 - far) ** (found - 1)
