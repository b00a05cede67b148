"""Hooks: seeing what a layer computes without rewriting the network.

PyTorch calls a forward hook with (module, inputs, output) each time a module has run. Write a context manager that
records the outputs of named layers over all batches that run inside it, and leaves the network as it was.

What goes wrong in practice, and is tested: hooks that stay after the block, or after an error in it; outputs that keep
the whole graph of gradients alive; outputs that the next layer changes in place (`ReLU(inplace=True)`), so that what
was recorded is not what the layer gave.

Question: why not call the layers one by one by hand?

Hints
- `module.register_forward_hook(f)` returns a handle with `.remove()`.
- `contextlib.contextmanager` with try … finally.
- `detach()` shares memory; `detach().clone()` does not.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


@contextmanager
def recording(model: nn.Module, layers: list[str]) -> Iterator[dict[str, list[Tensor]]]:
    """Record outputs of layers.

    Args:
        model: any.
        layers: names, as in `model.named_modules()`.

    Yields:
        For every layer a list, to which every forward pass adds its output, cut off from gradients.
    """
    # <solution>
    found: dict[str, list[Tensor]] = {name: [] for name in layers}
    modules, handles = dict(model.named_modules()), []

    def keep(name: str):
        return lambda _module, _inputs, output: found[name].append(output.detach().clone())

    try:
        handles += [modules[name].register_forward_hook(keep(name)) for name in layers]
        yield found
    finally:
        for handle in handles:
            handle.remove()
    # </solution>


# <tests>
def _model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.ReLU(inplace=True), nn.Linear(5, 3))


def _hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in model.modules())


def test_each_layer_has_its_own_outputs_of_all_batches() -> None:
    model, batches = _model(), [torch.randn(2, 4), torch.randn(3, 4)]
    with recording(model, ["0", "2"]) as found:
        expected = [model(x) for x in batches]
    assert set(found) == {"0", "2"}, f"expected the layers that were asked for, got {sorted(found)}"
    assert [len(x) for x in found["2"]] == [2, 3], "expected one output for each of the two batches"
    assert all(torch.equal(a, b) for a, b in zip(found["2"], expected, strict=True)), "layer 2 has other outputs"
    assert found["0"][0].shape == (2, 5), "layer 0 has the shape of another layer: does every hook have its own name?"


def test_what_was_recorded_is_what_the_layer_gave() -> None:
    model, x = _model(), torch.randn(50, 4)
    with recording(model, ["0"]) as found:
        model(x)
    assert bool((found["0"][0] < 0).any()), "no negative number is left: the ReLU behind changed it in place; copy it"
    assert torch.allclose(found["0"][0], model[0](x)), "not what the layer gave"


def test_nothing_keeps_the_graph_alive() -> None:
    with recording(model := _model(), ["2"]) as found:
        model(torch.randn(2, 4))
    assert not found["2"][0].requires_grad, "cut it off from the gradients with detach()"


def test_the_network_is_left_as_it_was() -> None:
    model = _model()
    with recording(model, ["0", "1"]):
        pass
    assert _hooks(model) == 0, f"{_hooks(model)} hooks are still there after the block"
    try:
        with recording(model, ["0", "1"]):
            raise RuntimeError("training stopped")
    except RuntimeError:
        pass
    assert _hooks(model) == 0, f"{_hooks(model)} hooks are still there after an error: remove them in `finally`"


# <mistakes>
MISTAKES = [
    (".detach().clone()", ".detach()", "changed it in place"),
    (".detach().clone()", ".clone()", "detach()"),
    ("            handle.remove()", "            pass", "still there after the block"),
    ("found[name].append", "found[layers[-1]].append", "one output for each"),
]
