"""PostgreSQL as others run it: its own defaults, few rights, many who begin at once, readers who take long."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from shoal.errors import ShoalError
from shoal.gallery import Gallery
from tests.gallery.conftest import new_database
from tests.gallery.made_up import Place, directions, fill


def run(where: str, *statements: str) -> None:
    import psycopg

    with psycopg.connect(where, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[arg-type]


def open_at_once(where: str, clients: int) -> list[int]:
    """Several open a gallery that is not there yet, and enrol."""
    start = Barrier(clients)

    def begin(number: int) -> int:
        start.wait()
        with Gallery.open(where) as gallery:
            return len(gallery.enrol(f"person {number}", directions(1, 2, seed=number)[0]))

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(begin, range(clients)))


def test_a_gallery_is_made_once_however_many_begin(place: Place):
    assert open_at_once(place.where, 8) == [2] * 8
    with place.open() as gallery:
        assert len(gallery) == 16
        assert gallery.check() == []
        assert len(gallery.models()) == 1


def test_writers_wait_for_each_other_whatever_level_the_server_prefers(server: str):
    where = new_database(server)
    name = where.split("/")[3].split("?")[0]
    run(where, f"ALTER DATABASE {name} SET default_transaction_isolation TO 'serializable'")
    assert open_at_once(where, 6) == [2] * 6
    with Gallery.open(where) as gallery:
        assert len(gallery.audit().entries) == 6
        assert gallery.audit().intact


def test_a_user_who_may_make_nothing_uses_a_gallery(server: str):
    where = new_database(server)
    with Gallery.open(where) as gallery:
        fill(gallery, directions(3, 2))
    name = where.split("/")[3].split("?")[0]
    run(
        where,
        "DROP ROLE IF EXISTS clerk",
        "CREATE ROLE clerk LOGIN",
        f"REVOKE CREATE ON DATABASE {name} FROM PUBLIC",
        "GRANT USAGE ON SCHEMA shoal_gallery TO clerk",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA shoal_gallery TO clerk",
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA shoal_gallery TO clerk",
    )
    with Gallery.open(where.replace("//postgres:", "//clerk:")) as gallery:
        gallery.enrol("new", directions(1, 2, seed=5)[0])
        assert gallery.identify(directions(3, 2)[1, 0])[0].person == "person 001"
        erasure = gallery.forget("person 000")
        assert len(gallery) == 6
        assert not erasure.complete  # the tables are another's, who may rewrite them
    with Gallery.open(where) as gallery:
        assert gallery.forget("person 001").complete


def test_somebody_who_reads_for_long_is_said_and_the_rest_is_done_later(server: str):
    import psycopg

    where = new_database(server)
    with Gallery.open(where) as gallery:
        fill(gallery, directions(3, 2))
    reader = psycopg.connect(where)
    reader.execute("SELECT COUNT(*) FROM shoal_gallery.vectors")
    from shoal.gallery import forgetting
    from shoal.gallery.postgres import Postgres

    database = Postgres(where, patience=0.3)
    with database.write() as rows:
        deleted = forgetting.delete_person(rows, database, "clerk", "person 001")
    erasure = forgetting.clean_up(database, deleted)
    database.close()
    assert not erasure.complete
    assert "finishes this" in erasure.says
    patient = Postgres(where, patience=0.3)  # opens nevertheless
    with patient.read() as rows:
        assert rows.all("SELECT unscrubbed FROM state") == [(1,)]
    patient.close()
    reader.close()
    with Gallery.open(where) as gallery, gallery._database.read() as rows:
        assert rows.all("SELECT unscrubbed FROM state") == [(0,)]


def test_another_who_writes_for_long_is_waited_for_and_then_named(server: str):
    import psycopg

    from shoal.gallery.postgres import LOCK, Postgres

    where = new_database(server)
    database = Postgres(where, patience=0.3)
    with psycopg.connect(where) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        with pytest.raises(ShoalError, match=r"writing for 0\.3 s; nothing was changed"), database.write():
            pass
    with database.write() as rows:
        assert rows.revision == 1
    database.close()


def test_a_password_is_in_no_message_wherever_it_stands():
    pytest.importorskip("psycopg")
    for where in ("postgresql://127.0.0.1:9/none?user=ann&password=secret", "postgresql://ann:secret@127.0.0.1:9/none"):
        with pytest.raises(ShoalError, match="nothing was changed") as error:
            Gallery.open(where)
        assert "secret" not in str(error.value)
        assert str(error.value).startswith("127.0.0.1:9/none: ")
