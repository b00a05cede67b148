"""Can this layer hold an exit? It must exist, run once, and be all that later layers depend on."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from shoal.errors import InputError, unknown_name, wrong
from shoal.exits.taps import tapped
from shoal.measure.logits import logits_of
from shoal.measure.modes import in_mode


def check_names(backbone: nn.Module, at: Sequence[str]) -> None:
    """Refuse names that are no layers, and none at all.

    Raises:
        InputError: with the nearest name.
    """
    names = [name for name, _ in backbone.named_modules() if name]
    if isinstance(at, str) or not at or not all(isinstance(name, str) for name in at):
        raise wrong("at", expected="a list of at least one layer name", got=repr(at))
    for name in at:
        if name not in names:
            raise unknown_name("layer", name, names)
    if len(set(at)) != len(at):
        raise wrong("at", expected="each layer once", got=list(at))


@torch.no_grad()
def try_layers(backbone: nn.Module, at: Sequence[str], num_classes: int, example: Tensor) -> dict[str, Tensor]:
    """Run the backbone once.

    Args:
        backbone: the network; its modes are put back.
        at: names of layers.
        num_classes: what its logits must have.
        example: a batch.

    Returns:
        The layers' outputs, in the order in which they ran.

    Raises:
        InputError: if a layer does not run exactly once or returns no tensor, or the logits have another form.
    """
    outputs: dict[str, Tensor] = {}

    def note(index: int, output: Tensor) -> None:
        name = at[index]
        if name in outputs:
            raise wrong(f"exit at {name}", expected="a layer that runs once", got="it runs more than once")
        if not isinstance(output, Tensor):
            raise wrong(f"exit at {name}", expected="a layer that returns a tensor", got=type(output).__name__)
        outputs[name] = output

    with in_mode(backbone, training=False), tapped(backbone, at, note):
        try:
            final = logits_of(backbone(example), "backbone")
        except (RuntimeError, IndexError, TypeError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise wrong(
                "example", expected="a batch that the backbone takes", got=f"{list(example.shape)}: {reason}"
            ) from error
    for name in at:
        if name not in outputs:
            raise wrong(f"exit at {name}", expected="a layer that always runs", got="it did not run")
    if final.ndim != 2 or final.shape[1] != num_classes:
        raise wrong("backbone", expected=f"logits [batch, {num_classes}]", got=list(final.shape))
    return outputs


@torch.no_grad()
def check_bypass(backbone: nn.Module, at: Sequence[str], example: Tensor) -> None:
    """Refuse layers that something bypasses: dropping rows there would not drop them elsewhere.

    For each layer the network runs on two rows, one of which is dropped at that layer. If the rest of the network
    fails, or answers otherwise than for the remaining row alone, it has seen the dropped row by another way.

    Raises:
        InputError: naming the layer.
    """
    with in_mode(backbone, training=False):
        full = logits_of(backbone(example), "backbone")[:1]
        for name in at:
            try:
                with tapped(backbone, [name], lambda _, output: output[:1]):
                    found = logits_of(backbone(example), "backbone")
                agrees = found.shape == full.shape and torch.allclose(found, full, rtol=1e-2, atol=1e-3)
            except (RuntimeError, ValueError, IndexError):
                agrees = False
            if not agrees:
                raise InputError(
                    f"exit at {name}: expected a layer that everything after it depends on alone, got one that a "
                    "connection bypasses; choose the block that holds it"
                )
