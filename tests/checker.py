"""The runtime type checker of the tests: beartype, with an int accepted where a float is declared (PEP 484)."""

from collections.abc import Callable
from typing import Any, Self

from beartype import BeartypeConf, beartype

_check = beartype(conf=BeartypeConf(is_pep484_tower=True))


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a function; a method's `Self` is left unchecked, which beartype knows in decorated classes only."""
    hints = getattr(function, "__annotations__", {})
    if hints.get("return") is Self:
        function.__annotations__ = {**hints, "return": Any}
    return _check(function)
