"""A face network in one file: `name.safetensors`, with what is needed to build it again in its metadata.

    save_network(network, "faces.safetensors", {"data": "my photos", "accuracy": 0.87})
    network, about = load_network("faces.safetensors")

The file appears only when it is complete. A checksum in it finds damage to the weights when they are loaded.
Nothing in it is code: loading a file of a stranger runs none.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from shoal.errors import InputError, ShoalError, unknown_name, wrong
from shoal.faces.network import FaceNetwork
from shoal.faces.networks import create_network, list_networks
from shoal.files import atomic_file
from shoal.nets.saving import checksum

_HEADER = "shoal.faces"  # of the metadata; its value is JSON
_AGAIN = "copy the file again or save the network again"


def save_network(network: nn.Module, path: str | Path, about: Mapping[str, Any] | None = None) -> Path:
    """Save a face network; a file that was there under this name is replaced.

    Args:
        network: from `create_network` or `load_network`, on any device, with any float dtype.
        path: of the file, usually `….safetensors`; folders above it are made.
        about: what else is to be kept with it: anything that JSON can hold.

    Returns:
        The path.

    Raises:
        InputError: if it is no such network, or about holds what JSON cannot.
        ShoalError: if it cannot be written; a full disk says so, and leaves the file as it was.
    """
    network = getattr(network, "_orig_mod", network)  # what torch.compile wraps
    if not isinstance(network, FaceNetwork):
        raise wrong("network", expected="a face network from create_network", got=type(network).__name__)
    if network.name not in list_networks():
        raise unknown_name("face network", network.name, list_networks())
    state = network.state_dict()
    if faults := _faults(state, _build_on_meta(_describe(network))):
        expected = f"the layers of {network.name} as create_network makes them"
        raise wrong("network", expected=expected, got=faults)
    tensors = {name: _plain(tensor) for name, tensor in state.items()}
    # One key: the order of several would vary from save to save.
    header = _canonical({**_describe(network), "about": about or {}, "sha256": checksum(tensors)})
    path = Path(path)
    with atomic_file(path) as file:
        file.write(to_bytes(tensors, metadata={_HEADER: header}))
    return path


def load_network(path: str | Path) -> tuple[FaceNetwork, dict[str, Any]]:
    """Load what `save_network` wrote: on the CPU, in the dtype it was saved in, in evaluation mode.

    Args:
        path: of the file.

    Returns:
        The network, whose embeddings are those of the saved one, and what was saved about it. (In another
        memory format than before, `channels_last` say, the last bits of embeddings may differ.)

    Raises:
        InputError: if there is no such file, or it holds no face network or an unknown one.
        ShoalError: if the file is damaged.
    """
    path = Path(path)
    if not path.is_file():
        got = "a folder" if path.is_dir() else "no such file"
        raise wrong(str(path), expected="the file of a saved face network", got=got, fix="check the path")
    header, tensors = _read(path)
    try:
        network = _build_on_meta(header)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if header.get("sha256") != checksum(tensors):
        raise ShoalError(f"{path}: expected weights as they were saved, got a wrong checksum; {_AGAIN}")
    if faults := _faults(tensors, network):
        raise ShoalError(f"{path}: expected the weights of {network.name}, got {faults}; {_AGAIN}")
    network.load_state_dict(tensors, assign=True)  # takes their dtype too
    return network.eval(), header["about"]


def _describe(network: FaceNetwork) -> dict[str, Any]:
    """What `create_network` needs to build it."""
    return {
        "name": network.name,
        "embedding_dim": network.embedding_dim,
        "batch_norm": network.batch_norm,
        "image_size": [int(side) for side in network.image_size],
    }


def _build_on_meta(description: Mapping[str, Any]) -> FaceNetwork:
    """The network without memory for its weights; nothing random is drawn."""
    name, dim, batch_norm = (description[key] for key in ("name", "embedding_dim", "batch_norm"))
    height, width = description["image_size"]
    with torch.device("meta"):
        return create_network(name, dim, batch_norm, image_size=(height, width))


def _faults(tensors: Mapping[str, Tensor], network: nn.Module) -> str:
    """In what names, shapes or kinds of numbers weights differ from a network's; nothing if they fit."""
    wanted = network.state_dict()
    faults = [f"no {name}" for name in wanted if name not in tensors]
    faults += [f"{name}, which it lacks" for name in tensors if name not in wanted]
    for name in wanted.keys() & tensors.keys():
        found, own = tensors[name], wanted[name]
        if found.shape != own.shape:
            faults.append(f"{name} of {list(found.shape)} for {list(own.shape)}")
        elif found.is_floating_point() != own.is_floating_point() or found.is_meta:
            faults.append(f"{name} of {'meta device' if found.is_meta else found.dtype}")
    more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
    return "; ".join(sorted(faults)[:3]) + more


def _plain(tensor: Tensor) -> Tensor:
    """A copy as safetensors wants it: on the CPU, row by row, sharing memory with no other."""
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def _canonical(header: Mapping[str, Any]) -> str:
    try:
        return json.dumps({**header, "about": dict(header["about"])}, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise wrong("about", expected="a dict of what JSON can hold", got=error) from None


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The header and the weights of a file."""
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(_HEADER)
            names = list(file.keys()) if text is not None else []
            tensors = {name: file.get_tensor(name).clone() for name in names}  # clone: they lie in the file
    except PermissionError as error:
        raise ShoalError(f"cannot read {path}: {error.strerror or error}") from None
    except (OSError, SafetensorError, ValueError) as error:
        got = f"one that is truncated, damaged or of another kind ({' '.join(str(error).split())[:200]})"
        raise ShoalError(f"{path}: expected a complete file, got {got}; {_AGAIN}") from None
    if text is None:
        fix = "networks of other programs cannot be loaded"
        raise wrong(str(path), expected="a saved face network", got="weights of something else", fix=fix)
    return _check_header(path, text), tensors


def _check_header(path: Path, text: str) -> dict[str, Any]:
    """The header, if every part of it is of the right kind."""
    kinds = {"name": str, "embedding_dim": int, "batch_norm": bool, "about": dict, "sha256": str}
    try:
        header = json.loads(text)
        sides = header["image_size"]
        sound = all(type(header[key]) is kind for key, kind in kinds.items())
        if sound and len(sides) == 2 and all(type(side) is int and side > 0 for side in sides):
            return header
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    raise ShoalError(f"{path}: expected the description of a face network, got a damaged one; {_AGAIN}")
