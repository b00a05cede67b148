"""Optimizers as the house uses them, and the running average of weights.

Weight decay goes to matrices and convolutions only: biases and normalisation scales are left out, as in every
recipe since He et al. 2019, "Bag of tricks" (arXiv 1812.01187), section 3.1.
"""

import copy
from typing import Any

import torch
from torch import nn

from shoal.engine.muon import Muon, MuonAdamW
from shoal.errors import unknown_name

OPTIMIZERS = ("sgd", "adamw", "muon", "muon-adamw")


def create_optimizer(
    model: nn.Module, name: str, *, learning_rate: float, momentum: float = 0.9, weight_decay: float = 0.0
) -> torch.optim.Optimizer:
    """Make an optimizer over the parameters that require a gradient.

    Args:
        model: whose parameters.
        name: "sgd" (with Nesterov momentum), "adamw" or "muon" (see `shoal.engine.muon`: for convolutions with at
            least 8 input channels per filter; SGD for the rest), or "muon-adamw" (Muon for hidden matrices, AdamW for
            the rest: for transformers).
        learning_rate: the peak rate; the fit loop scales it by its schedule.
        momentum: of SGD, in [0, 1).
        weight_decay: of parameters with two or more dimensions.

    Raises:
        InputError: if there is no such optimizer.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if name == "sgd":
        return torch.optim.SGD(groups, lr=learning_rate, momentum=momentum, nesterov=momentum > 0)
    if name == "adamw":
        return torch.optim.AdamW(groups, lr=learning_rate)
    if name == "muon":
        return Muon(_muon_groups(groups), lr=learning_rate, momentum=momentum)
    if name == "muon-adamw":
        return MuonAdamW(_transformer_groups(model, groups, weight_decay), lr=learning_rate)
    raise unknown_name("optimizer", name, OPTIMIZERS)


def _muon_groups(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Take the convolutions out that are worth orthogonalising: not the stem, not depthwise ones."""
    inner = [p for p in groups[0]["params"] if p.ndim == 4 and p.shape[1] >= 8]
    chosen = set(map(id, inner))
    rest = [{**group, "params": [p for p in group["params"] if id(p) not in chosen]} for group in groups]
    return [{"params": inner, "orthogonal": True, "momentum": 0.6}, *rest]


def _transformer_groups(model: nn.Module, groups: list[dict[str, Any]], weight_decay: float) -> list[dict[str, Any]]:
    """Take the hidden matrices out: not embeddings, and nothing with fewer than 8 rows or columns."""
    embeddings = {id(m.weight) for m in model.modules() if isinstance(m, nn.Embedding)}
    inner = {
        id(p): 3 if name.endswith("in_proj_weight") else 1  # queries, keys and values are three matrices
        for name, p in model.named_parameters()
        if p.requires_grad and p.ndim == 2 and min(p.shape) >= 8 and id(p) not in embeddings
    }
    chosen = [
        {
            "params": [p for p in groups[0]["params"] if inner.get(id(p)) == parts],
            "weight_decay": weight_decay,
            "orthogonal": True,
            "parts": parts,
        }
        for parts in (1, 3)
    ]
    rest = [{**group, "params": [p for p in group["params"] if id(p) not in inner]} for group in groups]
    return [*chosen, *rest]


class WeightAverage:
    """An exponential average of a model's weights and buffers, slow to forget only near the end.

    The decay grows with progress as `decay * min(1, 1.2 * progress)²`: early weights, which are far from the end,
    drop out. Averaging lets training use rates at which the last weights alone would be noisy.

    Args:
        model: the model to follow; the average starts as its copy.
        decay: share of the old average that stays at an update near the end of the run, in [0, 1).
        every: steps between updates.

    Source: Izmailov et al. 2018 (arXiv 1803.05407) for averaging; Jordan 2024 (arXiv 2404.00498) for growing decay.
    """

    def __init__(self, model: nn.Module, *, decay: float, every: int = 5):
        self.model = copy.deepcopy(model).requires_grad_(False)
        self.decay, self.every = decay, every

    @torch.no_grad()
    def update(self, model: nn.Module, step: int, progress: float) -> None:
        """Follow the model after this step; integer buffers are copied. The first update forgets the start."""
        if step % self.every and progress < 1:
            return
        keep = self.decay * min(1.0, 1.2 * progress) ** 2 if step > self.every else 0.0
        for average, value in zip(self.model.state_dict().values(), model.state_dict().values(), strict=True):
            if average.is_floating_point():
                average.lerp_(value, 1 - keep)
            else:
                average.copy_(value)
