"""Muon: momentum whose steps are orthogonalised, for convolutions and hidden matrices; SGD for everything else.

A gradient matrix is usually dominated by a few directions. Muon replaces the momentum's matrix U S Vᵀ by U Vᵀ, so
that all directions move alike, and keeps the weights themselves at a fixed norm. Short trainings get further with it.

Source: Jordan 2024, "Muon: an optimizer for hidden layers in neural networks", and its use on CIFAR-10 with filters
as rows of a matrix and weights at norm √filters (the airbench repository's Muon recipe).
"""

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from jaxtyping import Float
from torch import Tensor

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic iteration: steep at zero, near 1 for values of 0.1 to 1


class Muon(torch.optim.Optimizer):
    """Muon for the parameters of groups with `orthogonal=True`, Nesterov SGD for the others.

    Args:
        groups: parameter groups; each may set lr, momentum, weight_decay (SGD's groups only) and orthogonal.
        lr: learning rate. Of an orthogonal group: the spectral norm of a step, where weights have a norm of
            √rows; 0.1 to 0.3 at the peak of a schedule.
        momentum: in [0, 1).
        weight_decay: of SGD's groups.
    """

    def __init__(
        self, groups: Iterable[dict[str, Any]], *, lr: float, momentum: float = 0.9, weight_decay: float = 0.0
    ):
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "orthogonal": False}
        super().__init__(groups, defaults)

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Change the parameters by one step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            change = _orthogonal_step if group["orthogonal"] else _sgd_step
            for parameter in group["params"]:
                if parameter.grad is not None:
                    change(parameter, self.state[parameter], group)
        return loss


class MuonAdamW(torch.optim.AdamW):
    """Muon for the hidden matrices of a transformer, AdamW for the others: embeddings, biases, scales.

    A step of Muon has the size that AdamW's steps have, so that both share a learning rate and weight decay.

    Args:
        groups: parameter groups; each may set lr, weight_decay, `orthogonal`, and `parts`: of how many matrices above
            each other its parameters are made, as those of queries, keys and values are.
        lr: learning rate.
        momentum: of Muon, in [0, 1).

    Source: Jordan 2024 (above); Liu et al. 2025, "Muon is scalable for LLM training", section 2.2 (arXiv 2502.16982).
    """

    def __init__(self, groups: Iterable[dict[str, Any]], *, lr: float, momentum: float = 0.95):
        usual = {"orthogonal": False, "parts": 1, "momentum": momentum}
        super().__init__([usual | group for group in groups], lr=lr)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Change the parameters by one step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        turned = [
            (parameter, group)
            for group in self.param_groups
            if group["orthogonal"]
            for parameter in group["params"]
            if parameter.grad is not None
        ]
        gradients = [parameter.grad for parameter, _ in turned]
        for parameter, group in turned:
            _turned_step(parameter, self.state[parameter], group)
            parameter.grad = None  # AdamW passes over it
        super().step()
        for (parameter, _), gradient in zip(turned, gradients, strict=True):
            parameter.grad = gradient
        return loss


def orthogonalise(matrix: Float[Tensor, "rows columns"], *, steps: int = 3) -> Float[Tensor, "rows columns"]:
    """Bring all singular values near 1, keeping the singular vectors.

    A quintic Newton–Schulz iteration in bfloat16. Values between a tenth of the norm and the norm end between 0.7 and
    1.2 after five steps; three are enough for training.

    Args:
        matrix: any float dtype.
        steps: of the iteration.

    Returns:
        The result, in float32.

    Example:
        >>> turned = orthogonalise(torch.diag(torch.tensor([1.0, 0.5])), steps=5)
        >>> bool(((torch.linalg.svdvals(turned) > 0.6) & (torch.linalg.svdvals(turned) < 1.3)).all())
        True
    """
    a, b, c = _COEFFICIENTS
    x = matrix.bfloat16()
    x = x / (x.norm() + 1e-7)
    tall = x.shape[0] > x.shape[1]
    if tall:  # the Gram matrix below is the smaller one
        x = x.T
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.T if tall else x).float()


def _orthogonal_step(parameter: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    direction = _nesterov(parameter.grad, state, group["momentum"])  # pyright: ignore[reportArgumentType]
    parameter.mul_(len(parameter) ** 0.5 / parameter.norm().clamp_min(1e-7))
    turned = orthogonalise(direction.reshape(len(direction), -1)).view(direction.shape)
    parameter.add_(turned, alpha=-group["lr"])


def _turned_step(parameter: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    direction = _nesterov(parameter.grad, state, group["momentum"])  # pyright: ignore[reportArgumentType]
    parts = [orthogonalise(part, steps=5) for part in direction.chunk(group["parts"])]
    size = 0.2 * max(parts[0].shape) ** 0.5  # the root mean square of AdamW's steps is about 0.2
    parameter.mul_(1 - group["lr"] * group["weight_decay"])
    parameter.add_(torch.cat(parts), alpha=-group["lr"] * size)
    state["step"] = state.get("step", torch.zeros(())) + 1  # AdamW asks for it where a state is loaded


def _sgd_step(parameter: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
    gradient = parameter.grad.add(parameter, alpha=group["weight_decay"])  # pyright: ignore[reportOptionalMemberAccess]
    parameter.add_(_nesterov(gradient, state, group["momentum"]), alpha=-group["lr"])


def _nesterov(gradient: Tensor, state: dict[str, Any], momentum: float) -> Tensor:
    """Update the momentum and look ahead by one step, as torch's SGD does."""
    if "momentum_buffer" not in state:
        state["momentum_buffer"] = gradient.clone()
    else:
        state["momentum_buffer"].mul_(momentum).add_(gradient)
    return gradient.add(state["momentum_buffer"], alpha=momentum)
