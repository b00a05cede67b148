"""Accuracy against cost: what a network with exits gives for how many MACs and milliseconds."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from shoal.engine import Data
from shoal.engine.batches import Prepare
from shoal.exits.network import EarlyExit
from shoal.exits.outputs import ExitOutputs, exit_outputs
from shoal.exits.policies import Confidence, Kind, Policy
from shoal.exits.thresholds import policy_path


@dataclass(frozen=True)
class FrontierRow:
    """One point of the frontier.

    Attributes:
        policy: with its thresholds.
        accuracy: in [0, 1].
        mean_macs: per row, heads included.
        milliseconds: per row, median; None where it was not measured.
    """

    policy: Policy
    accuracy: float
    mean_macs: float
    milliseconds: float | None = None


def frontier(
    net: EarlyExit,
    data: Data,
    *,
    choose_on: Data,
    policy: Kind = Confidence,
    timing: Tensor | None = None,
    batch_size: int = 128,
    prepare: Prepare | None = None,
) -> list[FrontierRow]:
    """Measure policies from bold to safe, chosen on one data set and measured on another.

    Args:
        net: the network.
        data: what accuracy and MACs are measured on.
        choose_on: what thresholds are chosen on; other examples than `data`.
        policy: its kind; or a policy, whose temperatures are kept.
        timing: inputs [n, ...] to time `predict` on; not timed unless given.
        batch_size: rows at a time while timing.
        prepare: applied to the inputs of every batch of data.

    Returns:
        Rows from bold to safe; the last never exits early.
    """
    chosen = policy_path(exit_outputs(net, choose_on, prepare=prepare), policy)
    rows = frontier_rows(exit_outputs(net, data, prepare=prepare), chosen)
    if timing is None:
        return rows
    return [
        FrontierRow(row.policy, row.accuracy, row.mean_macs, milliseconds_per_row(net, timing, row.policy, batch_size))
        for row in rows
    ]


def frontier_rows(outputs: ExitOutputs, policies: Sequence[Policy]) -> list[FrontierRow]:
    """Accuracy and mean MACs of policies on recorded outputs."""
    rows = []
    for policy in policies:
        _, right, macs = outputs.replay(policy)
        rows.append(FrontierRow(policy, float(right.double().mean()), float(macs.double().mean())))
    return rows


@torch.no_grad()
def milliseconds_per_row(
    net: EarlyExit, inputs: Tensor, policy: Policy, batch_size: int = 128, *, repeats: int = 3
) -> float:
    """Median wall time of `predict` over all inputs, divided by their number; one untimed pass comes first."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        for rows in inputs.split(batch_size):
            net.predict(rows, policy)
        if inputs.is_cuda:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times[1:]) / len(inputs)
