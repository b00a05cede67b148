"""Bring one file over HTTP: resumed where it broke off, given up where nothing comes, kept only if it is right.

The bytes collect in NAME.partial, which the next attempt goes on with, also after a crash. The file takes its
name when it is complete and its checksum is right; with a wrong checksum it is set aside as NAME.bad.
Proxies are taken from the environment, as by urllib.
"""

import contextlib
import hashlib
import http.client
import os
import queue
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from shoal.data.specs import Checksum, Download
from shoal.errors import ShoalError
from shoal.files import explain_os_error

Report = Callable[[str, int, int], None]
"""Is told how far a transfer is: file name, bytes there, bytes in all."""

CONNECT_SECONDS = 4.0
_WINDOW = 8.0  # a transfer must bring _LEAST bytes in so many seconds
_LEAST = 10_000
_CHUNK = 1 << 18


class _BrokenError(Exception):
    """A transfer that ended early; what it brought is kept."""


def download(
    item: Download, folder: Path, *, progress: Report | None = None, patience: float = CONNECT_SECONDS
) -> Path:
    """Bring a file into a folder, unless it lies there already with the right checksum.

    Args:
        item: address, size and checksum.
        folder: where to; made if missing.
        progress: called now and then, see `Report`.
        patience: seconds to wait for an answer, and for the next bytes of a transfer.

    Returns:
        The path of the complete, checked file.

    Raises:
        ShoalError: if the address does not answer, the transfer stalls twice, the checksum is wrong, or the
            disk is full.
    """
    target = folder / item.name
    if target.is_file() and file_digest(target, item.checksum.algorithm) == item.checksum.digest:
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _claim_partial(target) as (file, partial):
            _collect(item, file, progress or _ignore, patience)
            _keep_if_right(item, file, partial, target)
    except OSError as error:
        raise explain_os_error(error, target) from error
    return target


def file_digest(path: Path, algorithm: str) -> str:
    """Hexadecimal digest of a file as it lies on disk."""
    with path.open("rb") as file:
        return _digest(file, algorithm)


def _digest(file: BinaryIO, algorithm: str) -> str:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


def _collect(item: Download, file: BinaryIO, progress: Report, patience: float) -> None:
    """Transfer the rest of the file; where the line breaks, once more from there."""
    for attempt in (1, 2):
        began_at = file.seek(0, os.SEEK_END)
        try:
            if began_at < item.size:
                _transfer(item, file, progress, patience)
            if _matches(file, item.checksum) or not began_at or attempt == 2:
                return
            file.truncate(0)  # a rest of another version of the file: only a fresh start can help
        except _BrokenError as error:
            if attempt == 2:
                there = file.seek(0, os.SEEK_END)
                raise ShoalError(
                    f"{item.url}: {error} after {there:,} of {item.size:,} bytes; "
                    "run the same command again to go on from there"
                ) from error


def _transfer(item: Download, file: BinaryIO, progress: Report, patience: float) -> None:
    """Append what is missing; a server that cannot send a part sends all."""
    start = file.seek(0, os.SEEK_END)
    with _open_url(item.url, start, patience) as answer:
        if start and not _continues(answer, start):
            file.truncate(0)
            start = file.seek(0)
        done, window = start, (time.monotonic(), start)
        while chunk := _read(answer):
            file.write(chunk)
            done += len(chunk)
            if done > item.size:
                return  # the checksum will say that this is another file
            progress(item.name, done, item.size)
            window = _check_pace(window, done)
    if done < item.size and _promised(answer, start) != done:
        raise _BrokenError("the transfer ended")


def _open_url(url: str, start: int, patience: float) -> http.client.HTTPResponse:
    """Ask for a file from byte `start` on; nothing may take longer than twice `patience`, names included."""
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    answers: queue.Queue[http.client.HTTPResponse | Exception] = queue.Queue()

    def ask() -> None:
        try:
            answers.put(urllib.request.urlopen(request, timeout=patience))
        except Exception as error:
            answers.put(error)

    # Looking up a name has no timeout of its own: wait for it in a thread that may be left behind.
    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=2 * patience)
    except queue.Empty:
        answer = TimeoutError("no answer")
    if isinstance(answer, urllib.error.HTTPError):
        with answer:
            if answer.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and start:
                return _open_url(url, 0, patience)
            raise ShoalError(f"{url}: the server answers {answer.code} {answer.reason}; try again later")
    if isinstance(answer, Exception):
        reason = getattr(answer, "reason", answer)
        raise ShoalError(f"{url}: cannot be reached ({reason}); check the network and the proxy settings") from answer
    return answer


def _continues(answer: http.client.HTTPResponse, start: int) -> bool:
    """Whether the server goes on where we are, and does not send the file from its beginning."""
    return answer.status == http.HTTPStatus.PARTIAL_CONTENT and (
        answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")
    )


def _promised(answer: http.client.HTTPResponse, start: int) -> int | None:
    """Bytes that the whole file has according to the server."""
    length = answer.headers.get("Content-Length")
    return start + int(length) if length and length.isdigit() else None


def _read(answer: http.client.HTTPResponse) -> bytes:
    try:
        return answer.read1(_CHUNK)
    except TimeoutError as error:
        raise _BrokenError("the transfer stalled") from error
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenError(f"the connection broke ({error})") from error


def _check_pace(window: tuple[float, int], done: int) -> tuple[float, int]:
    """A transfer that only trickles counts as stalled."""
    since, before = window
    now = time.monotonic()
    if now - since < _WINDOW:
        return window
    if done - before < _LEAST:
        raise _BrokenError("the transfer stalled")
    return now, done


def _matches(file: BinaryIO, checksum: Checksum) -> bool:
    file.flush()
    file.seek(0)
    return _digest(file, checksum.algorithm) == checksum.digest


def _keep_if_right(item: Download, file: BinaryIO, partial: Path, target: Path) -> None:
    size = file.seek(0, os.SEEK_END)
    if _matches(file, item.checksum):
        os.fsync(file.fileno())
        partial.replace(target)
        return
    bad = target.with_name(target.name + ".bad")
    partial.replace(bad)
    raise ShoalError(
        f"{item.url}: expected {item.size:,} bytes with {item.checksum}, got {size:,} bytes with another checksum; "
        f"they are set aside as {bad}, try again or from another network"
    )


@contextlib.contextmanager
def _claim_partial(target: Path) -> Iterator[tuple[BinaryIO, Path]]:
    """Open NAME.partial for this process alone; where another one is at it, a file of our own.

    The lock goes when the process goes, however it ends, so that a crash leaves a partial file to go on with.
    """
    partial = target.with_name(target.name + ".partial")
    file = partial.open("a+b")
    shared = _lock(file) and _is_still(file, partial)
    if not shared:
        file.close()
        partial = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}.partial")
        file = partial.open("a+b")
    with file:
        try:
            yield file, partial
        finally:  # before the lock goes: what is ours alone, or empty, helps nobody
            if not shared or (_is_still(file, partial) and not file.seek(0, os.SEEK_END)):
                partial.unlink(missing_ok=True)


def _lock(file: BinaryIO) -> bool:
    """Whether the file is ours now; False also where the system has no such locks."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True


def _is_still(file: BinaryIO, path: Path) -> bool:
    """Whether the path still means the file that was opened: whoever had the lock may have renamed it."""
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    return False


def _ignore(name: str, done: int, total: int) -> None:
    """Report to nobody."""
