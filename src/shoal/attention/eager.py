"""How functions are run, whatever surrounds them: not compiled, in full precision, differentiated once."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from shoal.errors import InputError

Function = TypeVar("Function", bound=Callable[..., Any])


def eager(function: Function) -> Function:
    """A decorator: `torch.compiler.disable`, for loops whose steps depend on numbers; the signature is kept.

    Disabled at the first call at which something may be compiled: `torch.compiler.disable` itself imports the compiler,
    which takes longer than torch.
    """
    disabled: list[Callable[..., Any]] = []

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        if "torch._dynamo" not in sys.modules:  # `torch.compile` imports it
            return function(*args, **kwargs)
        if not disabled:
            disabled.append(torch.compiler.disable(function))
        return disabled[0](*args, **kwargs)

    return cast(Function, run)


def full_precision(function: Function) -> Function:
    """A decorator: leave autocast while the function runs. Sums of a whole sequence are not for half precision."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        kind = next((x.device.type for x in (*args, *kwargs.values()) if isinstance(x, Tensor)), "cpu")
        if not torch.is_autocast_enabled(kind):
            return function(*args, **kwargs)
        with torch.autocast(kind, enabled=False):
            return function(*args, **kwargs)

    return cast(Function, run)


def once(backward: Function) -> Function:
    """A decorator for a backward pass: full precision, and no second derivative.

    torch's own `once_differentiable` says nothing where the gradient that comes in is a constant, as that of a sum is,
    and the second derivative is then silently 0.
    """

    @wraps(backward)
    def run(ctx: Any, *by_outputs: Tensor) -> Any:
        if torch.is_grad_enabled():
            raise InputError(
                "linear attention: expected first derivatives, got create_graph=True; for second ones take "
                "linear_attention_reference"
            )
        return full_precision(backward)(ctx, *by_outputs)

    return cast(Function, run)
