"""Listening to layers while a network runs, and handing other outputs on: the one place that knows forward hooks."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

Tap = Callable[[int, Tensor], Tensor | None]  # (index of the layer, its output) -> what later layers get, or None


@contextmanager
def tapped(backbone: nn.Module, layers: Sequence[str], tap: Tap) -> Iterator[None]:
    """Call `tap` with the output of each layer while open; hooks are removed whatever happens.

    Args:
        backbone: the network.
        layers: names, as in `backbone.named_modules()`.
        tap: called with the layer's index and output; what it returns takes the output's place, unless None. Of a
            layer that returns a tuple it gets, and replaces, the first part.
    """

    def listen(index: int) -> Callable[[nn.Module, Any, Any], Any]:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> Any:
            if threading.get_ident() != owner:
                return None
            if not isinstance(output, tuple):
                return tap(index, output)
            changed = tap(index, output[0])
            return None if changed is None else (changed, *output[1:])

        return hook

    owner = threading.get_ident()  # another thread's pass through the same network is none of this one's business

    handles = [backbone.get_submodule(name).register_forward_hook(listen(i)) for i, name in enumerate(layers)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
