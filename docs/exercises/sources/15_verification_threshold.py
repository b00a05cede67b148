"""Which distance means "the same person"?

A pair is accepted if its squared distance is at most a threshold d. Two rates say how good that is:

    VAL(d) = accepted pairs of one person / all pairs of one person
    FAR(d) = accepted pairs of two people / all pairs of two people

The usual question is: the largest threshold whose FAR is at most 0.1 %, and its VAL. And the honest answer is often
that nobody can know: with 100 pairs of strangers, none of them accepted, the true rate may still be 3 %.

Write both rates, the threshold, and how many pairs of strangers it takes at least to promise a rate with 95 %
confidence: so many that (1 − FAR)^pairs ≤ 0.05.

Questions: why does a constant like "0.6" from a library's documentation not answer the question for your photos? Why
must the threshold be found on other people than the network was trained on?

Hints
- Sort the distances of strangers; at most ⌊FAR · pairs⌋ of them may be accepted.
- Distances are float64 here; in float32 the number just below another may round up to it again.
- "At most d" accepts a pair at d itself. With ties the threshold may have to lie below all of them.
"""

import math

import torch
from torch import Tensor


def val_and_far(distances: Tensor, same: Tensor, threshold: float) -> tuple[float, float]:
    """Both rates at a threshold.

    Args:
        distances: squared, of each pair.
        same: whether it shows one person.
        threshold: accept where distance <= threshold.
    """
    # <solution>
    accepted = (distances <= threshold).double()
    return float(accepted[same].mean()), float(accepted[~same].mean())
    # </solution>


def threshold_at(far: float, strangers: Tensor) -> float:
    """A threshold, as large as can be, at which at most a share of strangers is accepted.

    Args:
        far: the share, in (0, 1).
        strangers: squared distances of pairs of two people.

    Returns:
        Just below the nearest stranger who may not be accepted.
    """
    # <solution>
    allowed = math.floor(far * len(strangers) + 1e-9)
    first_refused = strangers.double().sort().values[allowed]
    return math.nextafter(float(first_refused), -math.inf)
    # </solution>


def pairs_needed(far: float, confidence: float = 0.95) -> int:
    """The fewest pairs of strangers, none of them accepted, that promise a rate of at most `far`."""
    # <solution>
    return math.ceil(math.log(1 - confidence) / math.log(1 - far))
    # </solution>


# <tests>
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


# <mistakes>
MISTAKES = [
    ("(distances <= threshold)", "(distances < threshold)", "expected VAL"),
    ("math.nextafter(float(first_refused), -math.inf)", "float(first_refused)", "may be accepted"),
    (".sort().values[allowed]", ".sort().values[max(0, allowed - 1)]", "larger threshold"),
    ("math.ceil(", "math.floor(", "pairs, got"),
]  # fmt: skip
