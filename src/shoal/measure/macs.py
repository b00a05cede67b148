"""How many multiply–accumulates a model spends on a batch, in all and in each of its modules.

    count = count_macs(model, torch.zeros(1, 3, 32, 32))
    count.total                   # 555422720
    count.by_module["layer1"]     # 150994944
    print(count.format_table())

The model is run once, and what ran is counted (see `shoal.measure.counter`): no table of layer types, so
functional calls and attention count as well. A model on the meta device costs neither memory nor time.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from html import escape
from typing import Any

import torch
from torch import nn

from shoal.measure.counter import MacCounter
from shoal.measure.modes import in_mode


@dataclass(frozen=True)
class MacCount:
    """Multiply–accumulates of one forward pass, for the whole batch that was given.

    Attributes:
        total: MACs of everything that ran.
        by_module: MACs by dotted name, as in `model.named_modules()`, in the order in which the modules first ran.
            A module's number includes its children's. Modules that did not run are absent; those that ran
            without any MACs (an activation) are there with 0.
    """

    total: int
    by_module: dict[str, int] = field(repr=False)

    def format_table(self, depth: int = 1) -> str:
        """Lay the count out as lines of text: module, millions of MACs, share of the total.

        Args:
            depth: how many levels of modules to show; modules without MACs are left out.

        Example:
            >>> model = nn.Sequential(nn.Linear(1000, 900), nn.Linear(900, 100))
            >>> print(count_macs(model, torch.zeros(1, 1000)).format_table())
            module  MMACs   share
            0        0.90  90.9 %
            1        0.09   9.1 %
            total    0.99
        """
        rows = self._rows(depth)
        name_width = max(len(row[0]) for row in rows)
        macs_width = max(len(row[1]) for row in rows)
        return "\n".join(f"{a:{name_width}}  {b:>{macs_width}}  {c:>6}".rstrip() for a, b, c in rows)

    def _rows(self, depth: int) -> list[tuple[str, str, str]]:
        shown = [(name, macs) for name, macs in self.by_module.items() if macs and name.count(".") < depth]
        body = [(name, f"{macs / 1e6:,.2f}", f"{macs / self.total:.1%}".replace("%", " %")) for name, macs in shown]
        return [("module", "MMACs", "share"), *body, ("total", f"{self.total / 1e6:,.2f}", "")]

    def _repr_html_(self) -> str:
        head, *body = self._rows(depth=2)
        lines = ["<tr>" + "".join(f"<th>{cell}</th>" for cell in head) + "</tr>"]
        lines += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in body]
        return "<table>" + "".join(lines) + "</table>"


def count_macs(model: nn.Module, *inputs: Any, **named_inputs: Any) -> MacCount:
    """Count the multiply–accumulates of `model(*inputs)`, in all and by module.

    The model runs once, in evaluation mode and without gradients; every module is put back into its own mode.
    Where the path depends on the data, the path of these inputs is counted.

    Args:
        model: any module, on any device.
        inputs: what its forward takes; the count is for the whole batch.
        named_inputs: the same, by name.

    Returns:
        The count. Work in a module that is called by its weights alone (`out_proj` of
        `nn.MultiheadAttention`) or by `module.forward(...)` belongs to the module around it. A module that
        the model holds under two names is counted under the first.

    Example:
        >>> count = count_macs(nn.Sequential(nn.Linear(6, 5), nn.ReLU()), torch.zeros(2, 6))
        >>> count.total, count.by_module
        (60, {'0': 60, '1': 0})
    """
    model = getattr(model, "_orig_mod", model)  # what torch.compile wraps; the names are the original's
    by_module: dict[str, int] = {}
    with in_mode(model, training=False), torch.no_grad(), MacCounter() as counter, _watching(model, counter, by_module):
        model(*inputs, **named_inputs)
    return MacCount(counter.total, by_module)


@contextmanager
def _watching(model: nn.Module, counter: MacCounter, by_module: dict[str, int]) -> Iterator[None]:
    """Add to `by_module` what the counter gains between the start and the end of every module."""
    started: defaultdict[str, list[int]] = defaultdict(list)  # a stack, for modules that call themselves

    def start(name: str) -> Callable[..., None]:
        def hook(*_: Any) -> None:
            by_module.setdefault(name, 0)
            started[name].append(counter.total)

        return hook

    def end(name: str) -> Callable[..., None]:
        def hook(*_: Any) -> None:
            before = started[name].pop()
            if not started[name]:  # the outermost call holds the inner ones
                by_module[name] += counter.total - before

        return hook

    with ExitStack() as hooks:
        for name, module in model.named_modules():
            if name:
                hooks.callback(module.register_forward_pre_hook(start(name)).remove)
                hooks.callback(module.register_forward_hook(end(name)).remove)
        yield
