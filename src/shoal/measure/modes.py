"""Training and evaluation mode for a while, with every part of a module put back into its own mode."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def in_mode(module: nn.Module, *, training: bool) -> Iterator[None]:
    """Put a module into training or evaluation mode while open.

    `module.train()` afterwards would not do: a part that was in another mode than the whole (a frozen normalisation)
    would lose it.

    Args:
        module: any module.
        training: the mode.
    """
    before = [(part, part.training) for part in module.modules()]
    if all(was == training for _, was in before):  # the usual case of predicting, where microseconds count
        yield
        return
    module.train(training)
    try:
        yield
    finally:
        for part, was in before:
            part.training = was
