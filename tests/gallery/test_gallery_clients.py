"""Eight clients at once, each a process of its own: no update is lost, and nobody meets an error."""

import multiprocessing

import pytest

from shoal.gallery import Gallery
from tests.gallery.client import work
from tests.gallery.made_up import Place, directions

# a server that has imported everything once: its children are ready in milliseconds
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["tests.gallery.client"])


def run_clients(where: str, clients: int, seconds: float) -> list[dict[str, int]]:
    with _SERVER.Pool(clients) as pool:
        return pool.starmap(work, [(where, number, seconds) for number in range(clients)], chunksize=1)


def check_clients(where: str, told: list[dict[str, int]]) -> None:
    with Gallery.open(where) as gallery:
        assert len(gallery) == sum(one["enrolled"] for one in told)
        expected = {
            f"renamed person {step} of client {n}" for n, one in enumerate(told) for step in range(one["people"])
        }
        assert {person.name for person in gallery.people()} == expected
        assert gallery.check() == []
        assert gallery.audit().intact
        assert len(gallery.audit().entries) == 2 * sum(one["people"] for one in told)
        assert gallery.identify(directions(1, 3, seed=10_000)[0, 2])[0].person == "renamed person 0 of client 1"
    assert sum(one["right"] for one in told) >= 0.98 * sum(one["asked"] for one in told)


def test_clients_in_processes_of_their_own(place: Place):
    place.open().close()
    check_clients(place.where, run_clients(place.where, 3, 1.0))


@pytest.mark.slow
def test_eight_clients_for_a_minute(place: Place):
    place.open().close()
    check_clients(place.where, run_clients(place.where, 8, 60.0))
