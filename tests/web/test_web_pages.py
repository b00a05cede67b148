"""Pages of the house: the entrance, its states, and errors in words."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from shoal.errors import ShoalError, wrong
from shoal.web.app import create_app
from shoal.web.problems import FAILED
from shoal.web.rooms import NAMES, load_rooms
from tests.report.outline import outline
from tests.web.conftest import ORIGIN

PART = {"hx-request": "true"}


def test_the_entrance_lists_rooms_and_how_their_runs_stand(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    for room in load_rooms():
        assert f'href="/{room.name}"' in page.text
        assert room.sentence.split(",")[0] in page.text.replace("&#39;", "'")
    assert "no run of attention yet" in page.text


def test_health(client: TestClient) -> None:
    found = client.get("/health").json()
    assert found["status"] == "ok"
    assert found["warm"] in {True, False}


def test_rooms_keep_the_contract() -> None:
    rooms = load_rooms()
    assert [room.name for room in rooms] == [name for name in NAMES if name in {room.name for room in rooms}]
    assert {"attention", "circuits"} <= {room.name for room in rooms}
    for room in rooms:
        assert room.sentence.endswith(".")
        assert room.studies


@pytest.mark.parametrize("path", ["/", *(f"/{room.name}" for room in load_rooms()), "/runs/faces", "/nothing"])
def test_every_page_has_its_parts_and_no_inline_style_or_script(client: TestClient, path: str) -> None:
    page = client.get(path)
    root = outline(page.text)
    assert page.text.count("<h1") == 1
    assert page.text.count("<main") == 1
    assert 'lang="en"' in page.text
    assert len(page.content) < 500_000
    assert ' style="' not in page.text  # the Content-Security-Policy refuses them
    assert " onclick=" not in page.text
    assert " onsubmit=" not in page.text
    assert "http://" not in page.text.replace("http://www.w3.org/", "")
    assert "https://" not in page.text
    assert root is not None


def test_rooms_start_without_torch(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom starlette.testclient import TestClient\n"
        "from shoal.web.app import create_app\n"
        f"client = TestClient(create_app(Path({str(tmp_path)!r})), base_url={ORIGIN!r})\n"
        "assert client.get('/').status_code == 200\n"
        "early = client.app.state.house.warming\n"
        "early._started.acquire()\n"  # as if another thread were importing
        "assert 'Getting ready' in client.get('/attention').text\n"
        "assert 'Getting ready' in client.get('/circuits?rule=same').text\n"
        "print(sorted({'torch', 'altair', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def test_what_is_missing_is_said(client: TestClient) -> None:
    page = client.get("/nothing")
    assert page.status_code == 404
    assert "There is no such page here." in page.text
    assert 'href="/attention"' in page.text  # a way on
    assert client.get("/nothing", headers={"accept": "application/json"}).json() == {
        "error": "There is no such page here."
    }
    assert client.delete("/").status_code == 405
    assert client.get("/static/../app.py").status_code == 404
    assert client.get("/static/%2e%2e/app.py").status_code == 404
    unknown = client.get("/runs/exit")
    assert unknown.status_code == 422
    assert "did you mean" in unknown.text


def test_a_parameter_of_the_wrong_kind_is_said_in_the_houses_form(client: TestClient) -> None:
    page = client.get("/attention", params={"features": "many"})
    assert page.status_code == 422
    assert "features: expected a valid integer" in page.text
    part = client.get("/attention", params={"features": "many"}, headers=PART)
    assert part.status_code == 422
    assert "<html" not in part.text
    assert 'role="alert"' in part.text


def failing(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_what_fails_is_told_without_a_stack_trace(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(tmp_path)
    client = TestClient(app, base_url=ORIGIN, raise_server_exceptions=False)
    secret = "what only the log says"
    errors = {
        "/own": ShoalError("the disk is full"),
        "/input": wrong("x", expected="1", got="2"),
        "/bug": KeyError(secret),
    }
    for path, error in errors.items():
        app.add_api_route(path, failing(error))
    assert (client.get("/own").status_code, client.get("/input").status_code) == (500, 422)
    assert "the disk is full" in client.get("/own").text
    assert "x: expected 1, got 2" in client.get("/input").text
    page = client.get("/bug")
    assert page.status_code == 500
    assert FAILED.split(".")[0] in page.text
    assert "Traceback" not in page.text
    assert secret not in page.text
    assert secret in caplog.text
