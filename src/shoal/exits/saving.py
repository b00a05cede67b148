"""A network with exits in a folder: `exits.json` (what it is), `exits.safetensors` (weights), `policy.json`.

    save_exits(net, "runs/photos", policy=policy)
    net, policy = load_exits("runs/photos")

Files appear only when they are complete. The weights carry a checksum and a copy of `exits.json`, so that damage, or a
save that was interrupted between two files, is found when loading. With the weights go the digests of the examples
that the network was trained on, so that nothing is calibrated on them later; with a policy goes its certificate, which
is tested again, and the fingerprint of the network that it is for.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from shoal.data import Normalise
from shoal.errors import InputError, ShoalError, wrong
from shoal.exits.network import EarlyExit
from shoal.exits.policies import Policy
from shoal.exits.policy_json import canonical, policy_from_json, policy_to_json
from shoal.files import atomic_file, explain_os_error, write_json
from shoal.nets import ModelConfig, load_model
from shoal.nets.saving import checksum, read_weights

ABOUT_FILE = "exits.json"
WEIGHTS_FILE = "exits.safetensors"
POLICY_FILE = "policy.json"
_HEADER = "shoal.exits"
_TRAINED_ON = "trained_on"  # beside the weights, whose names begin with "backbone." or "heads."
_MAKE_ONE = "make one with `shoal exits fit`"


@dataclass(frozen=True, kw_only=True)
class ImageInputs:
    """The images that a network takes, and what its answers mean.

    Attributes:
        shape: (channels, height, width).
        classes: their names, in the order of the logits.
        mean, std: per channel, of images scaled to [0, 1], see `shoal.data.Normalise`.
    """

    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def normalise(self) -> Normalise:
        """From uint8 images to what the network takes."""
        return Normalise(self.mean, self.std)


@dataclass(frozen=True, kw_only=True)
class _Origin:
    """What a network cannot tell of itself; it is kept with it from a load to the next save."""

    made_by: str = ""
    inputs: ImageInputs | None = None


def save_exits(
    net: EarlyExit,
    folder: str | Path,
    *,
    policy: Policy | None = None,
    inputs: ImageInputs | None = None,
    made_by: str = "",
) -> Path:
    """Save a network with exits; what the folder held under these names is replaced.

    Args:
        net: on any device, with any dtype.
        folder: made if missing.
        policy: to be saved with it; without one, a policy of an earlier save is removed.
        inputs: the images that it takes; of a network that was loaded, what was saved with it.
        made_by: "package.module:function" that makes the backbone; of a network that was loaded, what was saved with
            it. Not needed for a backbone from `shoal.nets.create_model`. Where there is neither, `load_exits` must be
            given the backbone.

    Returns:
        The folder.

    Raises:
        InputError: if the policy is for another number of exits or for another network.
        ShoalError: if it cannot be written; a full disk says so, and leaves a file as it was.
    """
    folder, origin = Path(folder), _origin_of(net)
    written = None if policy is None else policy_to_json(policy, net)
    about = _describe(net, made_by or origin.made_by, inputs or origin.inputs)
    # clone: safetensors refuses tensors that share memory; contiguous: it stores plain rows
    tensors = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in {**net.state_dict(), _TRAINED_ON: net.trained_on}.items()
    }
    with atomic_file(folder / WEIGHTS_FILE) as file:
        header = canonical({"about": about, "sha256": checksum(tensors)})  # one key: the order of several would vary
        file.write(to_bytes(tensors, metadata={_HEADER: header}))
    write_json(folder / ABOUT_FILE, about)
    if written is None:
        _remove(folder / POLICY_FILE)  # of an earlier network
    else:
        write_json(folder / POLICY_FILE, written)
    return folder


def save_policy(net: EarlyExit, folder: str | Path, policy: Policy) -> Path:
    """Save a policy beside a network that is saved there already.

    Args:
        net: the network.
        folder: of the network.
        policy: for it.

    Returns:
        The policy's file.

    Raises:
        InputError: if the policy is for another number of exits or for another network.
        ShoalError: if it cannot be written.
    """
    path = Path(folder) / POLICY_FILE
    write_json(path, policy_to_json(policy, net))
    return path


def load_exits(folder: str | Path, *, backbone: nn.Module | None = None) -> tuple[EarlyExit, Policy | None]:
    """Load what `save_exits` wrote: on the CPU, in the dtype it was saved in, in evaluation mode.

    A backbone that is saved as "package.module:function" is made by importing and calling that: load only what you
    trust.

    Args:
        folder: holds the files.
        backbone: takes the place of the one that would be built; its weights are replaced.

    Returns:
        The network, whose answers are those of the saved one to the bit, and the policy; None where there is none.

    Raises:
        InputError: if the folder holds no network with exits, its backbone cannot be made, or the policy is for another
            network or its certificate does not hold.
        ShoalError: if a file is damaged, or files do not belong together.
    """
    net = load_network(folder, backbone=backbone)
    return net, load_policy(net, folder)


def load_network(folder: str | Path, *, backbone: nn.Module | None = None) -> EarlyExit:
    """`load_exits` without the policy, whatever that is worth.

    Args:
        folder: see there.
        backbone: see there.
    """
    folder = Path(folder)
    about = _read_about(folder)
    tensors, metadata = read_weights(folder / WEIGHTS_FILE)
    header = metadata.get(_HEADER, "")
    if header != canonical({"about": about.plain, "sha256": checksum(tensors)}):
        if canonical(about.plain) in header:
            raise ShoalError(
                f"{folder / WEIGHTS_FILE}: expected weights as they were saved, got a wrong checksum; copy the file "
                "again or save the network again"
            )
        raise ShoalError(
            f"{folder}: expected {ABOUT_FILE} and {WEIGHTS_FILE} of the same network, got two that differ (a save that "
            "was interrupted, or an edited file); save the network again"
        )
    trained_on = tensors.pop(_TRAINED_ON, torch.empty(0, dtype=torch.long))
    with torch.random.fork_rng(devices=[]):  # initial weights, which are replaced, leave torch's random state alone
        net = _build(folder / ABOUT_FILE, about, backbone)
    _fill(net, tensors, folder / WEIGHTS_FILE)
    if about.channels_last:  # kernels, and with them the last bits, differ by format
        net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - torch's stub lacks this overload
    net.trained_on = trained_on
    vars(net)["origin"] = about.origin
    return net.eval()


def load_policy(net: EarlyExit, folder: str | Path) -> Policy | None:
    """The policy that is saved beside a network, or None.

    Args:
        net: the network.
        folder: of the network.

    Raises:
        InputError: if it is for another network or its certificate does not hold.
        ShoalError: if the file is damaged.
    """
    path = Path(folder) / POLICY_FILE
    if not path.exists():
        return None
    value = _read_json(path)
    try:
        return policy_from_json(value, net)
    except ShoalError as error:
        raise type(error)(f"{path}: {error}") from None


def inputs_of(net: EarlyExit) -> ImageInputs | None:
    """The images that a loaded network takes; None where that was not saved."""
    return _origin_of(net).inputs


def _origin_of(net: EarlyExit) -> _Origin:
    """What was saved with a loaded network; nothing of another."""
    return vars(net).get("origin", _Origin())


@dataclass(frozen=True, kw_only=True)
class _About:
    """`exits.json`, read."""

    plain: dict[str, Any]
    backbone: ModelConfig | None
    at: tuple[str, ...]
    num_classes: int
    channels_last: bool
    origin: _Origin


def _describe(net: EarlyExit, made_by: str, inputs: ImageInputs | None) -> dict[str, Any]:
    config = getattr(net.backbone, "config", None)
    backbone = made_by or (asdict(config) if isinstance(config, ModelConfig) else None)
    last = torch.channels_last
    about = {
        "backbone": backbone,
        "at": list(net.at),
        "num_classes": net.num_classes,
        "channels_last": any(
            p.ndim == 4 and not p.is_contiguous() and p.is_contiguous(memory_format=last) for p in net.parameters()
        ),
        "inputs": None if inputs is None else {key: list(value) for key, value in asdict(inputs).items()},
    }
    try:
        canonical(about)
    except TypeError as error:
        raise wrong("settings of the backbone", expected="values that JSON can hold", got=error) from None
    return about


def _read_about(folder: Path) -> _About:
    path = folder / ABOUT_FILE
    if not path.is_file():
        got = f"no {ABOUT_FILE}" if folder.is_dir() else "no such folder" if not folder.exists() else "a file"
        raise wrong(str(folder), expected="a folder of a network with exits", got=got, fix=_MAKE_ONE)
    value = _read_json(path)
    try:
        config = value["backbone"]
        inputs = value["inputs"]
        return _About(
            plain=value,
            backbone=ModelConfig(str(config["name"]), dict(config["settings"])) if isinstance(config, dict) else None,
            at=tuple(map(str, value["at"])),
            num_classes=int(value["num_classes"]),
            channels_last=bool(value["channels_last"]),
            origin=_Origin(
                made_by=config if isinstance(config, str) else "",
                inputs=None if inputs is None else _inputs(inputs),
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ShoalError(
            f"{path}: expected what `shoal exits fit` writes, got another or a damaged file ({error!r}); save the "
            "network again"
        ) from None


def _inputs(value: Mapping[str, Any]) -> ImageInputs:
    found = {field.name: tuple(value[field.name]) for field in fields(ImageInputs)}
    channels, height, width = map(int, found["shape"])
    if not len(found["mean"]) == len(found["std"]) == channels:
        raise ValueError("mean and std are not one a channel")
    return ImageInputs(**{**found, "shape": (channels, height, width)})


def _build(path: Path, about: _About, backbone: nn.Module | None) -> EarlyExit:
    """The network with fresh weights."""
    try:
        if backbone is None and about.backbone is not None:
            backbone = about.backbone.build()
        elif backbone is None and about.origin.made_by:
            backbone = load_model(about.origin.made_by)
        elif backbone is None:
            raise InputError("expected a backbone that can be built, got one without a name; pass backbone=")
        dtype = next((p.dtype for p in backbone.parameters()), None)
        inputs = about.origin.inputs
        example = None if inputs is None else torch.zeros(2, *inputs.shape, dtype=dtype)
        return EarlyExit(backbone, about.at, about.num_classes, example=example)
    except (InputError, TypeError) as error:
        raise InputError(f"{path}: {error}") from None


def _fill(net: EarlyExit, tensors: dict[str, Tensor], path: Path) -> None:
    """Put weights into a network, or say in what names or shapes they differ."""
    own = net.state_dict(keep_vars=True)
    faults = [f"no {name}" for name in own if name not in tensors]
    faults += [f"{name}, which the network lacks" for name in tensors if name not in own]
    faults += [
        f"{name} of {list(tensors[name].shape)} for {list(wanted.shape)}"
        for name, wanted in own.items()
        if name in tensors and tensors[name].shape != wanted.shape
    ]
    if faults:
        more = f" and {len(faults) - 3} more" if len(faults) > 3 else ""
        raise ShoalError(
            f"{path}: expected the weights of the network that {ABOUT_FILE} describes, got "
            f"{'; '.join(faults[:3])}{more}; use the code that it was saved with"
        )
    for name, wanted in own.items():
        wanted.data = wanted.data.to(tensors[name].dtype)  # bf16 weights come back as bf16
    net.load_state_dict(tensors)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ShoalError(f"cannot read {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise ShoalError(f"{path}: expected JSON, got a damaged file ({error}); save it again") from None


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise explain_os_error(error, path) from error
