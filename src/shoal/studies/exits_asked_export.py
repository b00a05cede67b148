"""What `shoal exits export` does: a saved network and a policy as one file that runs without Shoal.

export_saved(Path("runs/exits-photos"), Path("photos.onnx"), thresholds="0.9,0.8,never")
"""

import math
import os
from pathlib import Path

import torch

from shoal.errors import ShoalError, unknown_name, wrong
from shoal.exits import EarlyExit, Policy
from shoal.exits.policy_json import KINDS, policy_to_json
from shoal.exits.saving import load_exits, load_network
from shoal.studies.exits_asked_images import takes
from shoal.studies.exits_asked_lines import ExportedAnswer

SUFFIXES = (".pt2", ".onnx")


def export_saved(folder: Path, file: Path, *, thresholds: str = "", policy: str = "") -> ExportedAnswer:
    """Write a file that answers batches of any size, and skips what the policy says.

    Args:
        folder: of the network.
        file: ends in .pt2 or .onnx.
        thresholds: one number per exit, joined by commas, and "never" where no row leaves; the folder's policy unless
            given.
        policy: kind of these thresholds; confidence unless given.

    Raises:
        InputError: if the file's ending is another, the folder holds no network or no policy, or thresholds are of
            another number or out of range.
        ShoalError: if a file is damaged or cannot be written.
    """
    from shoal.exits.export_file import export

    _check_file(file)
    if policy and not thresholds:
        fix = "shoal exits calibrate chooses those of the folder"
        raise wrong("--policy", expected="--thresholds beside it", got="none", fix=fix)
    net, chosen = (load_network(folder), None) if thresholds else load_exits(folder)
    if thresholds:
        chosen = parse_policy(net, thresholds, policy or "confidence")
    if chosen is None:
        fix = "run shoal exits calibrate first, or give --thresholds"
        raise wrong(str(folder), expected="a policy", got="none", fix=fix)
    inputs = takes(net)
    file.parent.mkdir(parents=True, exist_ok=True)
    export(net, chosen, file, torch.zeros(2, *inputs.shape))
    plain = policy_to_json(chosen)
    return ExportedAnswer(
        file=str(file),
        policy=plain["kind"],
        thresholds=plain["thresholds"],
        promise="" if chosen.certificate is None else str(chosen.certificate),
        shape=list(inputs.shape),
        mean=list(inputs.mean),
        std=list(inputs.std),
        classes=list(inputs.classes),
    )


def parse_policy(net: EarlyExit, thresholds: str, kind: str) -> Policy:
    """A policy from what was typed.

    Raises:
        InputError: if that is no numbers, or numbers out of range or too many or few.
    """
    if kind not in KINDS:
        raise unknown_name("policy", kind, KINDS)
    never = KINDS[kind].never
    words = [word.strip() for word in thresholds.split(",")]
    try:
        values = [never if word == "never" else float(word) for word in words]
    except ValueError:
        values = [math.nan]
    if any(map(math.isnan, values)):
        raise wrong("--thresholds", expected='numbers or "never", joined by commas', got=repr(thresholds))
    if len(values) != len(net.at) and not (kind == "patience" and len(values) == 1):
        expected = f"{len(net.at)}, one per exit ({', '.join(net.at)})"
        raise wrong("--thresholds", expected=expected, got=len(values))
    return KINDS[kind](values)


def _check_file(file: Path) -> None:
    """Refuse, before anything is computed, a file that could not be written."""
    if file.suffix not in SUFFIXES:
        raise wrong("file", expected=f"a name that ends in {' or '.join(SUFFIXES)}", got=str(file))
    nearest = next(path for path in file.absolute().parents if path.exists())
    if file.is_dir() or not nearest.is_dir():
        raise wrong("file", expected="a file, or a new name", got=f"{file if file.is_dir() else nearest}")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ShoalError(f"cannot write {file}: permission denied; choose a folder that you can write to")
