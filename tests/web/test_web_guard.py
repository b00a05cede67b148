"""Who may ask: other hosts and origins are turned away, and so is what is too large."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.testclient import TestClient

from shoal.web.app import create_app
from shoal.web.guard import POLICY
from shoal.web.uploads import Limits
from tests.web.conftest import ORIGIN


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8000", "localhost", "LOCALHOST:80", "[::1]:8000"])
def test_names_of_this_machine_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8000", "", "192.168.0.7", "[::2]", "[::1", "@"],
)
def test_other_names_are_turned_away(client: TestClient, host: str) -> None:
    found = client.get("/health", headers={"host": host})
    if host == "[::1":  # reads as this machine's, which it can only be
        assert found.status_code in {200, 421}
    else:
        assert found.status_code == 421
        assert "expected an address of this server" in found.text


@given(host=st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=40))
def test_no_host_makes_it_fail(client: TestClient, host: str) -> None:
    assert client.get("/health", headers={"host": host}).status_code in {200, 421}


def test_a_server_for_others_answers_to_numbers_but_to_no_foreign_name(tmp_path: Path) -> None:
    wide = TestClient(create_app(tmp_path, any_address=True), base_url=ORIGIN)
    assert wide.get("/health", headers={"host": "192.168.0.7:8000"}).status_code == 200
    assert wide.get("/health", headers={"host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),  # curl
        ({"origin": ORIGIN}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:9000"}, 403),  # another server of this machine
        ({"origin": "https://127.0.0.1:8000"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-origin", "origin": ORIGIN}, 200),
    ],
)
def test_changes_come_from_own_pages_only(client: TestClient, headers: dict[str, str], status: int) -> None:
    found = client.post("/runs/attention/cancel", headers=headers)  # nothing runs: it shows how the run stands
    assert found.status_code == status


def test_links_from_elsewhere_open_but_parts_do_not(client: TestClient) -> None:
    elsewhere = {"sec-fetch-site": "cross-site"}
    assert client.get("/", headers=elsewhere | {"sec-fetch-mode": "navigate"}).status_code == 200
    assert client.get("/", headers=elsewhere | {"sec-fetch-mode": "no-cors"}).status_code == 403


@pytest.mark.parametrize("path", ["/", "/nothing", "/static/web.css", "/static/report.css", "/health"])
def test_every_answer_says_what_its_page_may_do(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert headers["x-content-type-options"] == "nosniff"


def test_a_request_that_is_too_large_is_refused_whatever_its_length_is_said_to_be(tmp_path: Path) -> None:
    app = create_app(tmp_path, limits=Limits(most_bytes=1000))

    async def read(request: Request) -> int:
        return len(await request.body())

    app.add_api_route("/read", read, methods=["POST"])
    small = TestClient(app, base_url=ORIGIN)
    most = Limits(most_bytes=1000).request_bytes
    pieces = lambda count: (b"x" * 1000 for _ in range(count))  # noqa: E731 - sent without a length
    assert small.post("/read", content=b"x" * most).json() == most
    assert small.post("/read", content=pieces(5)).json() == 5000
    for content in (b"x" * (most + 1), pieces(most // 1000 + 1)):
        found = small.post("/read", content=content)
        assert found.status_code == 413
    assert small.post("/read", content=b"x", headers={"content-length": "-1"}).status_code == 413
