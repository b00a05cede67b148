"""The service of a gallery, asked in this process or started as a user does."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from shoal.web.gallery.app import create_service
from shoal.web.gallery.desk import PHOTOS, Desk
from shoal.web.gallery.keys import KeyRing
from shoal.web.uploads import Limits
from tests.gallery.made_up import EYE, picture

ORIGIN = "http://127.0.0.1:8000"
API = "/api/v1"


@contextmanager
def asked(
    where: str | Path, *, model: Any = EYE, ring: KeyRing | None = None, limits: Limits = PHOTOS
) -> Iterator[TestClient]:
    """A client of a service in this process."""
    app = create_service(Desk(where, model, limits=limits), ring=ring)
    with TestClient(app, base_url=ORIGIN, raise_server_exceptions=False, follow_redirects=False) as client:
        yield client


def photos(*contents: bytes) -> list[tuple[str, tuple[str, bytes, str]]]:
    """Photos of a form, as httpx takes them."""
    return [("photos", (f"{number}.png", content, "image/png")) for number, content in enumerate(contents)]


def photo(content: bytes) -> dict[str, tuple[str, bytes, str]]:
    """A photo of a form that has one."""
    return {"photo": ("who.png", content, "image/png")}


def enrol(client: TestClient, person: str | None, *contents: bytes, **more: str) -> list[int]:
    """Enrol photos that show a face each; gives the numbers of the faces."""
    fields = more | ({} if person is None else {"person": person})
    found = client.post(f"{API}/faces", files=photos(*contents), data=fields)
    assert found.status_code == 200, found.text
    return [face for one in found.json()["photos"] for face in one["faces"]]


def fill(client: TestClient, people: int, each: int) -> dict[str, list[int]]:
    """Enrol drawn people as person 0 and so on."""
    return {
        f"person {number}": enrol(client, f"person {number}", *(picture(number, at) for at in range(each)))
        for number in range(people)
    }


def fault_of(answer: Any) -> tuple[int, str]:
    """Status and code of an answer that says what is wrong, in the form that all have."""
    value = answer.json()
    assert set(value) == {"error"}
    assert set(value["error"]) == {"code", "message"}
    assert "\n" not in value["error"]["message"]
    return answer.status_code, value["error"]["code"]


def start(*words: str, cwd: Path) -> "tuple[subprocess.Popen[str], str]":
    """`shoal gallery serve` in a process of its own, and the address that it prints."""
    command = [sys.executable, "-m", "shoal", "gallery", "serve", *words]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("SHOAL_")} | {"OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd, env=clean)
    assert server.stdout is not None
    address = server.stdout.readline().strip()
    if not address.startswith("http://"):
        raise AssertionError(server.communicate()[1])
    return server, address.rstrip("/")


def stop(server: "subprocess.Popen[str]", how: signal.Signals = signal.SIGTERM) -> str:
    """End a server; gives what it said on stderr."""
    server.send_signal(how)
    _, said = server.communicate(timeout=60)
    assert server.returncode == 0, said
    return said


def plain(value: Any) -> str:
    """An answer as text, to look for what should not be in it."""
    return json.dumps(value)


@contextmanager
def served(where: str | Path, *, model: Any = EYE, ring: KeyRing | None = None) -> Iterator[str]:
    """A service in a thread of this process, and its address."""
    import socket
    import threading

    import uvicorn

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)  # who comes before the server is up waits
        app = create_service(Desk(where, model), ring=ring)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
