"""Every claim of the early-exit study, with made-up measurements that lead to each of the three verdicts."""

from dataclasses import replace

import pytest
import torch

from shoal.studies.exits_claims import (
    Measured,
    all_claims,
    early_leavers_are_easier,
    halves_the_macs,
    keeps_the_accuracy,
    later_exits_are_better,
    pushing_costs_accuracy,
    saves_time,
)


def rows(share: float, n: int = 2000) -> torch.Tensor:
    """The first `share` of n rows True."""
    return torch.arange(n) < share * n


def base(n: int = 2000) -> Measured:
    taken = torch.arange(n) % 4
    return Measured(
        plain_right=rows(0.9, n),
        early_right=rows(0.9, n),
        early_macs=torch.full((n,), 40),
        plain_macs=100,
        exit_index=taken,
        exits=4,
        right_by_exit=torch.stack([rows(s, n) for s in (0.6, 0.7, 0.8, 0.9)]),
        bold_right=rows(0.6, n),
        bold_macs=torch.full((n,), 10),
        speed_ups=torch.full((9,), 2.4),
        timed_macs=40.0,
        batch_size=128,
        minutes=(2.0, 2.0),
    )


def spread(low: int, high: int, n: int = 2000) -> torch.Tensor:
    return torch.where(torch.arange(n) % 2 == 0, low, high)


def test_halves_the_macs() -> None:
    assert halves_the_macs(base()).verdict == "supported"
    assert halves_the_macs(replace(base(), early_macs=torch.full((2000,), 60))).verdict == "contradicted"
    assert halves_the_macs(replace(base(), early_macs=spread(1, 99))).verdict == "inconclusive"


def test_keeps_the_accuracy() -> None:
    assert keeps_the_accuracy(base()).verdict == "supported"
    assert keeps_the_accuracy(replace(base(), early_right=rows(0.88))).verdict == "contradicted"
    # 0.5 points lower in the mean, but made of rows that changed both ways
    flipped = rows(0.9) ^ (torch.arange(2000) % 10 == 0)
    lower = flipped | ((torch.arange(2000) >= 200) & (torch.arange(2000) < 350))
    assert keeps_the_accuracy(replace(base(), early_right=lower)).verdict in ("inconclusive", "contradicted")
    balanced = rows(0.9).clone()
    balanced[:110], balanced[-100:] = False, True
    assert keeps_the_accuracy(replace(base(), early_right=balanced)).verdict == "inconclusive"


def test_saves_time() -> None:
    assert saves_time(base()).verdict == "supported"
    assert saves_time(replace(base(), speed_ups=torch.full((9,), 1.1))).verdict == "contradicted"
    assert saves_time(replace(base(), speed_ups=torch.linspace(0.5, 3.0, 9))).verdict == "inconclusive"


def test_early_leavers_are_easier() -> None:
    early = base().exit_index < 2
    right = {
        "supported": torch.where(early, True, torch.arange(2000) % 8 < 5),
        "contradicted": torch.where(early, torch.arange(2000) % 8 < 5, True),
        "inconclusive": torch.arange(2000) % 4 != 0,
    }
    right["inconclusive"] = rows(0.9)[torch.randperm(2000, generator=torch.Generator().manual_seed(0))]
    for verdict, answers in right.items():
        assert early_leavers_are_easier(replace(base(), early_right=answers)).verdict == verdict
    nobody = replace(base(), exit_index=torch.full((2000,), 3))
    assert early_leavers_are_easier(nobody).verdict == "inconclusive"


def test_later_exits_are_better() -> None:
    assert later_exits_are_better(base()).verdict == "supported"
    assert later_exits_are_better(replace(base(), right_by_exit=base().right_by_exit.flip(0))).verdict == "contradicted"
    mixed = rows(0.9)[torch.randperm(2000, generator=torch.Generator().manual_seed(1))]
    same = torch.stack([mixed, mixed, mixed, rows(0.9)])
    assert later_exits_are_better(replace(base(), right_by_exit=same)).verdict == "inconclusive"


def test_pushing_costs_accuracy() -> None:
    assert pushing_costs_accuracy(base()).verdict == "supported"
    assert pushing_costs_accuracy(replace(base(), bold_right=rows(0.95))).verdict == "contradicted"
    mixed = rows(0.9)[torch.randperm(2000, generator=torch.Generator().manual_seed(1))]
    assert pushing_costs_accuracy(replace(base(), bold_right=mixed)).verdict == "inconclusive"


def test_no_difference_supports_no_difference_in_rank() -> None:
    """Statements with "more" or "falls" are not supported by networks that answer alike."""
    same = base().early_right
    assert pushing_costs_accuracy(replace(base(), bold_right=same)).verdict != "supported"
    assert later_exits_are_better(replace(base(), right_by_exit=same.expand(4, -1))).verdict != "supported"


def test_agreement_on_few_images_proves_nothing() -> None:
    """360 images without a difference allow a difference of about a point."""
    assert keeps_the_accuracy(base(360)).verdict == "inconclusive"
    assert keeps_the_accuracy(base(20_000)).verdict == "supported"


def test_all_claims_are_distinct_sentences_with_numbers() -> None:
    claims = all_claims(base())
    assert len({claim.id for claim in claims}) == len({claim.sentence for claim in claims}) == len(claims) == 6
    for claim in claims:
        assert any(digit in claim.measured for digit in "0123456789")


@pytest.mark.parametrize("n", [2, 50])
def test_few_images_are_no_error(n: int) -> None:
    for claim in all_claims(base(n)):
        assert claim.low <= claim.effect <= claim.high
