"""Every claim of the early-exit study, with made-up measurements that lead to each of the three verdicts."""

from dataclasses import replace

import pytest
import torch

from shoal.studies.exits_breakeven import Path, Smaller
from shoal.studies.exits_claims import (
    all_claims,
    early_leavers_are_easier,
    halves_the_macs,
    keeps_the_accuracy,
    later_exits_are_better,
    pushing_costs_accuracy,
    saves_time,
)
from shoal.studies.exits_claims_compared import (
    beats_smaller_networks,
    follows_prediction_depth,
    gains_where_difficulty_spreads,
    keeps_its_promise,
)
from shoal.studies.exits_measured import Measured, Promise


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
        path=path(n),
        smaller=(Smaller("8 channels", rows(0.75, n), 50),),
        promise=promise(n),
        depth=taken,
        soft_depth=torch.arange(n) / n,
        probes=10,
    )


def path(n: int, *, macs: tuple[int, ...] = (10, 30, 100)) -> Path:
    """Policies that are right about 60, 80 and 90 %."""
    right = torch.stack([rows(share, n) for share in (0.6, 0.8, 0.9)], 1)
    return Path(right, torch.tensor(macs).double().expand(n, -1))


def promise(n: int, right: float = 0.9, **changes) -> Promise:
    told = {
        "max_accuracy_drop": 0.01,
        "confidence": 0.95,
        "refused": "",
        "never_leaves": False,
        "said": "1 of 500 lost",
    }
    return Promise(**told | changes, right=rows(right, n), macs=torch.full((n,), 40))


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


def test_keeps_its_promise() -> None:
    assert keeps_its_promise(base(20_000)).verdict == "supported"
    assert keeps_its_promise(replace(base(), promise=promise(2000, right=0.85))).verdict == "contradicted"
    assert keeps_its_promise(replace(base(), promise=promise(2000, right=0.89))).verdict == "inconclusive"
    refused = keeps_its_promise(replace(base(20_000), promise=promise(20_000, refused="data: too few")))
    assert (refused.verdict, "data: too few" in refused.measured) == ("inconclusive", True)
    assert (
        keeps_its_promise(replace(base(20_000), promise=promise(20_000, never_leaves=True))).verdict == "inconclusive"
    )


def test_follows_prediction_depth() -> None:
    assert follows_prediction_depth(base()).verdict == "supported"
    assert follows_prediction_depth(replace(base(), depth=-base().exit_index)).verdict == "contradicted"
    shuffled = base().depth[torch.randperm(2000, generator=torch.Generator().manual_seed(0))]
    assert follows_prediction_depth(replace(base(), depth=shuffled)).verdict == "inconclusive"
    alone = replace(base(), exit_index=torch.zeros(2000, dtype=torch.long))
    assert follows_prediction_depth(alone).verdict == "inconclusive"


def test_beats_smaller_networks() -> None:
    """At 75 % the curve needs 25; the smaller network 50, or 20, or as much."""
    assert beats_smaller_networks(base()).effect == pytest.approx(0.5)
    assert beats_smaller_networks(base()).verdict == "supported"
    for macs, verdict in ((20, "contradicted"), (25, "inconclusive")):
        others = (Smaller("8 channels", rows(0.75), macs),)
        assert beats_smaller_networks(replace(base(), smaller=others)).verdict == verdict


def test_gains_where_difficulty_spreads() -> None:
    """Of two kinds of images one is cheap for early exit; it lies at both ends of the order by difficulty."""
    n, cheap = 2000, (torch.arange(2000) % 1000 < 500)
    order = torch.cat([torch.arange(n)[cheap][:500], torch.arange(n)[~cheap], torch.arange(n)[cheap][500:]])
    depth = torch.empty(n).scatter(0, order, torch.arange(n).float())
    low, high = torch.tensor([5.0, 20, 60]).double(), torch.tensor([40.0, 60, 100]).double()
    right = torch.stack([torch.arange(n) % 10 < share for share in (6, 8, 9)], 1)
    small = (Smaller("8 channels", torch.arange(n) % 100 < 75, 50),)
    made = replace(base(), soft_depth=depth, smaller=small)
    for kind, verdict in ((cheap, "supported"), (~cheap, "contradicted"), (cheap | ~cheap, "inconclusive")):
        curve = Path(right, torch.where(kind[:, None], low, high))
        assert gains_where_difficulty_spreads(replace(made, path=curve)).verdict == verdict
    assert gains_where_difficulty_spreads(base(60)).verdict == "inconclusive"


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
    assert len({claim.id for claim in claims}) == len({claim.sentence for claim in claims}) == len(claims) == 10
    for claim in claims:
        assert any(digit in claim.measured for digit in "0123456789")


@pytest.mark.parametrize("n", [2, 50])
def test_few_images_are_no_error(n: int) -> None:
    for claim in all_claims(base(n)):
        assert claim.low <= claim.effect <= claim.high
