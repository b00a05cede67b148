"""A network in a folder: `model.json` (name and settings) beside `model.safetensors` (weights).

    save_model(net, "runs/first/model")
    net = load_model("runs/first/model")

Both files appear only when they are complete. The weights carry a checksum and a copy of the configuration, so
that damage, or a save that was interrupted between the two files, is found when loading. A folder put together
by hand works as well: `model.json` beside, say, torchvision's published weights as `model.safetensors`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from shoal.errors import InputError, ShoalError, wrong
from shoal.files import atomic_file, write_json
from shoal.nets.registry import ModelConfig

CONFIG_FILE = "model.json"
WEIGHTS_FILE = "model.safetensors"


def save_model(model: nn.Module, folder: str | Path) -> Path:
    """Save a network that came from the registry; what the folder held under these names is replaced.

    Args:
        model: from `create_model` or `load_model`, on any device, with any dtype.
        folder: made if missing.

    Returns:
        The folder.

    Raises:
        InputError: if the model does not come from the registry.
        ShoalError: if it cannot be written; a full disk says so, and leaves the files as they were.
    """
    config = getattr(model, "config", None)
    if not isinstance(config, ModelConfig):
        raise wrong(
            "model", expected="a network from create_model", got=type(model).__name__, fix="add it with register_model"
        )
    try:
        written = _canonical(config)
    except TypeError as error:
        raise wrong(f"settings of {config.name}", expected="values that JSON can hold", got=error) from None
    folder = Path(folder)
    # clone: safetensors refuses tensors that share memory; contiguous: it stores plain rows
    tensors = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in model.state_dict().items()
    }
    metadata = {"config": written, "sha256": checksum(tensors)}
    with atomic_file(folder / WEIGHTS_FILE) as file:
        file.write(to_bytes(tensors, metadata=metadata))
    write_json(folder / CONFIG_FILE, asdict(config))
    return folder


def load_folder(folder: str | Path) -> nn.Module:
    """Load what `save_model` wrote: on the CPU, in the dtype it was saved in, in evaluation mode.

    Args:
        folder: holds both files.

    Returns:
        The network, with its config.

    Raises:
        InputError: if the folder holds no saved network.
        ShoalError: if a file is damaged, or weights and configuration do not belong together.
    """
    folder = Path(folder)
    config = _read_config(folder / CONFIG_FILE)
    tensors, metadata = read_weights(folder / WEIGHTS_FILE)
    if metadata.get("config", _canonical(config)) != _canonical(config):
        raise ShoalError(
            f"{folder}: expected {CONFIG_FILE} and {WEIGHTS_FILE} of the same network, got two that differ (a save "
            "that was interrupted, or an edited file); save the model again"
        )
    try:
        model = config.build(seed=0)  # a seed leaves torch's global random state alone
    except (InputError, TypeError, ValueError) as error:
        raise InputError(f"{folder / CONFIG_FILE}: {error}") from None
    _fill(model, tensors, folder / WEIGHTS_FILE)
    return model.eval()


def _read_config(path: Path) -> ModelConfig:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return ModelConfig(str(found["name"]), dict(found["settings"]))
    except FileNotFoundError:
        raise wrong(
            str(path.parent), expected="a folder of a saved network", got=f"no {path.name}", fix="check the path"
        ) from None
    except OSError as error:
        raise ShoalError(f"cannot read {path}: {error.strerror or error}") from None
    except (ValueError, TypeError, KeyError) as error:
        raise ShoalError(
            f"{path}: expected JSON with name and settings, got a damaged file ({error!r}); save the model again"
        ) from None


def read_weights(path: Path) -> tuple[dict[str, Tensor], Mapping[str, str]]:
    """Tensors and metadata of a safetensors file.

    Raises:
        InputError: if there is no such file.
        ShoalError: if it is damaged.
    """
    if not path.is_file():
        raise wrong(
            str(path.parent), expected="a folder of a saved network", got=f"no {path.name}", fix="check the path"
        )
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            metadata = file.metadata() or {}
    except (OSError, SafetensorError, ValueError) as error:
        raise ShoalError(
            f"{path}: expected complete weights, got a truncated or damaged file ({error}); save the model again or "
            "copy the file again"
        ) from None
    if "sha256" in metadata and metadata["sha256"] != checksum(tensors):
        raise ShoalError(
            f"{path}: expected weights as they were saved, got a wrong checksum; copy the file again or save the "
            "model again"
        )
    return tensors, metadata


def _fill(model: nn.Module, tensors: dict[str, Tensor], path: Path) -> None:
    """Put weights into a network, or say in what names or shapes they differ."""
    both = {name: wanted for name, wanted in model.state_dict(keep_vars=True).items() if name in tensors}
    faults = [
        f"{name} of {list(tensors[name].shape)} for {list(wanted.shape)}"
        for name, wanted in both.items()
        if tensors[name].shape != wanted.shape
    ]
    if not faults:
        for name, wanted in both.items():
            wanted.data = wanted.data.to(tensors[name].dtype)  # bf16 weights come back as bf16
        # not strict, for our own message; torch itself forgives old files that lack num_batches_tracked
        names = model.load_state_dict(tensors, strict=False)
        faults = [f"no {name}" for name in names.missing_keys]
        faults += [f"{name}, which the network lacks" for name in names.unexpected_keys]
    if faults:
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise ShoalError(
            f"{path}: expected the weights of {type(model).__name__} as {CONFIG_FILE} describes it, "
            f"got {'; '.join(faults[:3])}{more}; use the folder that they were saved in"
        )


def _canonical(config: ModelConfig) -> str:
    return json.dumps(asdict(config), sort_keys=True)


def checksum(tensors: dict[str, Tensor]) -> str:
    """SHA-256 of names, dtypes, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(_bytes_of(tensor))
    return digest.hexdigest()


def _bytes_of(tensor: Tensor) -> Any:
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy()  # uint8: numpy has no bfloat16
