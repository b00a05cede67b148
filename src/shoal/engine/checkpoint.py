"""Checkpoints: one file that holds everything a run needs to go on exactly where it was.

A checkpoint is a safetensors file. Tensors are named by path ("model/conv1.weight",
"optimizer/0/momentum_buffer"); whatever is not a tensor (schedule, counters, history) is JSON in the file's
metadata. One file and one rename: a kill at any moment leaves the previous checkpoint or the new one.
"""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from shoal.errors import ShoalError
from shoal.files import atomic_file

State = dict[str, Any]  # nested dictionaries and lists of tensors and JSON values
_TENSOR = "$tensor"


def save_checkpoint(folder: str | Path, step: int, state: State, *, keep: int = 2) -> Path:
    """Write `state` as the checkpoint of `step` and drop older ones.

    Args:
        folder: where checkpoints lie; made if missing.
        step: number of finished steps.
        state: nested dictionaries and lists of tensors and of values that JSON can hold.
        keep: how many checkpoints stay.

    Returns:
        The file's path.

    Raises:
        ShoalError: if it cannot be written; earlier checkpoints stay untouched.
    """
    tensors: dict[str, Tensor] = {}
    rest = _take_tensors(state, "", tensors)
    path = Path(folder) / f"step-{step:08d}.safetensors"
    with atomic_file(path) as file:
        file.write(to_bytes(tensors, metadata={"state": json.dumps(rest)}))
    for old in _all(folder)[:-keep]:
        old.unlink(missing_ok=True)
    return path


def load_checkpoint(path: str | Path) -> State:
    """Read a checkpoint back, as it was saved, onto the CPU.

    Raises:
        ShoalError: if the file is missing or is no complete checkpoint.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            rest = json.loads((file.metadata() or {})["state"])
        return _put_tensors(rest, tensors)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise ShoalError(
            f"{path}: expected a checkpoint of a Shoal run, got: {error}; delete it to go on from the one before"
        ) from None


def latest_checkpoint(folder: str | Path) -> Path | None:
    """The newest checkpoint of a folder, or None."""
    found = _all(folder)
    return found[-1] if found else None


def _all(folder: str | Path) -> list[Path]:
    return sorted(Path(folder).glob("step-*.safetensors"))


def _take_tensors(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    """Move tensors out of a nested value, leaving their names; keys keep their type where it is str or int."""
    if isinstance(value, Tensor):
        # clone: safetensors refuses tensors that share memory; contiguous: it stores plain rows
        tensors[path] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {_TENSOR: path}
    if isinstance(value, dict):
        return {
            "$dict": [[key, _take_tensors(item, f"{path}/{key}".strip("/"), tensors)] for key, item in value.items()]
        }
    if isinstance(value, list | tuple):
        return [_take_tensors(item, f"{path}/{i}".strip("/"), tensors) for i, item in enumerate(value)]
    return value


def _put_tensors(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, dict):
        if _TENSOR in value:
            return tensors[value[_TENSOR]]
        return {key: _put_tensors(item, tensors) for key, item in value["$dict"]}
    if isinstance(value, list):
        return [_put_tensors(item, tensors) for item in value]
    return value
