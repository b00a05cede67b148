"""Reading bytes into memory that is there already, from anything that can be read."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Readable(Protocol):
    """An open file, a member of an archive, or a gzip stream."""

    def read(self, size: int = -1, /) -> bytes:
        """Read at most `size` bytes."""
        ...


def read_into(file: Readable, view: memoryview) -> int:
    """Fill a view as far as the file goes, without a second copy of all of it.

    Args:
        file: where to read.
        view: bytes to fill.

    Returns:
        The number of bytes that were there.

    Example:
        >>> import io
        >>> read_into(io.BytesIO(b"abc"), memoryview(bytearray(5)))
        3
    """
    done = 0
    while done < len(view) and (chunk := file.read(min(len(view) - done, 1 << 22))):
        view[done : done + len(chunk)] = chunk
        done += len(chunk)
    return done
