"""A gallery in one file: SQLite in WAL mode, what is deleted overwritten, foreign keys kept, commits on disk.

Source: https://sqlite.org/pragma.html (secure_delete, application_id, wal_checkpoint), https://sqlite.org/wal.html.
"""

import errno
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shoal.errors import ShoalError, wrong
from shoal.gallery.database import Pool, Scrubbed, migrate, next_revision, this_revision
from shoal.gallery.scanning import found_in

APPLICATION = 0x53686F61  # "Shoa": what `file` and we know the file by
TYPES = {"id": "INTEGER PRIMARY KEY AUTOINCREMENT", "blob": "BLOB", "vector": "BLOB"}
PATIENCE = 20.0  # seconds to wait for another writer
_GUARDS = tuple(
    f"CREATE TRIGGER IF NOT EXISTS audit_no_{what.lower()} BEFORE {what} ON audit "
    "BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END"
    for what in ("UPDATE", "DELETE")
)


class Sqlite:
    """See `shoal.gallery.database.Database`.

    Args:
        path: of the file; made, with the folders above it, where there is none.
        patience: seconds to wait while another process writes.
    """

    def __init__(self, path: str, patience: float = PATIENCE):
        self.path = Path(path).expanduser().absolute()
        self.location, self._patience = str(path), patience
        if self.path.is_dir():
            raise wrong(self.location, expected="the file of a gallery, or a new name", got="a folder")
        self._pool = Pool(self._connect, lambda connection: connection.close())
        try:
            self._prepare()
        except BaseException:
            self._pool.close()
            raise

    def _connect(self) -> sqlite3.Connection:
        with self._explained():
            connection = sqlite3.connect(
                self.path, timeout=self._patience, isolation_level=None, check_same_thread=False
            )
            try:
                # one that was deleted is overwritten, in the file and nowhere else: sorting stays in memory
                for setting in ("secure_delete = ON", "foreign_keys = ON", "temp_store = MEMORY", "synchronous = FULL"):
                    connection.execute(f"PRAGMA {setting}").fetchall()
                return connection
            except BaseException:
                connection.close()
                raise

    def _prepare(self) -> None:
        """Make or migrate the tables; refuse what is no gallery without a byte of it changed."""
        with self._explained():
            self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._pool.take() as connection, self._explained():
            version = self._version(connection)
            if version == -1:
                raise wrong(self.location, expected="the file of a gallery", got="a database of something else")
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            self._locked(connection)
            try:
                rows = _Rows(connection)
                migrate(rows, self._version(connection), TYPES, self.location)
                for guard in _GUARDS:
                    rows.run(guard)
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                unscrubbed = rows.all("SELECT unscrubbed FROM state")[0][0]
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise
        if unscrubbed:  # a process was killed between forgetting somebody and the end of it
            self.scrub()

    def _locked(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")

    def _version(self, connection: sqlite3.Connection) -> int:
        """Of the schema: 0 for an empty file, −1 for something else."""
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            return 0
        ours = connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION
        if not ours or "state" not in tables:
            return -1
        return int(connection.execute("SELECT version FROM state").fetchone()[0])

    @contextmanager
    def read(self) -> Iterator["_Rows"]:
        """See the protocol."""
        with self._pool.take() as connection, self._explained():
            connection.execute("BEGIN")
            rows = _Rows(connection)
            rows.revision = this_revision(rows)
            yield rows
            connection.execute("COMMIT")

    @contextmanager
    def write(self) -> Iterator["_Rows"]:
        """See the protocol."""
        with self._pool.take() as connection, self._explained():
            self._locked(connection)
            try:
                rows = _Rows(connection)
                rows.revision = next_revision(rows)
                yield rows
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise

    def encode(self, vector: NDArray[np.float32]) -> bytes:
        """See the protocol."""
        return np.ascontiguousarray(vector, dtype="<f4").tobytes()

    def decode(self, values: Sequence[bytes], dim: int) -> NDArray[np.float32]:
        """See the protocol."""
        return np.frombuffer(b"".join(values), dtype="<f4").reshape(-1, dim)

    def check(self) -> list[str]:
        """See the protocol."""
        with self._pool.take() as connection, self._explained():
            said = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            dangling = connection.execute("PRAGMA foreign_key_check").fetchall()
        return [line for line in said if line != "ok"] + [f"{row[0]}: row {row[1]} points nowhere" for row in dangling]

    def scrub(self) -> Scrubbed:
        """Write the log into the file and cut it off: what was deleted is overwritten there already.

        Waits for other processes that still read an earlier state.
        """
        self._pool.drain()
        end = time.monotonic() + self._patience
        with (
            self._pool.take() as connection,
            self._explained(),
            suppress(sqlite3.OperationalError),
        ):  # busy all the time
            while time.monotonic() < end:
                ((erasures,),) = connection.execute("SELECT erasures FROM state").fetchall()
                busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                if not busy:
                    # somebody else may have been forgotten since, by another process that ends before its own scrub
                    connection.execute("UPDATE state SET unscrubbed = 0 WHERE erasures = ?", (erasures,))
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                    return Scrubbed(True, True, "deleted rows are overwritten in the file, and its log is empty")
                time.sleep(0.05)
        left = "another process still reads: when it has ended, open the gallery again, which finishes this"
        return Scrubbed(False, False, f"deleted rows are overwritten in the file, but the log still holds them; {left}")

    def scan(self, needles: Sequence[bytes]) -> int | None:
        """See the protocol."""
        return len(found_in(self.files(), needles))

    def files(self) -> list[Path]:
        """Every file of the database that is there."""
        names = [self.path.with_name(self.path.name + end) for end in ("", "-wal", "-shm", "-journal")]
        return [path for path in names if path.exists()]

    def close(self) -> None:
        """See the protocol."""
        self._pool.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """What SQLite says, as one line that says what to do."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise self._explain(error) from error

    def _explain(self, error: Exception) -> ShoalError:
        text, here = str(error), self.location
        code = getattr(error, "sqlite_errorname", "")
        if "not a database" in text:
            return wrong(here, expected="the file of a gallery", got="a file of another kind")
        if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return ShoalError(
                f"{here}: another process has been writing for {self._patience:g} s; nothing was changed; try again"
            )
        if code == "SQLITE_FULL" or getattr(error, "errno", None) == errno.ENOSPC:
            return ShoalError(f"{here}: the disk is full; nothing was changed; free some space and try again")
        if code.startswith("SQLITE_READONLY") or getattr(error, "errno", None) in (errno.EACCES, errno.EROFS):
            return ShoalError(f"{here}: cannot be written; nothing was changed; make file and folder writable")
        if code.startswith("SQLITE_CANTOPEN"):
            allowed = os.access(self.path.parent, os.W_OK | os.X_OK)
            fix = "check the path" if allowed else "the folder cannot be written to"
            return ShoalError(f"{here}: cannot be opened; {fix}")
        if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            return ShoalError(f"{here}: the file is damaged ({text}); bring back a copy of it")
        return ShoalError(f"{here}: {text}; nothing was changed")


class _Rows:
    """See `shoal.gallery.database.Rows`."""

    def __init__(self, connection: sqlite3.Connection):
        self._connection, self.revision = connection, 0

    def all(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values).fetchall()

    def run(self, sql: str, *values: Any) -> int:
        return self._connection.execute(sql, values).rowcount

    def many(self, sql: str, values: Sequence[Sequence[Any]]) -> None:
        self._connection.executemany(sql, values)
