"""Early exits: networks that stop computing an example as soon as its answer is good enough."""

from shoal.exits.frontier import FrontierRow, frontier
from shoal.exits.network import EarlyExit, ExitResult
from shoal.exits.outputs import ExitOutputs, exit_outputs
from shoal.exits.policies import Confidence, Entropy, Policy
from shoal.exits.thresholds import choose_policy, policy_path
from shoal.exits.training import fit_exits, joint_objective

__all__ = [
    "Confidence",
    "EarlyExit",
    "Entropy",
    "ExitOutputs",
    "ExitResult",
    "FrontierRow",
    "Policy",
    "choose_policy",
    "exit_outputs",
    "fit_exits",
    "frontier",
    "joint_objective",
    "policy_path",
]
