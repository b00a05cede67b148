"""What can be learned of an unknown network by looking at it: an input that it takes."""

import torch
from torch import Tensor, nn

from shoal.errors import InputError
from shoal.measure.modes import in_mode

_SIDES = (32, 64, 96, 224)


@torch.no_grad()
def guess_example(backbone: nn.Module) -> Tensor:
    """Find a batch of two that the network takes, by its first convolution, linear layer or embedding.

    Args:
        backbone: the network.

    Returns:
        Zeros [2, channels, side, side] for the smallest side of 32, 64, 96 and 224 that works, [2, features], or
        token ids [2, 16].

    Raises:
        InputError: if none works; the caller must then pass an example.
    """
    device = next((p.device for p in backbone.parameters()), torch.device("cpu"))
    tried = ""
    with in_mode(backbone, training=False):
        for example in _candidates(backbone, device):
            try:
                backbone(example)
                return example
            except (RuntimeError, ValueError, IndexError, AssertionError, TypeError) as error:
                tried = f"{list(example.shape)}: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    raise InputError(
        f"example: expected an input that can be guessed, got a network that refuses {tried or 'all'}; "
        "pass one batch as example="
    )


def _candidates(backbone: nn.Module, device: torch.device) -> list[Tensor]:
    for module in backbone.modules():
        if isinstance(module, nn.Conv2d):
            return [torch.randn(2, module.in_channels, side, side, device=device) for side in _SIDES]
        if isinstance(module, nn.Embedding):
            return [torch.zeros(2, 16, dtype=torch.long, device=device)]
        if isinstance(module, nn.Linear):
            return [torch.randn(2, module.in_features, device=device)]
    return []
