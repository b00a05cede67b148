"""How many numbers a model has learned."""

from torch import nn


def count_parameters(model: nn.Module, trainable_only: bool = False) -> int:
    """Count a model's parameters; one that is shared between modules counts once, buffers do not count.

    Args:
        model: any module.
        trainable_only: leave out parameters that take no gradient.

    Returns:
        The number of scalars.

    Example:
        >>> count_parameters(nn.Linear(4, 3))
        15
    """
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trainable_only)
