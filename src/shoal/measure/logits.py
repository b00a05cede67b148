"""The logits in what a classifier returns."""

from typing import Any

from torch import Tensor

from shoal.errors import wrong


def logits_of(output: Any, what: str = "model") -> Tensor:
    """The logits in what a classifier returned: a tensor, a tuple that begins with one, or `.logits`.

    Args:
        output: of a forward pass.
        what: the classifier's name in the error.

    Raises:
        InputError: if it is none of these.
    """
    if isinstance(output, Tensor):
        return output
    if isinstance(getattr(output, "logits", None), Tensor):
        return output.logits
    if isinstance(output, tuple | list) and output and isinstance(output[0], Tensor):
        return output[0]
    raise wrong(what, expected="logits, a tuple that begins with them, or .logits", got=type(output).__name__)
