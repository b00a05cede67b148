"""Early exits: networks that stop computing an example as soon as its answer is good enough.

    net = EarlyExit(backbone, at="auto", num_classes=10)
    fit_exits(net, (images, labels), mode="frozen")
    policy = calibrate(net, (held_out_images, held_out_labels), max_accuracy_drop=0.01)   # .certificate
    net.predict(new_images, policy)                                          # .logits, .exit_index, .macs of every row

Rooms within: `attach`, `placing`, `heads` and `network` (exits on a network), `training`, `policies`, `outputs` and
`thresholds` (what is good enough), `temperatures`, `contradiction`, `guarantee`, `certificate` and `calibration` (a
promise that is kept), `frontier`, `content` (what a network and an example are), `saving`, `export`.
"""

from shoal.exits.calibration import calibrate, calibrate_outputs, certify
from shoal.exits.certificate import Certificate
from shoal.exits.contradiction import contradiction_path
from shoal.exits.export_file import export
from shoal.exits.frontier import FrontierRow, frontier
from shoal.exits.network import EarlyExit, ExitResult
from shoal.exits.outputs import ExitOutputs, exit_outputs
from shoal.exits.policies import Confidence, Entropy, Margin, Patience, Policy
from shoal.exits.saving import load_exits, save_exits
from shoal.exits.temperatures import fit_temperatures
from shoal.exits.thresholds import choose_policy, policy_path
from shoal.exits.training import fit_exits, joint_objective

__all__ = [
    "Certificate",
    "Confidence",
    "EarlyExit",
    "Entropy",
    "ExitOutputs",
    "ExitResult",
    "FrontierRow",
    "Margin",
    "Patience",
    "Policy",
    "calibrate",
    "calibrate_outputs",
    "certify",
    "choose_policy",
    "contradiction_path",
    "exit_outputs",
    "export",
    "fit_exits",
    "fit_temperatures",
    "frontier",
    "joint_objective",
    "load_exits",
    "policy_path",
    "save_exits",
]
