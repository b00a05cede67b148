"""Writing files so that nothing half-written is ever seen, and a full disk says so in one line.

A file appears under its name only when it is complete and on disk: it is written beside its place, synced,
then renamed. A process killed at any moment leaves the old file or the new one.
"""

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from shoal.errors import ShoalError, wrong

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def explain_os_error(error: OSError, path: Path) -> ShoalError:
    """Turn what the operating system says about writing `path` into the house's one-line message."""
    if error.errno in _FULL:
        with contextlib.suppress(OSError):
            free = shutil.disk_usage(path.parent).free / 1e6
            return ShoalError(
                f"disk full while writing {path}: {free:.0f} MB are free there; free some space, or choose another "
                "folder, and run the same command again (nothing half-written was kept)"
            )
        return ShoalError(f"disk full while writing {path}; free some space and run the same command again")
    if error.errno in _FORBIDDEN:
        return ShoalError(f"cannot write {path}: permission denied; choose a folder that you can write to")
    return ShoalError(f"cannot write {path}: {error.strerror or error}; choose another folder")


@contextlib.contextmanager
def atomic_file(path: str | Path) -> Iterator[BinaryIO]:
    """Open a file for writing that takes its name only once it is complete and synced.

    Args:
        path: the final name; missing folders above it are made.

    Yields:
        A binary file to write to. If the block raises, the file under `path` stays as it was.

    Raises:
        ShoalError: if the disk is full or the folder cannot be written.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise explain_os_error(error, path) from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink()


def check_folder(folder: str | Path, setting: str = "--output") -> None:
    """Refuse, before hours of work, a folder that could not be written to.

    Args:
        folder: where results are going to lie; need not exist.
        setting: what names it, for the message.

    Raises:
        InputError: if it is a file, or inside one.
        ShoalError: if it is not this user's to write to.
    """
    folder = Path(folder).absolute()
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir():
        raise wrong(setting, expected="a folder, or a new name", got=f"{nearest}, a file")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise explain_os_error(PermissionError(errno.EACCES, os.strerror(errno.EACCES)), folder)


def remove_partials(folder: Path) -> None:
    """Remove what killed processes left half-written in a folder that no living process writes to."""
    for partial in folder.rglob(".*.partial"):
        with contextlib.suppress(OSError):
            partial.unlink()


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8 to `path`, completely or not at all (see `atomic_file`)."""
    with atomic_file(path) as file:
        file.write(text.encode())


def write_json(path: str | Path, value: object) -> None:
    """Write `value` as indented JSON to `path`, completely or not at all; NaN is refused, not written."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def _sync_folder(folder: Path) -> None:
    """Make a rename itself survive a power cut; some file systems cannot, and that is fine."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
