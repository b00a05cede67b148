"""What settings may be: numbers within limits, words of a list; one line for the first that is neither.

Example:
    >>> from types import SimpleNamespace
    >>> check_numbers(SimpleNamespace(seed=3), {"seed": (0, 9, "a whole number from 0 to 9")})
"""

from collections.abc import Collection, Mapping
from typing import Any

from shoal.errors import unknown_name, wrong

Limits = Mapping[str, tuple[float, float, str]]  # smallest, largest, in words


def check_numbers(config: Any, limits: Limits, *, smallest: Mapping[str, float] | None = None) -> None:
    """Refuse numbers that are out of range; settings that the configuration has not are passed over.

    Args:
        config: any object with the settings as attributes.
        limits: by the setting's name.
        smallest: of settings where 0 means that something else decides, and only more than that is a size.

    Raises:
        InputError: naming the first of them.
    """
    for name, (low, high, words) in limits.items():
        value, least = getattr(config, name, low), (smallest or {}).get(name, 0)
        if not low <= value <= high or 0 < value < least:  # NaN fails too
            raise wrong(name, expected=words, got=value)


def check_words(config: Any, choices: Mapping[str, Collection[str]]) -> None:
    """Refuse words that are unknown.

    Args:
        config: any object with the settings as attributes.
        choices: known words by the setting's name.

    Raises:
        InputError: naming the first of them, with what is near to it.
    """
    for name, known in choices.items():
        if getattr(config, name) not in known:
            raise unknown_name(name, getattr(config, name), known)
