"""A counter of multiply–accumulates that can be read at any time while a model runs.

    with MacCounter() as counter, torch.no_grad():
        model(x)
    print(counter.total)

It is torch's own operator counter (`torch.utils.flop_counter`, FLOPs ÷ 2), which sees what runs: functional
calls, branches that depend on the data, any dtype, the whole batch. On a CPU that counter has holes, closed here:

- the fused fast path of `nn.MultiheadAttention` and `nn.TransformerEncoderLayer` is opaque to it: switched off
  while counting;
- the CPU kernels of scaled-dot-product attention and of the LSTM, and products with a vector, have no formula
  there: given below;
- it adds up both branches of `torch.cond`: here only the branch that is taken runs and counts.

A MAC is one multiplication and one addition of a matrix product, convolution or attention. Biases, normalisation,
activations and pooling count nothing. Convolutions count their padding, attention counts masked keys.
"""

import sys
from contextlib import ExitStack
from math import prod
from types import TracebackType
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

Shape = tuple[int, ...]  # what torch's counter hands to a formula in the place of a tensor


class MacCounter:
    """Counts the MACs of everything that torch runs while it is open; entering it again starts at zero.

    Backward passes of matrix products and convolutions are counted too; those of fused attention and of the LSTM on a
    CPU, `nn.Bilinear`, `torch.cdist` and sparse products are not. Two counters may be nested; each
    counts what runs while it is open. `torch.compile`d parts run uncompiled while counting.

    Example:
        >>> with MacCounter() as counter:
        ...     _ = torch.ones(2, 3) @ torch.ones(3, 4)
        ...     print(counter.total)
        ...     _ = torch.ones(5) @ torch.ones(5)
        24
        >>> counter.total
        29
    """

    def __init__(self) -> None:
        self._flops = FlopCounterMode(display=False, custom_mapping=dict(_missing_formulas()))
        self._open = ExitStack()

    @property
    def total(self) -> int:
        """MACs so far; readable while counting (in a forward hook, say) and afterwards."""
        return self._flops.get_total_flops() // 2

    def __enter__(self) -> "MacCounter":
        with ExitStack() as stack:  # whatever fails on the way in, what was switched is switched back
            stack.callback(torch.backends.mha.set_fastpath_enabled, torch.backends.mha.get_fastpath_enabled())
            torch.backends.mha.set_fastpath_enabled(False)
            if "torch._dynamo" in sys.modules:  # else nothing can be compiled, and the import would take seconds
                stack.enter_context(torch.compiler.set_stance("force_eager"))
            stack.enter_context(self._flops)
            stack.enter_context(_TakenBranch())
            self._open = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)


class _TakenBranch(TorchDispatchMode):
    """Runs `torch.cond` as the branch that its predicate selects, under the counter below it."""

    supports_higher_order_operators = True

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        if func is torch.ops.higher_order.cond:
            predicate, if_true, if_false, operands = args
            with self:  # a mode is off inside its own handler; the branch may hold another cond
                return (if_true if bool(predicate) else if_false)(*operands)
        return func(*args, **(kwargs or {}))


def _missing_formulas() -> dict[Any, Any]:
    """Formulas, in FLOPs, of the operators that torch's counter does not know."""
    aten = torch.ops.aten
    return {
        aten._scaled_dot_product_flash_attention_for_cpu: _attention,
        aten.mkldnn_rnn_layer: _lstm_layer,
        aten.mv: _matrix_vector,
        aten.addmv: _add_matrix_vector,
        aten.dot: _dot,
        aten.vdot: _dot,
        aten.addbmm: _add_batched,
    }


def _attention(q: Shape, k: Shape, v: Shape, *_rest: Any, **_options: Any) -> int:
    """Scores q kᵀ cost B·H·N·S·D MACs, their product with v costs B·H·N·S·M."""
    batch, heads, queries, dim = q
    return 2 * batch * heads * queries * k[-2] * (dim + v[-1])


def _lstm_layer(x: Shape, from_input: Shape, from_state: Shape, *_rest: Any, **_options: Any) -> int:
    """One layer in one direction: two products with matrices at each of the steps × batch positions."""
    return 2 * prod(x[:2]) * (prod(from_input) + prod(from_state))


def _matrix_vector(matrix: Shape, _vector: Shape, **_options: Any) -> int:
    return 2 * prod(matrix)


def _add_matrix_vector(_bias: Shape, matrix: Shape, *_rest: Any, **_options: Any) -> int:
    return 2 * prod(matrix)


def _dot(a: Shape, *_rest: Any, **_options: Any) -> int:
    return 2 * prod(a)


def _add_batched(_bias: Shape, a: Shape, b: Shape, **_options: Any) -> int:
    return 2 * prod(a) * b[-1]
