"""Which of many byte strings stand in a file, in one pass over it.

A file of a gallery has hundreds of megabytes, and somebody with a thousand photos leaves thousands of byte strings to
look for. Of each the most varied eight bytes are its key. Wherever two bytes are the beginning of some key, eight are
compared with all keys; the few byte strings whose keys occur are then looked for as they are.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

KEY = 8  # bytes
AT_ONCE = 4_000_000  # bytes of a file


def found_in(paths: Iterable[Path], needles: Sequence[bytes], at_once: int = AT_ONCE) -> set[bytes]:
    """Those of the byte strings that stand in any of the files.

    Args:
        paths: of files; one that is gone holds nothing.
        needles: what is looked for.
        at_once: bytes of a file in memory.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile() as file:
        ...     _ = file.write(b"Dear Ann, how is Wilhelmina?"), file.flush()
        ...     sorted(found_in([Path(file.name)], [b"Wilhelmina", b"Ann", b"Friedrich"]))
        [b'Ann', b'Wilhelmina']
    """
    keys: dict[int, list[bytes]] = defaultdict(list)
    for needle in needles:
        if len(needle) >= KEY:
            keys[_key(needle)].append(needle)
    short = [needle for needle in needles if len(needle) < KEY]
    overlap = max(map(len, needles), default=1) - 1
    wanted = np.sort(np.array(list(keys), np.uint64))
    first = np.zeros(2**16, bool)
    first[(wanted & np.uint64(0xFFFF)).astype(np.int64)] = True
    found: set[bytes] = set()
    for path in paths:
        for part in _parts(path, at_once, overlap):
            near = [needle for key in _keys_in(part, first, wanted) for needle in keys[key]]
            found.update(needle for needle in (*short, *near) if needle not in found and needle in part)
    return found


def _key(needle: bytes) -> int:
    """The eight bytes with the most different values; the first of equals."""
    places = range(len(needle) - KEY + 1)
    start = max(places, key=lambda place: (len(set(needle[place : place + KEY])), -place))
    return int.from_bytes(needle[start : start + KEY], "little")


def _keys_in(part: bytes, first: np.ndarray, wanted: np.ndarray) -> list[int]:
    """The keys that stand in a part of a file."""
    if len(part) < KEY or not len(wanted):
        return []
    content = np.frombuffer(part, np.uint8)
    twos = content[:-1] | (content[1:].astype(np.uint16) << 8)  # as little-endian numbers
    places = np.flatnonzero(first[twos[: len(part) - KEY + 1]])
    eights = sliding_window_view(content, KEY)[places].view("<u8")[:, 0]
    at = np.minimum(np.searchsorted(wanted, eights), len(wanted) - 1)
    return np.unique(eights[wanted[at] == eights]).tolist()


def _parts(path: Path, at_once: int, overlap: int) -> Iterator[bytes]:
    """A file in parts, each beginning with the end of the one before."""
    try:
        with path.open("rb") as file:
            before = b""
            while new := file.read(at_once):
                yield (part := before + new)
                before = part[len(part) - min(overlap, len(part)) :]
    except FileNotFoundError:
        return
