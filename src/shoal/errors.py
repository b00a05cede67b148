"""The errors that a user may meet, and the one form they take: expected, got, what to do.

Every check of a user's input in Shoal raises one of these. The command line prints the message as one line
and exits with `exit_code`; a library user catches `ShoalError`, or `ValueError` for wrong input.
"""

import difflib
from collections.abc import Iterable


class ShoalError(Exception):
    """Something failed that is not a mistake in Shoal: a full disk, a corrupt file, a diverged training."""

    exit_code = 1


class InputError(ShoalError, ValueError):
    """The caller passed something that cannot be used: an unknown name, a wrong shape, a wrong setting."""

    exit_code = 2


def wrong(what: str, *, expected: object, got: object, fix: str = "") -> InputError:
    """Build the house's one-line message for wrong input.

    Args:
        what: the argument, setting or file that is wrong.
        expected: what would have been right.
        got: what was found.
        fix: what to do about it, as a command or a short sentence.

    Returns:
        The error, ready to be raised.

    Example:
        >>> wrong("threshold", expected="a number in [0, 1]", got=3, fix="give 3 % as 0.03")
        InputError('threshold: expected a number in [0, 1], got 3; give 3 % as 0.03')
    """
    return InputError(f"{what}: expected {expected}, got {got}" + (f"; {fix}" if fix else ""))


def unknown_name(kind: str, name: str, known: Iterable[str]) -> InputError:
    """Build the message for a name that a registry does not hold, with the nearest name that it does hold.

    Args:
        kind: what the names name, in the singular ("network", "setting").
        name: the name that was asked for.
        known: the names that exist.

    Returns:
        The error, ready to be raised.

    Example:
        >>> unknown_name("network", "resnet81", ["resnet18", "resnet50"])
        InputError("unknown network 'resnet81'; did you mean 'resnet18'? known: resnet18, resnet50")
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return InputError(f"unknown {kind} '{name}'; {hint}known: {', '.join(names)}")
