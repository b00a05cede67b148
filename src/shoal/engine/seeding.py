"""Random streams that can be asked for again: every stream is a pure function of a seed and of what it is for.

A stream per epoch and per step, instead of one long stream, is what makes a resumed run see the same
shuffles and the same augmentation without replaying what came before.
"""

import hashlib

import torch


def stream(seed: int, *purpose: int | str) -> torch.Generator:
    """Make the generator of one purpose, for example `stream(seed, "shuffle", epoch)`.

    Args:
        seed: the run's seed, any integer.
        purpose: what the stream is for; equal purposes give equal streams, others independent ones.

    Returns:
        A CPU generator.

    Example:
        >>> draw = lambda *key: torch.randperm(100, generator=stream(0, *key)).tolist()
        >>> draw("shuffle", 3) == draw("shuffle", 3), draw("shuffle", 3) == draw("shuffle", 4)
        (True, False)
    """
    digest = hashlib.sha256(repr((seed, *purpose)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def seed_everything(seed: int) -> None:
    """Seed torch's global streams, which initialisation and dropout draw from."""
    torch.manual_seed(seed)
