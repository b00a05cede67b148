"""Which layers to look at: on every path from the input to the logits, one after the other, evenly by cost.

    choose_layers(model, example)             # ['layer1.0', ..., 'layer4.1'] of a ResNet

A layer within a branch sees a part of what the network knows; a probe there would call the other branch's work
difficulty. Whether a layer is on every path is read off autograd's graph: without it, nothing leads from the logits
back to the input.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from shoal.errors import InputError, unknown_name, wrong
from shoal.measure import MacCounter
from shoal.measure.logits import logits_of
from shoal.measure.modes import in_mode

MOST_LAYERS = 8
Edge = tuple[Any, int]  # a node of autograd's graph, and which of its outputs


class Walk:
    """One forward pass, layer by layer.

    Args:
        model: put into evaluation mode for the pass, and back.
        example: a batch.

    Attributes:
        order: names of layers that ran exactly once and gave a tensor with a row for every example, in the order in
            which they ended.
        macs: multiply–accumulates up to each of them.
        total: multiply–accumulates of the whole pass.
        runs: how often every layer ran.
        classes: of the logits.

    Raises:
        InputError: if the model does not take the example, returns no logits [batch, classes], or computes them by what
            has no gradient, so that no path can be followed.
    """

    def __init__(self, model: nn.Module, example: Tensor):
        self.runs: dict[str, int] = dict.fromkeys((name for name, _ in model.named_modules() if name), 0)
        self._ended: list[_Ended] = []
        self._same: dict[Any, Any] = {}  # keys of tensors that were moved
        self._kept: list[Tensor] = []  # these, so that no other tensor gets their place in memory
        self._source = _Source(model, example)
        handles = [m.register_forward_hook(self._listen(name)) for name, m in model.named_modules() if name]
        fused = torch.backends.mha.get_fastpath_enabled()
        try:
            torch.backends.mha.set_fastpath_enabled(False)  # it passes layers by
            with (
                in_mode(model, training=False),
                torch.inference_mode(False),
                torch.enable_grad(),
                MacCounter() as counter,
            ):
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
        self.total = self._counter.total
        if not self._leads_back(without=None):
            got = f"{example.dtype} inputs {list(example.shape)} that nothing leads back to"
            fix = "give floats (prepare=), or token ids for an nn.Embedding, and use no torch.no_grad in forward"
            raise wrong("model", expected="logits with a gradient by the inputs", got=got, fix=fix)
        self._rows, self._found = len(example), {found.name: found for found in self._ended}
        whole = [found for found in self._ended if self.runs[found.name] == 1 and self.has_rows(found.name)]
        self.order = [found.name for found in whole]
        self.macs = [found.macs for found in whole]

    def _listen(self, name: str) -> Any:
        def hook(_module: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:
            self.runs[name] += 1
            found = output[0] if isinstance(output, tuple | list) and output else output
            if not isinstance(found, Tensor) or not found.is_floating_point():
                return None
            key = self._key(found)
            handed_on = any(isinstance(given, Tensor) and self._key(given) == key for given in inputs)
            moved = found is output and (handed_on or found._is_view())
            if moved:  # a node of its own: what is handed on has none, and operations in place change that of a view
                self._kept.append(found)
                found = found * 1
                self._same[_key(found)] = key
            self._ended.append(_Ended(name, found, self._counter.total, key, _edge(found)))
            return found if moved else None

        return hook

    def _key(self, output: Tensor) -> Any:
        """The same for outputs that are one tensor, handed on and not changed in place."""
        return self._same.get(_key(output), _key(output))

    def _leads_back(self, *, without: Edge | None) -> bool:
        """Whether autograd's graph has a path from the logits to the input that avoids an edge."""
        seen, left = {without}, [_edge(self._logits)]
        while left:
            edge = left.pop()
            if edge[0] is None or edge in seen:
                continue
            if edge[0] in self._source.nodes:
                return True
            seen.add(edge)
            left += edge[0].next_functions
        return False

    def has_rows(self, name: str) -> bool:
        """Whether a layer that ran gave a tensor of floats with a row for every example."""
        found = self._found.get(name)
        return found is not None and found.output.ndim >= 2 and len(found.output) == self._rows

    def ndim(self, name: str) -> int:
        """Axes of a layer's output."""
        return self._found[name].output.ndim

    def is_on_every_path(self, name: str) -> bool:
        """Whether the logits depend on the input through this layer alone."""
        found = self._found.get(name)
        return found is not None and self.runs[name] == 1 and not self._leads_back(without=found.edge)

    def is_answer(self, name: str) -> bool:
        """Whether the layer's output is the logits."""
        return self._found[name].key == self._key(self._logits)

    def output_key(self, name: str) -> Any:
        """Equal for layers with the same output."""
        return self._found[name].key

    def place(self, name: str) -> int:
        """When a layer that ran once ended, beside others."""
        return [found.name for found in self._ended].index(name)


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
    names: dict[Any, tuple[str, int]] = {}
    for name, macs in zip(walk.order, walk.macs, strict=True):
        if not walk.is_answer(name) and walk.is_on_every_path(name):
            other = names.setdefault(walk.output_key(name), (name, macs))
            if name.count(".") < other[0].count("."):  # of several names of one output the outermost
                names[walk.output_key(name)] = name, macs
    found = list(names.values())
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
        InputError: if one does not exist, does not run exactly once, has no row for every example, or is not on every
            path.
    """
    known = {name: module for name, module in model.named_modules(remove_duplicate=False) if name}
    first = {module: name for name, module in model.named_modules()}  # a shared module goes by any of its names
    if isinstance(layers, str) or not layers or not all(isinstance(name, str) for name in layers):
        raise wrong("layers", expected="a list of at least one layer name", got=repr(layers))
    for name in layers:
        if name not in known:
            raise unknown_name("layer", name, known)
    if len(set(layers)) != len(layers):
        raise wrong("layers", expected="each layer once", got=list(layers))
    walk = Walk(model, example)
    for name in layers:
        runs = walk.runs[first[known[name]]]
        if runs != 1:
            got = "it did not run" if not runs else f"it runs {runs} times"
            raise wrong(f"layer {name}", expected="a layer that runs once", got=got, fix="choose the block around it")
        if not walk.has_rows(first[known[name]]):
            got, fix = "another output", "choose the block around it"
            raise wrong(f"layer {name}", expected="a row of floats for every example", got=got, fix=fix)
        if not walk.is_on_every_path(first[known[name]]):
            got = "one that another path goes around"
            fix = "choose the block that holds it"
            raise wrong(f"layer {name}", expected="a layer that everything passes through", got=got, fix=fix)
    return sorted(layers, key=lambda name: walk.place(first[known[name]]))


class _Ended(NamedTuple):
    """What a layer gave, as it was then: later operations may work in place."""

    name: str
    output: Tensor
    macs: int
    key: Any
    edge: Edge


class _Source:
    """The input, made so that autograd's graph leads back to it; of token ids, what their embedding gives.

    Places, too, may have an embedding: that of the ids is the one that is called with the input, or, where the model
    changes the ids first, any.
    """

    def __init__(self, model: nn.Module, example: Tensor):
        self._model, self._example = model, example
        self._embedded: list[tuple[Any, bool]] = []  # node, and whether the ids were the input
        self.nodes: set[Any] = set()

    def run(self) -> Any:
        self._example = self._example.detach().clone()
        if self._example.is_floating_point():
            moved = self._example.requires_grad_() * 1  # a node of its own, which an in-place operation may follow
            self.nodes = {moved.grad_fn}
            return self._model(moved)
        embeddings = [m for m in self._model.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag)]
        handles = [m.register_forward_hook(self._listen, prepend=True) for m in embeddings]
        try:
            found = self._model(self._example)
        finally:
            for handle in handles:
                handle.remove()
        self.nodes = {node for node, own in self._embedded if own} or {node for node, _ in self._embedded}
        return found

    def _listen(self, _module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        moved = output * 1 if output.requires_grad else output.detach().requires_grad_() * 1
        ids = inputs[0] if inputs else None
        own = isinstance(ids, Tensor) and ids.shape == self._example.shape and torch.equal(ids, self._example)
        self._embedded.append((moved.grad_fn, own))
        return moved


def _edge(output: Tensor) -> Edge:
    return output.grad_fn, output.output_nr


def _key(output: Tensor) -> Any:
    return output.data_ptr(), output._version, tuple(output.shape), output.stride()
