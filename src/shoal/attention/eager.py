"""Functions that torch.compile leaves alone: loops whose steps depend on numbers are not for a compiler."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch

Function = TypeVar("Function", bound=Callable[..., Any])


def eager(function: Function) -> Function:
    """A decorator: `torch.compiler.disable`, with the signature kept for type checkers."""
    return cast(Function, torch.compiler.disable(function))
