"""The frontier: what policies cost and give on other examples than they were chosen on."""

import torch

from shoal.exits import Confidence, EarlyExit, exit_outputs, frontier
from shoal.exits.frontier import frontier_rows
from shoal.nets import create_model
from tests.exits.test_exits_thresholds import made_up


def test_rows_say_what_replaying_says() -> None:
    outputs = made_up(200, 4, 3)
    policies = [Confidence([0.4] * 3), Confidence([0.8] * 3), Confidence([Confidence.never] * 3)]
    for row, policy in zip(frontier_rows(outputs, policies), policies, strict=True):
        taken, right, _ = outputs.replay(policy)
        assert row.policy == policy
        assert row.accuracy == float(right.double().mean())
        assert row.mean_macs == float((10 * (taken + 1)).double().mean())
        assert row.milliseconds is None


def test_it_runs_from_bold_to_never_and_is_timed_on_request() -> None:
    torch.manual_seed(0)
    net = EarlyExit(create_model("cifar_resnet18", num_classes=3, width=4), ["layer1", "layer3"], 3).eval()
    chosen_on, measured_on = ((torch.randn(60, 3, 16, 16), torch.randint(3, (60,))) for _ in range(2))
    rows = frontier(net, measured_on, choose_on=chosen_on, timing=measured_on[0][:8], batch_size=4)
    outputs = exit_outputs(net, measured_on)
    assert rows[-1].policy.thresholds == (Confidence.never, Confidence.never)
    assert rows[-1].mean_macs == float(outputs.costs[-1])
    assert rows[-1].accuracy == float(outputs.right[-1].double().mean())
    assert rows[0].mean_macs == min(row.mean_macs for row in rows)
    assert all(row.milliseconds is not None and row.milliseconds > 0 for row in rows)
