"""Choosing one threshold per exit: the fewest MACs at a given accuracy, on validation data.

`choose_policy` gives one policy, `policy_path` a frontier. For the frontier every threshold is free: for a price per
MAC the best thresholds maximise accuracy − price · MACs. Given the thresholds of the other exits, the best one for an
exit is found exactly: sort the rows that reach it by score, and sum what is gained by letting the first k of them
leave. Going over the exits until nothing changes, and over prices from high to low, gives a path from bold to safe.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from shoal.errors import wrong
from shoal.exits.contradiction import contradiction_path
from shoal.exits.outputs import ExitOutputs
from shoal.exits.policies import Confidence, Kind, Policy, never_leaving

_PRICES = tuple(2.0 * 0.8**step for step in range(32))  # accuracy per share of the full network's MACs, bold to safe


def policy_path(outputs: ExitOutputs, policy: Kind = Confidence) -> list[Policy]:
    """Policies from bold (few MACs) to safe (never exit), each the best found for some price of a MAC.

    Args:
        outputs: of validation data; thresholds chosen here must not be reported on the same examples.
        policy: `Confidence`, `Entropy`, `Margin` or `Patience`; or a policy, whose temperatures are kept.

    Returns:
        Policies without duplicates; the last never exits early.

    Raises:
        InputError: if the policy is for another number of exits.
    """
    never = never_leaving(policy, len(outputs.costs) - 1)
    search = _Search(outputs, never)
    found: dict[tuple[float, ...], Policy] = {}
    thresholds = list(never.thresholds)
    for price in reversed(_PRICES):  # from safe to bold, each starting from its neighbour
        thresholds = search.best(price, thresholds)
        found[tuple(thresholds)] = never.with_thresholds(thresholds)
    bold_to_safe = list(reversed(found.values()))
    return [p for p in bold_to_safe if p.thresholds != never.thresholds] + [never]


def choose_policy(outputs: ExitOutputs, policy: Kind = Confidence, *, max_accuracy_drop: float = 0.005) -> Policy:
    """The policy with the fewest mean MACs whose accuracy is within `max_accuracy_drop` of the full network's.

    All thresholds move together (see `shoal.exits.contradiction`), so that one number is chosen: of thresholds that are
    chosen one by one, those that were lucky on these examples win, and lose more on others than they should. This is
    an estimate all the same, without a guarantee, which `calibrate` gives.

    Args:
        outputs: of validation data.
        policy: its kind; or a policy, whose temperatures are kept.
        max_accuracy_drop: as a share, 0.005 for half a point; may be negative.

    Returns:
        The policy; it never exits early where nothing else satisfies the condition.

    Raises:
        InputError: if the drop is given in percent.
    """
    if not -1 <= max_accuracy_drop < 1:
        raise wrong("max_accuracy_drop", expected="a share below 1", got=max_accuracy_drop, fix="give 1 point as 0.01")
    full = outputs.right[-1].double().mean()
    best, fewest = never_leaving(policy, len(outputs.costs) - 1), float("inf")
    for candidate in contradiction_path(outputs, policy):
        _, right, macs = outputs.replay(candidate)
        mean = float(macs.double().mean())
        if right.double().mean() >= full - max_accuracy_drop - 1e-12 and mean < fewest:
            best, fewest = candidate, mean
    return best


class _Search:
    """Exact coordinate ascent on accuracy − price · MACs."""

    def __init__(self, outputs: ExitOutputs, policy: Policy):
        self.right = outputs.right.double()  # [E, n]
        self.costs = outputs.costs.double() / float(outputs.costs[-1])  # [E], share of the full network
        sign = 1.0 if policy.high_leaves else -1.0
        self.sign, self.never, self.range = sign, policy.never, policy.range
        self.scores = sign * policy.scores(outputs.logits[:-1])  # [E - 1, n], high leaves

    def best(self, price: float, start: list[float], *, rounds: int = 4) -> list[float]:
        """Improve the thresholds until a round over the exits changes none."""
        thresholds = list(start)
        rewards = self.right - price * self.costs[:, None]  # [E, n]
        for _ in range(rounds):
            before = list(thresholds)
            later = rewards[-1]  # what a row earns that does not leave here, given the later thresholds
            for index in reversed(range(len(thresholds))):
                reached = self._reached(index, thresholds)
                thresholds[index] = self._best_threshold(index, (rewards[index] - later), reached)
                leaves = self.scores[index] >= self.sign * thresholds[index]
                later = torch.where(leaves, rewards[index], later)
            if thresholds == before:
                break
        return thresholds

    def _reached(self, index: int, thresholds: list[float]) -> Bool[Tensor, "n"]:
        stays = [self.scores[i] < self.sign * thresholds[i] for i in range(index)]
        return torch.stack(stays).all(0) if stays else torch.ones_like(self.scores[0], dtype=torch.bool)

    def _best_threshold(self, index: int, gain: Float[Tensor, "n"], reached: Bool[Tensor, "n"]) -> float:
        """The threshold at which the rows that leave gain most in sum; half-way between two scores."""
        if not bool(reached.any()):
            return self.never
        scores, order = self.scores[index][reached].sort(descending=True)
        sums = gain[reached][order].cumsum(0)
        distinct = torch.cat([scores[1:] != scores[:-1], torch.tensor([True])])  # equal scores leave together
        sums = sums.masked_fill(~distinct, -torch.inf)
        at = int(sums.argmax())
        if float(sums[at]) <= 0:
            return self.never
        below = float(scores[at + 1]) if at + 1 < len(scores) else float(scores[at])
        low, high = self.range  # rounding can lead a probability out of it
        return min(max(self.sign * (float(scores[at]) + below) / 2, low), high)
