"""Recording what chosen layers compute, over as many forward passes as there are batches.

    with record(model, ["layer1", "layer2"], pool="mean") as recording, torch.no_grad():
        for x, _ in loader:
            model(x)
    recording["layer1"]      # [n, channels], the rows of all batches in order, on the CPU

Layers are named as in `model.named_modules()`; "" is the model itself, that is, its output. What is recorded is
a detached copy, so neither gradients nor later in-place operations reach it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from shoal.errors import ShoalError, unknown_name, wrong

Pool = Literal["mean"] | Callable[[Tensor], Tensor] | None


class Recording:
    """The activations that `record` has captured so far; index it by layer name.

    Attributes:
        layers: the recorded layers' names, in the order in which they were asked for.
    """

    def __init__(self, layers: Sequence[str], pool: Pool = None):
        self.layers = tuple(dict.fromkeys(layers))
        self._pool = _choose_pool(pool)
        self._chunks: dict[str, list[Tensor]] = {name: [] for name in self.layers}
        self._pass: dict[str, Tensor] | None = None  # what the open forward pass has given so far

    def __getitem__(self, layer: str) -> Shaped[Tensor, "rows ..."]:
        """Everything recorded of a layer, the batches joined in order: [rows, ...].

        Raises:
            InputError: if the layer was not asked for.
            ShoalError: if it never ran, or if its outputs differ in shape between batches.
        """
        if layer not in self._chunks:
            raise unknown_name("recorded layer", layer, self.layers)
        chunks = self._chunks[layer]
        if not chunks:
            raise ShoalError(
                f"layer '{layer}': expected at least one forward pass that runs it, got none; run the model inside "
                "the record block, and choose a layer that takes part in its forward pass"
            )
        if len(chunks) == 1 and not chunks[0].is_inference():
            return chunks[0]
        try:
            joined = torch.cat(chunks)  # outside of inference mode this makes tensors that autograd can use
        except RuntimeError:
            shapes = sorted({tuple(chunk.shape[1:]) for chunk in chunks})
            raise ShoalError(
                f"layer '{layer}': expected the same shape in every batch, got rows of {shapes}; "
                'give record(..., pool="mean") or a function that makes them alike'
            ) from None
        self._chunks[layer] = [joined]  # the parts are not needed twice
        return joined

    def __repr__(self) -> str:
        rows = {name: sum(len(chunk) for chunk in chunks) for name, chunks in self._chunks.items()}
        return f"Recording({', '.join(f'{name!r}: {n} rows' for name, n in rows.items())})"

    def _keep(self, layer: str, output: Any) -> None:
        found = _first_tensor(output)
        if found is None:
            raise wrong(f"layer '{layer}'", expected="an output that holds a tensor", got=type(output).__name__)
        kept = self._pool(found.detach())
        if kept.ndim == 0:
            raise wrong(f"layer '{layer}'", expected="an output with a batch dimension", got="a scalar")
        kept = kept.to("cpu", copy=True)  # a copy: the next layer may work in place
        if self._pass is None:
            self._chunks[layer].append(kept)
        else:
            self._pass[layer] = kept

    def _begin(self, *_: Any) -> None:
        self._pass = {}

    def _commit(self, *_: Any) -> None:
        for layer, kept in (self._pass or {}).items():
            self._chunks[layer].append(kept)

    def _end(self, *_: Any) -> None:
        self._pass = None


@contextmanager
def record(model: nn.Module, layers: Sequence[str], *, pool: Pool = None) -> Iterator[Recording]:
    """Record the outputs of layers in every forward pass of the model while the block is open.

    A layer that runs several times in one pass (a shared activation) is recorded once, with its last output, so
    that every recorded layer has one row per example. A pass that raises records nothing. A layer that some
    passes skip has fewer rows. Where a part of the model is called outside of a pass of the model
    (`model.encoder(x)`), each call is recorded.

    Args:
        model: any module; it runs as it would without recording.
        layers: names of layers.
        pool: applied to each output before it is kept. None keeps it whole. "mean" makes one row per example:
            the mean over space of [b, c, h, w] (and [b, c, d, h, w]), over positions of [b, n, dim]; [b, dim]
            stays. Or a function of the output that keeps the batch dimension first.

    Yields:
        A `Recording`, which stays readable after the block. Of an output that is a tuple, list or dictionary
        the first tensor is taken.

    Raises:
        InputError: if a layer is unknown, or gives no tensor.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten())
        >>> with record(model, ["0", "1"], pool="mean") as recording:
        ...     for _ in range(2):
        ...         _ = model(torch.zeros(5, 3, 8, 8))
        >>> recording["1"].shape
        torch.Size([10, 4])
    """
    modules = _find(model, layers)
    recording = Recording(layers, pool)

    def listen(layer: str) -> Callable[..., None]:
        return lambda _module, _inputs, output: recording._keep(layer, output)

    with ExitStack() as hooks:
        hooks.callback(model.register_forward_pre_hook(recording._begin).remove)
        for layer, module in modules.items():
            hooks.callback(module.register_forward_hook(listen(layer)).remove)
        hooks.callback(model.register_forward_hook(recording._commit).remove)
        hooks.callback(model.register_forward_hook(recording._end, always_call=True).remove)
        yield recording


def _find(model: nn.Module, layers: Sequence[str]) -> dict[str, nn.Module]:
    if isinstance(layers, str) or not layers:
        raise wrong("layers", expected="a list of at least one layer name", got=repr(layers))
    known = dict(model.named_modules(remove_duplicate=False))  # a shared module goes by any of its names
    for layer in layers:
        if layer not in known:
            raise unknown_name("layer", layer, [name for name in known if name])
    return {layer: known[layer] for layer in layers}


def _first_tensor(output: Any) -> Tensor | None:
    if isinstance(output, Tensor):
        return output
    parts = output.values() if isinstance(output, Mapping) else output if isinstance(output, tuple | list) else ()
    return next((found for part in parts if (found := _first_tensor(part)) is not None), None)


def _choose_pool(pool: Pool) -> Callable[[Tensor], Tensor]:
    if pool is None:
        return lambda output: output
    if pool == "mean":
        return _mean_pool
    if not callable(pool):
        raise wrong("pool", expected='None, "mean" or a function of the output', got=repr(pool))
    return pool


def _mean_pool(output: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch features"]:
    if output.ndim <= 2:
        return output
    if output.ndim == 3:
        return output.mean(1)  # [b, n, dim] -> [b, dim]
    return output.flatten(2).mean(2)  # [b, c, h, w] -> [b, c]
