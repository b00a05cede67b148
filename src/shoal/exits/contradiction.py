"""An order of policies in which all exits move together: by the chance that the whole network would contradict them.

    policies = contradiction_path(outputs, Confidence)      # from never leaving to leaving at once

Whether an exit may be trusted at a confidence of 0.8 depends on the exit: the last ones nearly always say what the end
of the network says, the first ones do not. For each exit a logistic curve is fitted, of the chance that the end answers
otherwise, over its score; all curves share a slope, so that few examples are enough, and none of them needs a label. A
policy lets a row leave wherever that chance is at most so much. One number then moves all thresholds, which is what a
test in a fixed order wants (`shoal.exits.calibration`).
"""

import math

import torch

from shoal.exits.outputs import ExitOutputs
from shoal.exits.policies import Confidence, Kind, Policy, never_leaving

CHANCES = tuple(0.001 * 1.1**step for step in range(72))  # of being contradicted, 0.1 to 87 %
_RIDGE = 1e-2  # keeps the curves finite where an exit is always contradicted, or never
_STEPS = 50


def contradiction_path(outputs: ExitOutputs, policy: Kind = Confidence) -> list[Policy]:
    """Policies from never leaving to bold, each at one chance of being contradicted by the end of the network.

    Args:
        outputs: of examples that nothing is tested with later; their labels are not looked at.
        policy: `Confidence`, `Entropy`, `Margin` or `Patience`; or a policy, whose temperatures are kept.

    Returns:
        At least the first; thresholds only get bolder.

    Raises:
        InputError: if the policy is for another number of exits.
    """
    never = never_leaving(policy, len(outputs.costs) - 1)
    places, slope = _fit(outputs, never)
    path = [never]
    for chance in CHANCES:
        odds = math.log(chance / (1 - chance))
        thresholds = [never.from_line((place - odds) / slope) for place in places]
        if thresholds != list(path[-1].thresholds):
            path.append(never.with_thresholds(thresholds))
    return path


def _fit(outputs: ExitOutputs, kind: Policy) -> tuple[list[float], float]:
    """Curves log odds = place − slope · score, one place per exit, by Newton's method.

    Source: the logistic model: Cox 1958, "The regression analysis of binary sequences", JRSS B 20.
    """
    exits, rows = len(outputs.costs) - 1, len(outputs.labels)
    said = outputs.logits.argmax(2)  # [exits + 1, n]
    otherwise = (said[:-1] != said[-1]).double().flatten()  # [exits · n]
    score = kind.to_line(kind.scores(outputs.logits[:-1])).double().flatten()  # [exits · n]
    which = torch.eye(exits, dtype=torch.float64).repeat_interleave(rows, 0)  # [exits · n, exits]
    design = torch.cat([which, -score[:, None]], 1)  # [exits · n, exits + 1]
    ridge = _RIDGE * torch.eye(exits + 1, dtype=torch.float64)
    weights = torch.zeros(exits + 1, dtype=torch.float64)
    for _ in range(_STEPS):
        chance = torch.sigmoid(design @ weights)
        slope = design.T @ (chance - otherwise) + ridge @ weights
        curvature = design.T @ (design * (chance * (1 - chance))[:, None]) + ridge
        step = torch.linalg.solve(curvature, slope)
        weights = weights - step * min(1.0, 5.0 / float(step.abs().max().clamp(min=1e-12)))
        if float(step.abs().max()) < 1e-9:
            break
    *places, common = weights.tolist()
    return places, max(common, 1e-3)  # a score that tells nothing, or the wrong, moves no threshold into reach
