"""What every exit says about every example: computed once, replayed under any policy.

A policy looks at one exit's logits at a time, so its decisions, accuracy and MACs on a data set follow exactly
from the logits of all exits. Thresholds are chosen on such a record, not by running the network again.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from shoal.engine import Data, in_order
from shoal.engine.batches import Prepare
from shoal.engine.precision import Precision
from shoal.errors import wrong
from shoal.exits.network import EarlyExit
from shoal.exits.policies import Policy
from shoal.measure.modes import in_mode


@dataclass(frozen=True)
class ExitOutputs:
    """The logits of every exit on a data set.

    Attributes:
        logits: [exits + 1, n, classes], the end of the network last.
        labels: [n], the true classes.
        costs: [exits + 1], MACs of a row that leaves there.
    """

    logits: Float[Tensor, "exits n classes"]
    labels: Int[Tensor, "n"]
    costs: Int[Tensor, "exits"]
    _scores: dict[Any, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)  # of policies

    @cached_property
    def right(self) -> Bool[Tensor, "exits n"]:
        """Whether each exit is right about each example."""
        return self.logits.argmax(2) == self.labels

    def take(self, rows: Int[Tensor, "k"]) -> "ExitOutputs":
        """The same of some examples."""
        return ExitOutputs(self.logits[:, rows], self.labels[rows], self.costs)

    def exits_taken(self, policy: Policy) -> Int[Tensor, "n"]:
        """The exit that each example takes under a policy."""
        policy.check(len(self.costs) - 1)
        key = type(policy), policy.temperatures
        if key not in self._scores:
            self._scores[key] = policy.scores(self.logits[:-1])
        leaves = [policy.passes(score, index) for index, score in enumerate(self._scores[key])]
        last = torch.ones_like(self.labels, dtype=torch.bool)
        return torch.stack([*leaves, last]).int().argmax(0)  # the first True

    def replay(self, policy: Policy) -> tuple[Int[Tensor, "n"], Bool[Tensor, "n"], Int[Tensor, "n"]]:
        """What `predict` would do with each example.

        Returns:
            exit_index [n], whether the answer is right [n], MACs [n].
        """
        taken = self.exits_taken(policy)
        return taken, self.right[taken, torch.arange(len(taken))], self.costs[taken]


@torch.no_grad()
def exit_outputs(
    net: EarlyExit,
    data: Data,
    *,
    batch_size: int = 512,
    prepare: Prepare | None = None,
    precision: Precision | None = None,
    device: torch.device | None = None,
) -> ExitOutputs:
    """Run every exit on every example.

    Args:
        net: put into evaluation mode, and back.
        data: (inputs [n, ...], labels [n]), or a loader of such pairs.
        batch_size: rows at a time, for a pair of tensors.
        prepare: applied to the inputs of every batch.
        precision: how to run; float32 unless given.
        device: where to run; where the network is, unless given.

    Returns:
        The record, on the CPU, in float32.

    Raises:
        InputError: if there are no data.
    """
    precision = precision or Precision()
    device = device or next(net.parameters()).device
    logits, labels, costs = [], [], None
    with in_mode(net, training=False):
        for inputs, truth in in_order(data, batch_size=batch_size, prepare=prepare):
            placed = precision.place(inputs, device)
            costs = net.exit_costs(placed[:1]) if costs is None else costs
            with precision.autocast(device):
                logits.append(torch.stack([answer.float().cpu() for answer in net(placed)]))  # [E, b, C]
            labels.append(truth.cpu())
    if costs is None:
        raise wrong("data", expected="at least one example", got="none")
    return ExitOutputs(torch.cat(logits, 1), torch.cat(labels), costs)
