"""When the loss is NaN or infinite: say where it came from, and what to try."""

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from shoal.errors import ShoalError


def explain_nonfinite(model: nn.Module, inputs: Tensor, where: str) -> ShoalError:
    """Find the first thing in a forward pass that is not finite.

    Args:
        model: run once more on `inputs`, without gradients.
        inputs: the batch at which the loss was not finite.
        where: the part, step and learning rate, for the message.

    Returns:
        The error to raise.
    """
    return ShoalError(f"the loss is not finite ({where}): {_first_culprit(model, inputs)}")


def _first_culprit(model: nn.Module, inputs: Tensor) -> str:
    if inputs.is_floating_point() and not bool(torch.isfinite(inputs).all()):
        return "the inputs hold NaN or infinity; clean the data"
    for name, parameter in model.named_parameters():
        if not bool(torch.isfinite(parameter).all()):
            return f"the weights {name} are not: training diverged; try a tenth of the learning rate or clip_norm = 1"
    found: list[str] = []
    handles = [module.register_forward_hook(_note(name, found)) for name, module in model.named_modules() if name]
    try:
        with torch.no_grad():
            model(inputs)
    finally:
        _remove(handles)
    if found:
        advice = "try precision fp32, a lower learning rate, or clip_norm = 1"
        return f"layer {found[0]} gives the first value that is not finite; {advice}"
    return "every layer's output is finite; look at the labels and the loss, or try clip_norm = 1"


def _note(name: str, found: list[str]):
    def hook(_module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and output.is_floating_point() and not bool(torch.isfinite(output).all()):
            found.append(name)

    return hook


def _remove(handles: list[RemovableHandle]) -> None:
    for handle in handles:
        handle.remove()
