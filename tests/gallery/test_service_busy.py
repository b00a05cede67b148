"""Many at once: several clients, more requests than are worked at together, and one that takes its time to come."""

import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx2 as httpx
import pytest

from shoal.gallery import Gallery
from shoal.web.gallery import desk as desks
from shoal.web.gallery import photos as photo_forms
from tests.gallery.made_up import EYE, Place, picture
from tests.gallery.service import API, asked, fault_of, photo, photos, served

CLIENTS = 4


def work(address: str, number: int) -> list[int]:
    """Enrol somebody, ask for them, give them another name; gives the statuses of all answers."""
    name = f"client {number}"
    with httpx.Client(base_url=address, timeout=120) as client:
        answers = [
            client.post(f"{API}/faces", files=photos(picture(number), picture(number, 1)), data={"person": name}),
            client.post(f"{API}/identify", files=photo(picture(number, 2))),
            client.get(f"{API}/clusters"),
            client.post(f"{API}/people/rename", json={"person": name, "name": f"renamed {name}"}),
            client.get(f"{API}/audit"),
        ]
    assert name in [match["person"] for match in answers[1].json()["matches"]]
    return [answer.status_code for answer in answers]


def test_several_clients_lose_nothing_and_meet_no_error(place: Place):
    with served(place.where) as address, ThreadPoolExecutor(CLIENTS) as pool:
        told = list(pool.map(work, [address] * CLIENTS, range(CLIENTS)))
    assert told == [[200] * 5] * CLIENTS
    with place.open(model=EYE) as gallery:
        assert [person.name for person in gallery.people()] == [f"renamed client {n}" for n in range(CLIENTS)]
        assert len(gallery) == 2 * CLIENTS
        assert len(gallery.audit().entries) == 3 * CLIENTS
        assert gallery.check() == []


def test_who_waits_too_long_is_told_that_it_is_busy(file: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(desks, "PATIENCE", 0.05)
    with asked(file.where) as client:
        free = client.app.state.desk._free  # type: ignore[attr-defined]
        assert client.portal is not None
        taken = 0
        while not free.locked():
            client.portal.call(free.acquire)
            taken += 1
        assert taken >= 2
        busy = client.post(f"{API}/identify", files=photo(picture(1)))
        assert fault_of(busy) == (503, "busy")
        assert int(busy.headers["retry-after"]) > 0
        page = client.post("/gallery/enrol", files=photos(picture(1)))
        assert page.status_code == 503
        assert "too many photos" in page.text
        assert client.get(f"{API}/people").status_code == 200  # what takes no photos goes on
        free.release()
        assert client.post(f"{API}/identify", files=photo(picture(1))).status_code == 200


def test_a_request_that_does_not_come_gives_its_place_away(file: Place, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(photo_forms, "RECEIVING", 0.3)
    with served(file.where) as address:
        place = urlsplit(address)
        head = f"POST {API}/faces HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Length: 5000\r\n"
        head += "Content-Type: multipart/form-data; boundary=x\r\nConnection: close\r\n\r\n--x\r\n"
        with socket.create_connection((place.hostname, place.port), timeout=60) as connection:
            connection.sendall(head.encode())
            said = b""
            while part := connection.recv(4096):
                said += part
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"slow"' in said
    with Gallery.open(file.where) as gallery:
        assert len(gallery) == 0
