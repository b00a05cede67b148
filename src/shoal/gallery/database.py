"""The one small interface that a gallery has to its database, behind which are two: SQLite and PostgreSQL.

    with database.read() as rows:                        # one moment's state, however long it takes
        rows.all("SELECT id, name FROM people")
    with database.write() as rows:                       # all of it, or nothing; one writer at a time
        rows.run("UPDATE people SET name = ? WHERE id = ?", name, person)

Values stand for question marks, never in the text. Every writing transaction has a revision of its own, one more than
the one before: rows that were added or changed carry it, so that whoever holds a copy in memory asks for what is new.
"""

import json
import queue
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from shoal.errors import ShoalError, wrong
from shoal.gallery.schema import VERSION, statements

C = TypeVar("C")
NEVER = 0  # the revision before the first


@runtime_checkable
class Rows(Protocol):
    """A transaction that is under way.

    Attributes:
        revision: of this transaction, where it writes; the newest that it sees, where it reads.
    """

    revision: int

    def all(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Every row of a query."""
        ...

    def run(self, sql: str, *values: Any) -> int:
        """Run a statement; gives how many rows it touched."""
        ...

    def many(self, sql: str, values: Sequence[Sequence[Any]]) -> None:
        """Run a statement for each of several rows of values."""
        ...


def one(rows: Rows, sql: str, *values: Any) -> tuple[Any, ...] | None:
    """The first row of a query, or None."""
    found = rows.all(sql, *values)
    return found[0] if found else None


def number(rows: Rows, sql: str, *values: Any) -> int:
    """The single whole number that a query gives."""
    return int(rows.all(sql, *values)[0][0])


@dataclass(frozen=True)
class Scrubbed:
    """What was done so that deleted bytes are gone.

    Attributes:
        complete: whether everything was done that the database can do.
        proved: whether it can be shown on the files themselves.
        says: the same in a sentence, and what is left to do.
    """

    complete: bool
    proved: bool
    says: str


@runtime_checkable
class Database(Protocol):
    """A database that is open; used from any thread."""

    location: str

    def read(self) -> AbstractContextManager[Rows]:
        """A transaction that sees one moment's state and writes nothing."""
        ...

    def write(self) -> AbstractContextManager[Rows]:
        """A transaction that is written whole when the block ends, or not at all where it raises."""
        ...

    def encode(self, vector: NDArray[np.float32]) -> Any:
        """A vector as the database keeps it."""
        ...

    def decode(self, values: Sequence[Any], dim: int) -> NDArray[np.float32]:
        """Vectors as they come out of a query, as one array [n, dim]."""
        ...

    def check(self) -> list[str]:
        """What is wrong with the database itself; nothing if it is whole."""
        ...

    def scrub(self) -> Scrubbed:
        """Remove what deleted rows have left behind in files."""
        ...

    def scan(self, needles: Sequence[bytes]) -> int | None:
        """How many of these byte strings any file of the database holds; None where files are out of reach."""
        ...

    def close(self) -> None:
        """Give back every connection; may be called twice."""
        ...


class Pool(Generic[C]):
    """Connections that are taken for one transaction each, and made when none is free."""

    def __init__(self, connect: Callable[[], C], close: Callable[[C], None]):
        self._connect, self._close = connect, close
        self._free: queue.LifoQueue[C] = queue.LifoQueue()
        self.closed = False

    @contextmanager
    def take(self) -> Iterator[C]:
        """A connection; given back after the block, or closed where the block left it unusable."""
        if self.closed:
            raise ShoalError("this gallery is closed; open it again with Gallery.open")
        try:
            connection = self._free.get_nowait()
        except queue.Empty:
            connection = self._connect()
        try:
            yield connection
        except BaseException:
            with suppress(Exception):
                self._close(connection)
            raise
        if self.closed:
            self._close(connection)
        else:
            self._free.put(connection)

    def drain(self) -> None:
        """Close the connections that nobody uses."""
        with suppress(queue.Empty):
            while True:
                self._close(self._free.get_nowait())

    def close(self) -> None:
        """Close all; those in use are closed by whoever has them."""
        self.closed = True
        self.drain()


def now() -> str:
    """The time as it is written down: UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def migrate(rows: Rows, version: int, types: dict[str, str], location: str) -> None:
    """Bring the tables to the version of now; version 0 has none."""
    if version > VERSION:
        raise wrong(
            location,
            expected=f"a gallery of version {VERSION} at most",
            got=f"one of version {version}",
            fix="it was written by a newer Shoal: upgrade Shoal to open it",
        )
    for step in range(version + 1, VERSION + 1):
        for statement in statements(step, types):
            rows.run(statement)
    if version == 0:
        state = (VERSION, uuid.uuid4().hex, NEVER, 0, 0)
        rows.run(
            "INSERT INTO state (single, version, gallery, revision, erasures, unscrubbed) VALUES (1, ?, ?, ?, ?, ?)",
            *state,
        )
    elif version < VERSION:
        rows.run("UPDATE state SET version = ?", VERSION)


def next_revision(rows: Rows) -> int:
    """Count this transaction."""
    rows.run("UPDATE state SET revision = revision + 1")
    return this_revision(rows)


def this_revision(rows: Rows) -> int:
    """The newest revision that a transaction sees."""
    return number(rows, "SELECT revision FROM state")


def plain(value: Any) -> str:
    """JSON that is the same for the same values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def open_database(where: str) -> Database:
    """Open, and make where there is none.

    Args:
        where: path of a file, or postgresql://….

    Raises:
        InputError: if it is not a gallery, or of a newer version.
        ShoalError: if it cannot be reached, read or written.
    """
    if where.startswith(("postgresql://", "postgres://")):
        from shoal.gallery.postgres import Postgres

        return Postgres(where)
    from shoal.gallery.sqlite import Sqlite

    return Sqlite(where)
