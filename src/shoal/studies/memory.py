"""Peak memory of a call, counted in the tensors that torch's operators return: the same on any machine.

    with PeakMemory(q, k, v) as memory:
        scaled_dot_product_attention(q, k, v)
    memory.peak                                # bytes

What was there before is not counted, nor is scratch space within one operator.
"""

import weakref
from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class PeakMemory(TorchDispatchMode):
    """Follows the storages that come and go.

    Args:
        given: tensors that are there already: views of them cost nothing.

    Attributes:
        peak: most bytes that were alive at once.

    Example:
        >>> x = torch.zeros(1000)
        >>> with PeakMemory(x) as memory:
        ...     y = (x + 1 + 1)[:10]
        >>> memory.peak
        8000
    """

    def __init__(self, *given: Tensor):
        super().__init__()
        self.peak = 0
        self._now = 0
        self._given = {tensor.untyped_storage().data_ptr() for tensor in given}
        self._alive: dict[int, int] = {}

    def __enter__(self) -> Self:
        super().__enter__()
        return self

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operator, and count what it returns."""
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self._count(leaf.untyped_storage())
        return result

    def _count(self, storage: Any) -> None:
        place = storage.data_ptr()
        if place and place not in self._given and place not in self._alive:
            self._alive[place] = storage.nbytes()
            self._now += storage.nbytes()
            self.peak = max(self.peak, self._now)
            weakref.finalize(storage, self._gone, place)

    def _gone(self, place: int) -> None:
        self._now -= self._alive.pop(place, 0)
