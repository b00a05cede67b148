"""What `shoal exits calibrate` does: a policy with a guarantee for a saved network, from images that it has not seen.

answer = calibrate_saved(Path("runs/exits-photos"), "photos", CalibratingConfig(max_accuracy_drop=0.02))
"""

from dataclasses import asdict
from pathlib import Path

import torch

from shoal.engine import Progress, Silent, choose_device
from shoal.errors import wrong
from shoal.exits import EarlyExit, ExitOutputs, Policy, calibrate_outputs, exit_outputs
from shoal.exits.calibration import check_promise, fewest_rows
from shoal.exits.content import Unseen, fingerprint
from shoal.exits.policy_json import KINDS
from shoal.exits.saving import load_network, save_policy
from shoal.files import check_folder
from shoal.measure import count_macs
from shoal.studies.exits_asked_config import CalibratingConfig, check_limits
from shoal.studies.exits_asked_images import Found, find_images, takes
from shoal.studies.exits_asked_lines import END, CalibratedAnswer

_HALVINGS = 30  # of the smallest loss that can be promised; far below what is shown of it


def calibrate_saved(
    folder: Path, data: str, config: CalibratingConfig, progress: Progress | None = None
) -> CalibratedAnswer:
    """Find the boldest policy that keeps a promise, and write it beside the network.

    Args:
        folder: of the network.
        data: a folder of class folders of images, or a data set's name.
        config: what is promised.
        progress: told what is done.

    Raises:
        InputError: if a setting is wrong, the folder holds no network, the data do not fit it or were trained on, or
            there are too few to prove anything.
        ShoalError: if a file is damaged or cannot be written.
    """
    told = progress or Silent()
    check_limits(config)
    check_promise(config.max_accuracy_drop, config.confidence)
    net = load_network(folder).to(choose_device()[0])
    check_folder(folder)
    found = find_images(net, data)
    told.say(f"calibrating on {found.says}")
    _check_size(data, len(found.new), config)
    outputs, left_out = unseen_outputs(net, found)
    policy = calibrate_outputs(
        outputs,
        KINDS[config.policy],
        max_accuracy_drop=config.max_accuracy_drop,
        confidence=config.confidence,
        seed=config.seed,
        network=fingerprint(net),
        left_out=left_out,
    )
    file = save_policy(net, folder, policy)
    return _answer(file, net, found, outputs, policy, config)


def unseen_outputs(net: EarlyExit, found: Found) -> tuple[ExitOutputs, int]:
    """What every exit says of images that it was not trained on, and how many it was; more than a few are refused."""
    new = Unseen(net, found.new.pair)
    outputs = exit_outputs(net, new, prepare=takes(net).normalise)
    return outputs, new.left_out


def whole_macs(net: EarlyExit) -> int:
    """MACs of the network without exits, for an image."""
    device = next(net.parameters()).device
    return count_macs(net.backbone, torch.zeros(1, *takes(net).shape, device=device)).total


def _check_size(data: str, rows: int, config: CalibratingConfig) -> None:
    """Refuse too few images, and say what so many can prove."""
    needed = fewest_rows(config.max_accuracy_drop, config.confidence)
    if rows >= needed:
        return
    low, high = config.max_accuracy_drop, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if fewest_rows(middle, config.confidence) <= rows else (middle, high)
    points = 100 * config.max_accuracy_drop
    promise = f"{points:g} point{'s' * (points != 1)} at {100 * config.confidence:g} %"
    least = f"--max-accuracy-drop {high + 0.0005:.3f}, the least that so many can prove" if high < 0.9 else "less"
    fix = f"give more, or ask for {least}"
    raise wrong(data, expected=f"at least {needed:,} images for {promise}", got=f"{rows:,}", fix=fix)


def _answer(
    file: Path, net: EarlyExit, found: Found, outputs: ExitOutputs, policy: Policy, config: CalibratingConfig
) -> CalibratedAnswer:
    taken, right, macs = outputs.replay(policy)
    leaving = (torch.bincount(taken, minlength=len(net.at) + 1).double() / len(taken)).tolist()
    mean = float(macs.double().mean())
    assert policy.certificate is not None
    thresholds = [None if t == policy.never else t for t in policy.thresholds]
    return CalibratedAnswer(
        file=str(file),
        data=found.says,
        promise=str(policy.certificate),
        certificate=asdict(policy.certificate),
        policy=config.policy,
        images=len(taken),
        mean_macs=mean,
        share=mean / whole_macs(net),
        accuracy=float(right.double().mean()),
        whole_accuracy=float(outputs.right[-1].double().mean()),
        exits=[
            {"exit": name, "threshold": threshold, "temperature": temperature, "leaving": share}
            for name, threshold, temperature, share in zip(
                (*net.at, END), (*thresholds, None), (*policy.temperatures, None), leaving, strict=True
            )
        ],
    )
