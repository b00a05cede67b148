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
    # <solution>
    return held_back - train, validation - held_back
    # </solution>


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
    # <solution>
    t, v = (x.double().unfold(0, 3, 1).mean(1) for x in (train, validation))
    best = int(v.argmin())
    if v[-1] - v[best] > 3 * noise and t[-1] < t[best]:
        return "overfit"
    last = max(1, len(v) // 5)
    return "underfit" if v[-1 - last] - v[-1] > 3 * noise else "good"
    # </solution>


# <tests>
STEPS = torch.arange(40.0)
FALLING = 2 + 3 * (STEPS + 1) ** -0.7
FAST = FALLING - 0.02 * STEPS


def test_gaps() -> None:
    heart, shift = gaps(train=2.0, held_back=2.5, validation=4.0)
    assert heart == 0.5, f"learned by heart: held back less training, 0.5; got {heart}"
    assert shift == 1.5, f"shift: validation less held back, 1.5; got {shift}"


def test_a_constant_gap_is_no_overfitting() -> None:
    found = verdict(FALLING, FALLING + 2, noise=0.01)
    assert found != "overfit", "validation is always 2 above training and never rises: that is a shift"


def test_a_rise_while_training_falls_is_overfitting() -> None:
    rising = FALLING + 0.03 * (STEPS - 15).clamp(min=0)
    assert verdict(FAST, rising, noise=0.01) == "overfit", "the validation loss rises by 0.6 from look 15 on"


def test_a_rise_within_the_noise_is_none() -> None:
    generator = torch.Generator().manual_seed(0)
    flat = 2 + 0.02 * torch.randn(40, generator=generator)
    found = verdict(FAST, flat, noise=0.02 / 3**0.5)
    assert found == "good", f"ups and downs of noise are no rise: expected good, got {found}"


def test_a_single_lucky_look_decides_nothing() -> None:
    lucky = torch.full((40,), 2.0)
    lucky[20] -= 0.08
    found = verdict(FAST, lucky, noise=0.01)
    assert found == "good", f"one look was low by luck, the mean of three is not: expected good, got {found}"


def test_training_that_diverges_is_not_overfitting() -> None:
    both = FALLING + 0.05 * (STEPS - 20).clamp(min=0)
    assert verdict(both, both, noise=0.01) != "overfit", "training loss rises too: it diverges, it does not memorise"


def test_still_falling_is_underfit() -> None:
    assert verdict(6 - 0.1 * STEPS, 6 - 0.1 * STEPS, noise=0.01) == "underfit", "it falls by 0.1 a look to the very end"


# <mistakes>
MISTAKES = [
    (" and t[-1] < t[best]", "", "it diverges"),
    (".unfold(0, 3, 1).mean(1)", "", "low by luck"),
    ("held_back - train, validation - held_back", "validation - train, validation - held_back", "learned by heart"),
    ("v[-1] - v[best] > 3 * noise and", "v[-1] > t[-1] and", "are no rise"),
]
