"""A gallery in PostgreSQL with pgvector, for several machines; its tables lie in a schema of their own.

Writers wait for each other (one advisory lock), so that revisions and the audit log have one order; readers see one
moment's state and wait for nobody.

Source: https://www.postgresql.org/docs/18/explicit-locking.html (advisory locks), https://github.com/pgvector/pgvector.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from numpy.typing import NDArray

from shoal.errors import ShoalError, wrong
from shoal.gallery.database import Pool, Scrubbed, migrate, next_revision, this_revision
from shoal.gallery.schema import TABLES

if TYPE_CHECKING:
    from psycopg import Connection

SCHEMA = "shoal_gallery"
TYPES = {"id": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "blob": "BYTEA", "vector": "vector"}
LOCK = 0x53686F61  # of writers
PATIENCE = 20.0  # seconds
_GUARD = """
CREATE OR REPLACE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit log only grows'; END $$
"""
_GUARDED = """
CREATE OR REPLACE TRIGGER audit_guard BEFORE UPDATE OR DELETE ON audit
FOR EACH ROW EXECUTE FUNCTION audit_only_grows()
"""


class Postgres:
    """See `shoal.gallery.database.Database`.

    Args:
        where: postgresql://user@host/database. pgvector is made in it where it is missing, which needs the right to.
        patience: seconds to wait for a connection, and while others write.
    """

    def __init__(self, where: str, patience: float = PATIENCE):
        try:
            import pgvector.psycopg  # noqa: F401 - said here rather than in the middle of something
            import psycopg  # noqa: F401
        except ImportError as error:
            fix = "pip install 'shoal[postgres]'"
            raise ShoalError(f"{error.name} is needed for a gallery in PostgreSQL; {fix}") from None
        self._where, self._patience = where, patience
        self.location = shown(where)
        self._pool = Pool(self._connect, lambda connection: connection.close())
        try:
            self._prepare()
        except BaseException:
            self._pool.close()
            raise

    def _connect(self) -> "Connection[Any]":
        from pgvector.psycopg import register_vector

        connection = self._plain()
        try:
            with self._explained():
                register_vector(connection)
            return connection
        except BaseException:
            connection.close()
            raise

    def _plain(self) -> "Connection[Any]":
        """A connection that knows no vectors, which a new database does not either."""
        import psycopg

        with self._explained():
            connection = psycopg.connect(self._where, connect_timeout=max(2, int(self._patience)), autocommit=True)
            try:
                connection.execute(f"SET search_path TO {SCHEMA}, public")  # type: ignore[arg-type]
                connection.execute(f"SET lock_timeout TO '{int(1000 * self._patience)}ms'")  # type: ignore[arg-type]
                return connection
            except BaseException:
                connection.close()
                raise

    def _prepare(self) -> None:
        with closing(self._plain()) as connection, self._explained(), self._alone(connection):
            rows = _Rows(connection)
            # only what is missing: making needs rights that using does not
            if not rows.all("SELECT 1 FROM pg_namespace WHERE nspname = ?", SCHEMA):
                rows.run(f"CREATE SCHEMA {SCHEMA}")
            if not rows.all("SELECT 1 FROM pg_extension WHERE extname = 'vector'"):
                rows.run("CREATE EXTENSION vector SCHEMA public")
            migrate(rows, self._version(rows), TYPES, self.location)
            if not rows.all("SELECT 1 FROM pg_trigger WHERE tgname = 'audit_guard' AND tgrelid = 'audit'::regclass"):
                rows.run(_GUARD)
                rows.run(_GUARDED)
            unscrubbed = rows.all("SELECT unscrubbed FROM state")[0][0]
        if unscrubbed:
            self.scrub()

    def _version(self, rows: "_Rows") -> int:
        tables = {row[0] for row in rows.all("SELECT tablename FROM pg_tables WHERE schemaname = ?", SCHEMA)}
        if not tables:
            return 0
        if "state" not in tables:
            raise wrong(self.location, expected=f"a gallery in schema {SCHEMA}", got="tables of something else")
        return int(rows.all("SELECT version FROM state")[0][0])

    @contextmanager
    def read(self) -> Iterator["_Rows"]:
        """See the protocol."""
        with self._pool.take() as connection, self._explained(), connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            rows = _Rows(connection)
            rows.revision = this_revision(rows)
            yield rows

    @contextmanager
    def write(self) -> Iterator["_Rows"]:
        """See the protocol."""
        with self._pool.take() as connection, self._explained(), self._alone(connection):
            rows = _Rows(connection)
            rows.revision = next_revision(rows)
            yield rows

    @contextmanager
    def _alone(self, connection: "Connection[Any]") -> Iterator[None]:
        """A transaction that sees what the writers before it have written, whatever the server's usual level is."""
        with connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED READ WRITE")
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
            yield

    def encode(self, vector: NDArray[np.float32]) -> Any:
        """See the protocol."""
        from pgvector import Vector

        return Vector(np.ascontiguousarray(vector, dtype=np.float32))

    def decode(self, values: Sequence[Any], dim: int) -> NDArray[np.float32]:
        """See the protocol."""
        if not values:
            return np.empty((0, dim), dtype=np.float32)
        return np.stack([np.asarray(value.to_numpy(), dtype=np.float32) for value in values]).reshape(-1, dim)

    def check(self) -> list[str]:
        """See the protocol: what its own constraints do not keep; pages are checked by the server (checksums)."""
        with self.read() as rows:
            pending = rows.all("SELECT conname FROM pg_constraint WHERE NOT convalidated")
        return [f"constraint {row[0]} is not validated" for row in pending]

    def scrub(self) -> Scrubbed:
        """Rewrite the tables without what was deleted, and begin a new log."""
        try:
            self._rewrite()
        except ShoalError:
            left = "somebody else reads or writes for long, or this user does not own them"
            text = f"the rows are deleted, but the tables could not be rewritten without them: {left}"
            return Scrubbed(False, False, f"{text}; open the gallery again, which finishes this")
        left = (
            "the tables are rewritten without them; what a server's log, its copies, backups and freed disk blocks "
            "hold cannot be seen from here: recycle the log, and expire backups"
        )
        return Scrubbed(True, False, left)

    def _rewrite(self) -> None:
        with self._pool.take() as connection, self._explained():
            row, before = connection.execute("SELECT erasures FROM state").fetchone(), self._files(connection)
            for table in TABLES:
                connection.execute(f"VACUUM (FULL) {table}")  # type: ignore[arg-type]
            if before & self._files(connection):  # of somebody else's tables the server only warns
                raise ShoalError(f"{self.location}: the tables belong to another user, who may rewrite them")
            # somebody else may have been forgotten since, by another process that ends before its own scrub
            connection.execute("UPDATE state SET unscrubbed = 0 WHERE erasures = %s", row)
            for extra in ("CHECKPOINT", "SELECT pg_switch_wal()"):  # for those who may
                with suppress(Exception):
                    connection.execute(extra)  # type: ignore[arg-type]

    def _files(self, connection: "Connection[Any]") -> set[tuple[Any, ...]]:
        """The server's numbers of the files that the tables lie in."""
        sql = "SELECT relfilenode FROM pg_class WHERE oid = ANY(%s::regclass[])"
        return set(connection.execute(sql, (list(TABLES),)).fetchall())

    def scan(self, needles: Sequence[bytes]) -> int | None:  # noqa: ARG002
        """See the protocol: files belong to the server."""
        return None

    def index(self, model: int, dim: int) -> None:
        """Make pgvector's index (HNSW, squared Euclidean) for the vectors of a model."""
        with self._pool.take() as connection, self._explained():
            connection.execute(
                f"CREATE INDEX IF NOT EXISTS vectors_hnsw_{model} ON vectors USING hnsw "  # type: ignore[arg-type]
                f"((value::vector({dim})) vector_l2_ops) WHERE model = {model}"
            )

    def nearest(self, model: int, query: NDArray[np.float32], k: int) -> list[tuple[int, float]]:
        """Faces whose vectors of a model are nearest, with squared distances; by the index where there is one."""
        dim, value = len(query), self.encode(query)
        sql = (
            f"SELECT face, value::vector({dim}) <-> ?::vector({dim}) AS distance FROM vectors WHERE model = {model} "
            "ORDER BY distance LIMIT ?"
        )
        with self.read() as rows:
            rows.run("SELECT set_config('hnsw.ef_search', ?, true)", str(min(1000, max(40, 4 * k))))
            return [(int(face), float(distance) ** 2) for face, distance in rows.all(sql, value, k)]

    def close(self) -> None:
        """See the protocol."""
        self._pool.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        import psycopg

        try:
            yield
        except psycopg.errors.LockNotAvailable as error:
            text = f"{self.location}: others have been writing for {self._patience:g} s; nothing was changed; try again"
            raise ShoalError(text) from error
        except psycopg.Error as error:
            text = " ".join(str(error).split()) or type(error).__name__
            raise ShoalError(f"{self.location}: {text}; nothing was changed") from error


def shown(where: str) -> str:
    """An address without who, and without a password, wherever it stands.

    Example:
        >>> shown("postgresql://ann:secret@db.example:5432/faces?password=secret&sslmode=require")
        'db.example:5432/faces'
        >>> shown("postgresql:///faces?host=/run/postgres")
        '/run/postgres/faces'
    """
    parts = urlsplit(where)
    host = parts.netloc.rpartition("@")[2] or "".join(parse_qs(parts.query).get("host", []))
    return host + parts.path


class _Rows:
    """See `shoal.gallery.database.Rows`."""

    def __init__(self, connection: "Connection[Any]"):
        self._connection, self.revision = connection, 0

    def all(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._cursor(sql, values).fetchall()

    def run(self, sql: str, *values: Any) -> int:
        return self._cursor(sql, values).rowcount

    def many(self, sql: str, values: Sequence[Sequence[Any]]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(sql.replace("?", "%s"), values)  # type: ignore[arg-type]

    def _cursor(self, sql: str, values: Sequence[Any]) -> Any:
        cursor = self._connection.cursor(binary=True)
        # without values psycopg sends the text as it is: percent signs of functions stay
        return cursor.execute(sql.replace("?", "%s") if values else sql, values or None)  # type: ignore[arg-type]
