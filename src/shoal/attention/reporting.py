"""Warnings that point at the line of the user's code that caused them."""

import sys
import warnings
from pathlib import Path

import torch

_PASSED_BY = tuple(str(Path(path).parent) for path in (__file__, torch.__file__))


class DenominatorWarning(UserWarning):
    """Rows of an output were replaced because the sum of their weights was negative, vanished or overflowed."""


def warn_of_denominators(message: str) -> None:
    """Warn at the nearest caller outside of this room and of torch, however many decorators and modules lie between."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PASSED_BY):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, DenominatorWarning, stacklevel=level)
