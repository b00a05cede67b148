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
    if _all_in(module, training):  # the usual case of predicting
        yield
        return
    before = [(part, part.training) for part in module.modules()]
    module.train(training)
    try:
        yield
    finally:
        for part, was in before:
            part.training = was


def _all_in(module: nn.Module, training: bool) -> bool:
    """Whether every part is in that mode; four times as fast as `modules()`, where one image is predicted."""
    left: list[nn.Module | None] = [module]
    seen: set[nn.Module] = set()  # a part may hold the whole
    while left:
        part = left.pop()
        if part is None or part in seen:
            continue
        if part.training != training:
            return False
        seen.add(part)
        left.extend(part._modules.values())
    return True
