"""API keys: 256 random bits each, of which only a hash is kept.

    shoal gallery key --keys keys.jsonl --name phone            # prints the key, once

The file has a line for each key, {"name": "phone", "made": "2026-…", "sha256": "…"}. Deleting a line withdraws the key
at once, also from a service that runs. People choose few of the possible passwords, so that these need a slow hash;
of 2²⁵⁶ keys that are all as likely nobody can try a share worth naming, and one SHA-256 hides a key as well as any.
"""

import hashlib
import hmac
import json
import logging
import secrets
import threading
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from shoal.errors import ShoalError, wrong
from shoal.files import atomic_file

PREFIX = "shoal_"  # so that a key is known for one where it should not be
BYTES = 32
LONGEST_NAME = 100
_LOG = logging.getLogger("shoal.web")


@dataclass(frozen=True)
class Key:
    """What is kept of a key.

    Attributes:
        name: of whoever has it; stands in the audit log.
        made: when, UTC.
        sha256: of the key, in hexadecimal digits.
    """

    name: str
    made: str
    sha256: str


class KeyRing:
    """The keys of a file, read anew whenever it has changed.

    Args:
        path: of the file.

    Raises:
        InputError: if there is no such file, or it holds something else.
    """

    def __init__(self, path: str | Path):
        self._path, self._lock = Path(path), threading.Lock()
        self._stamp, self._keys = _stamp(self._path), read_keys(self._path)

    def find(self, key: str) -> Key | None:
        """The key that this is; compared in constant time, with every key that there is."""
        return self._among(hash_of(key))

    def holds(self, key: Key) -> bool:
        """Whether a key that was found before has not been withdrawn since."""
        return self._among(key.sha256) == key

    def __len__(self) -> int:
        return len(self._current())

    def _among(self, digest: str) -> Key | None:
        found = None
        for key in self._current():
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found

    def _current(self) -> tuple[Key, ...]:
        with self._lock:
            stamp = _stamp(self._path)
            if stamp != self._stamp:
                try:
                    self._keys = read_keys(self._path)
                except ShoalError as error:  # nobody is let in by a file that cannot be read
                    _LOG.error("no key is accepted: %s", error)
                    self._keys = ()
                self._stamp = stamp
            return self._keys


def hash_of(key: str) -> str:
    """What is kept of a key.

    Example:
        >>> hash_of("shoal_")[:8]
        'a8cdfd78'
    """
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def make_key(path: str | Path, name: str) -> str:
    """Make a key, and add what is kept of it to a file, which nobody else may read.

    Args:
        path: of the file; made where there is none.
        name: of whoever gets the key.

    Returns:
        The key; it cannot be had again.

    Raises:
        InputError: if the name is taken or cannot be shown, or the file holds something else.
        ShoalError: if the file cannot be written.
    """
    path = Path(path)
    keys = read_keys(path) if path.exists() else ()
    name = name.strip()
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise wrong("--name", expected=f"1 to {LONGEST_NAME} characters that can be shown", got=ascii(name[:40]))
    if any(key.name == name for key in keys):
        raise wrong("--name", expected="one that no key has", got=repr(name), fix=f"delete its line in {path} first")
    key = PREFIX + secrets.token_urlsafe(BYTES)
    made = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    with atomic_file(path) as file:
        Path(file.name).chmod(0o600)
        for one in (*keys, Key(name, made, hash_of(key))):
            file.write((json.dumps(asdict(one), ensure_ascii=False) + "\n").encode())
    return key


def read_keys(path: Path) -> tuple[Key, ...]:
    """What is kept of the keys of a file.

    Raises:
        InputError: if there is no such file, or it holds something else.
    """
    fix = "make one with `shoal gallery key --keys FILE --name NAME`"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        got = "no such file" if isinstance(error, FileNotFoundError) else "one that cannot be read"
        raise wrong(str(path), expected="a file of keys", got=got, fix=fix) from None
    return tuple(_key(line, f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip())


def _key(line: str, where: str) -> Key:
    try:
        key = Key(**json.loads(line))
        if len(bytes.fromhex(key.sha256)) == hashlib.sha256().digest_size and isinstance(key.name, str):
            return key
    except (ValueError, TypeError):
        pass
    raise wrong(where, expected="a key as `shoal gallery key` writes it", got="something else", fix="delete the line")


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size, about.st_ino
