"""Which layers to look at: on every path from the input to the logits, one after the other, evenly by cost.

    choose_layers(model, example)             # ['layer1.0', ..., 'layer4.1'] of a ResNet

A layer within a branch sees a part of what the network knows; a probe there would call the other branch's work
difficulty. Whether a layer is on every path is read off autograd's graph: without it, nothing leads from the logits
back to the input.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from shoal.errors import InputError, unknown_name, wrong
from shoal.measure import MacCounter
from shoal.measure.logits import logits_of
from shoal.measure.modes import in_mode

MOST_LAYERS = 8


class Walk:
    """One forward pass, layer by layer.

    Args:
        model: put into evaluation mode for the pass, and back.
        example: a batch.

    Attributes:
        order: names of layers that ran exactly once and gave a tensor with a row for every example, in the order in
            which they ended; of several names of the same output, the outermost.
        macs: multiply–accumulates up to each of them.
        runs: how often every layer ran.
        classes: of the logits.

    Raises:
        InputError: if the model does not take the example, or returns no logits [batch, classes].
    """

    def __init__(self, model: nn.Module, example: Tensor):
        self.runs: dict[str, int] = dict.fromkeys((name for name, _ in model.named_modules() if name), 0)
        self._ended: list[tuple[str, Tensor, int]] = []
        self._source = _Source(model, example)
        handles = [m.register_forward_hook(self._listen(name)) for name, m in model.named_modules() if name]
        fused = torch.backends.mha.get_fastpath_enabled()
        try:
            torch.backends.mha.set_fastpath_enabled(False)  # it passes layers by
            with in_mode(model, training=False), torch.enable_grad(), MacCounter() as counter:
                self._counter = counter
                self._logits = logits_of(self._source.run())
        except (RuntimeError, IndexError, TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            got = f"{list(example.shape)}: {reason}"
            raise wrong("data", expected="inputs that the model takes", got=got) from None
        finally:
            torch.backends.mha.set_fastpath_enabled(fused)
            for handle in handles:
                handle.remove()
        if self._logits.ndim != 2 or len(self._logits) != len(example):
            raise wrong("model", expected="logits [batch, classes]", got=list(self._logits.shape))
        self.classes = self._logits.shape[1]
        rows = [
            (name, output, macs)
            for name, output, macs in self._ended
            if self.runs[name] == 1 and output.ndim >= 2 and len(output) == len(example)
        ]
        last: dict[Any, tuple[str, Tensor, int]] = {_key(output): (name, output, macs) for name, output, macs in rows}
        self.order = [name for name, _, _ in last.values()]
        self.macs = [macs for _, _, macs in last.values()]
        self._outputs = {name: output for name, output, _ in self._ended}

    def _listen(self, name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            self.runs[name] += 1
            found = output[0] if isinstance(output, tuple | list) and output else output
            if isinstance(found, Tensor) and found.is_floating_point():
                self._ended.append((name, found, self._counter.total))

        return hook

    def is_on_every_path(self, name: str) -> bool:
        """Whether the logits depend on the input through this layer alone."""
        output = self._outputs.get(name)
        if output is None or self.runs[name] != 1:
            return False
        return not _leads_back(self._logits.grad_fn, self._source.node, without=output.grad_fn)

    def is_answer(self, name: str) -> bool:
        """Whether the layer's output is the logits."""
        return _key(self._outputs[name]) == _key(self._logits)


def choose_layers(model: nn.Module, example: Tensor, most: int = MOST_LAYERS) -> list[str]:
    """Layers on every path, at even shares of the network's multiply–accumulates, up to the last before the logits.

    Args:
        model: any classifier.
        example: a batch that it takes; two rows are enough.
        most: how many to choose.

    Raises:
        InputError: if no layer is on every path.
    """
    walk = Walk(model, example)
    found = [
        (name, macs)
        for name, macs in zip(walk.order, walk.macs, strict=True)
        if not walk.is_answer(name) and walk.is_on_every_path(name)
    ]
    if not found:
        raise wrong("model", expected="a layer that everything passes through", got="none", fix="name layers=")
    if len(found) <= most:
        return [name for name, _ in found]
    total = found[-1][1] or 1
    chosen = {len(found) - 1}
    for share in range(1, most):
        goal = share * total / most
        left = [at for at in range(len(found)) if at not in chosen]
        # of layers at the same cost (a convolution, its normalisation, its activation) the last one
        chosen.add(min(reversed(left), key=lambda at: abs(found[at][1] - goal)))
    return [found[at][0] for at in sorted(chosen)]


def check_layers(model: nn.Module, layers: Sequence[str], example: Tensor) -> list[str]:
    """Layers that were asked for, in the order in which they run.

    Raises:
        InputError: if one does not exist, does not run exactly once, or is not on every path.
    """
    known = [name for name, _ in model.named_modules(remove_duplicate=False) if name]
    if isinstance(layers, str) or not layers or not all(isinstance(name, str) for name in layers):
        raise wrong("layers", expected="a list of at least one layer name", got=repr(layers))
    for name in layers:
        if name not in known:
            raise unknown_name("layer", name, known)
    if len(set(layers)) != len(layers):
        raise wrong("layers", expected="each layer once", got=list(layers))
    walk = Walk(model, example)
    for name in layers:
        if walk.runs.get(name, 0) != 1:
            runs = walk.runs.get(name, 0)
            got = "it did not run" if not runs else f"it runs {runs} times"
            raise wrong(f"layer {name}", expected="a layer that runs once", got=got, fix="choose the block around it")
        if not walk.is_on_every_path(name):
            got = "one that another path goes around"
            fix = "choose the block that holds it"
            raise wrong(f"layer {name}", expected="a layer that everything passes through", got=got, fix=fix)
    ended = [name for name, _, _ in walk._ended]
    return sorted(layers, key=ended.index)


class _Source:
    """The input, made so that autograd's graph leads back to it; of token ids, what their embedding gives."""

    def __init__(self, model: nn.Module, example: Tensor):
        self._model, self._example = model, example
        self.node: Any = None

    def run(self) -> Any:
        if self._example.is_floating_point():
            inputs = self._example.detach().clone().requires_grad_()
            moved = inputs * 1  # a node of its own, which an in-place operation may follow
            self.node = moved.grad_fn
            return self._model(moved)
        embeddings = [m for m in self._model.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag)]
        handles = [m.register_forward_hook(self._embedded) for m in embeddings[:1]]
        try:
            return self._model(self._example)
        finally:
            for handle in handles:
                handle.remove()

    def _embedded(self, _module: nn.Module, _inputs: Any, output: Tensor) -> Tensor:
        moved = output * 1 if output.requires_grad else output.detach().requires_grad_() * 1
        self.node = moved.grad_fn
        return moved


def _leads_back(start: Any, goal: Any, *, without: Any) -> bool:
    """Whether autograd's graph has a path between two nodes that avoids a third."""
    seen, left = {without}, [start]
    while left:
        node = left.pop()
        if node is None or node in seen:
            continue
        if node is goal:
            return True
        seen.add(node)
        left += [follower for follower, _ in node.next_functions]
    return False


def _key(output: Tensor) -> Any:
    """The same for outputs that are one tensor, handed on."""
    return output.data_ptr(), tuple(output.shape), output.stride()
