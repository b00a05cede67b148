"""The registry of networks: build one by name, list them, add your own.

    list_models("cifar_*")
    net = create_model("cifar_resnet18", num_classes=6, in_channels=1, width=16, seed=0)
    net.config             # ModelConfig(name="cifar_resnet18", settings={...}); net.config.build() is its twin

A network that is registered can be saved and loaded by `save_model` and `load_model`, and given to every command
by its saved folder.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, TypeVar

import torch
from torch import nn

from shoal.errors import unknown_name, wrong

Build = TypeVar("Build", bound=Callable[..., nn.Module])
_builders: dict[str, Callable[..., nn.Module]] = {}


@dataclass(frozen=True)
class ModelConfig:
    """What is needed to build a network again; its weights are not part of it.

    Attributes:
        name: as registered.
        settings: every setting with its value, defaults included, so that a later change of a default does not
            change what this builds.
    """

    name: str
    settings: dict[str, Any] = field(default_factory=dict)

    def build(self, *, seed: int | None = None) -> nn.Module:
        """Build the network anew; see `create_model`."""
        return create_model(self.name, seed=seed, **self.settings)


def register_model(build: Build, *, name: str | None = None) -> Build:
    """Add a network to the registry; a decorator, or a call that gives the name.

    Args:
        build: a function, class or partial that returns an `nn.Module` and takes its settings by keyword, each
            with a default that JSON can hold. Keywords that a partial has set are no settings any more.
        name: the name to register; that of the function unless given. The same name again replaces it.

    Returns:
        `build`, unchanged.

    Raises:
        InputError: if there is no name, or a setting has no default.

    Example:
        >>> @register_model
        ... def mean_colour(*, num_classes: int = 10, in_channels: int = 3) -> nn.Module:
        ...     return nn.Sequential(nn.AvgPool2d(32), nn.Flatten(), nn.Linear(in_channels, num_classes))
        >>> create_model("mean_colour", num_classes=2).config
        ModelConfig(name='mean_colour', settings={'num_classes': 2, 'in_channels': 3})
        >>> unregister_model("mean_colour")
    """
    name = name or getattr(build, "__name__", None)
    if not name:
        raise wrong("register_model", expected="a name", got=repr(build), fix="pass name=")
    for setting, default in _settings(build).items():
        if default is inspect.Parameter.empty:
            raise wrong(f"network '{name}'", expected="a default for every setting", got=f"none for {setting}")
    _builders[name] = build
    return build


def unregister_model(name: str) -> None:
    """Take a network out of the registry; an unknown name is left alone."""
    _builders.pop(name, None)


def list_models(pattern: str = "*") -> list[str]:
    """Names of registered networks that match a shell-style pattern, sorted; none is an empty list.

    Example:
        >>> list_models("cifar_resnet*")
        ['cifar_resnet18', 'cifar_resnet34', 'cifar_resnet50']
    """
    return sorted(name for name in _builders if fnmatchcase(name, pattern))


def create_model(name: str, *, seed: int | None = None, **settings: Any) -> nn.Module:
    """Build a network by name, with new weights.

    Args:
        name: one of `list_models()`.
        seed: of the initial weights; torch's global random state is then neither used nor changed. None draws
            from that state.
        settings: what the network takes; the ResNets take num_classes=10, in_channels=3, width=64,
            zero_init_residual=False and whitened=False.

    Returns:
        The network, with attributes num_classes and in_channels (where it has such settings) and config.

    Raises:
        InputError: if the name or a setting is unknown, or a setting's value cannot be used.

    Example:
        >>> net = create_model("cifar_resnet18", num_classes=6, width=8, seed=0)
        >>> net.num_classes, net.in_channels, net(torch.zeros(1, 3, 32, 32)).shape
        (6, 3, torch.Size([1, 6]))
    """
    if name not in _builders:
        raise unknown_name("network", name, _builders)
    known = _settings(_builders[name])
    for setting in settings:
        if setting not in known:
            raise unknown_name(f"setting of {name}", setting, known)
    chosen = {**known, **settings}
    with torch.random.fork_rng(devices=[], enabled=seed is not None):
        if seed is not None:
            torch.default_generator.manual_seed(seed)  # the CPU's alone: only that one is put back afterwards
        model = _builders[name](**chosen)
    facts = {key: chosen[key] for key in ("num_classes", "in_channels") if key in chosen}
    vars(model).update(facts, config=ModelConfig(name, chosen))
    return model


def _settings(build: Callable[..., nn.Module]) -> dict[str, Any]:
    """Settings of a builder and their defaults."""
    fixed = getattr(build, "keywords", {})  # of a functools.partial
    kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = inspect.signature(build).parameters.values()
    return {p.name: p.default for p in parameters if p.kind in kinds and p.name not in fixed}
