"""Tests of exercise 08: Is it overfitting, or only a gap?"""

import torch
from e08_overfitting import gaps, verdict

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
