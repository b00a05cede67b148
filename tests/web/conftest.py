"""A playground over a folder of runs, asked in this process; and one as a user starts it, in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from shoal.web.app import create_app
from tests.report.conftest import browser  # noqa: F401 - a fixture
from tests.report.fabricate import fabricate

ORIGIN = "http://127.0.0.1:8000"


def make_runs(root: Path) -> Path:
    """A folder with a finished run of exits and an unfinished one of faces."""
    fabricate().save(root / "demo" / "exits-quick" / "result.json")
    (root / "faces-quick").mkdir(parents=True)
    (root / "faces-quick" / "config.toml").write_text('study = "faces"\n')
    return root


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def client(runs: Path) -> Iterator[TestClient]:
    app = create_app(runs)
    with TestClient(app, base_url=ORIGIN, raise_server_exceptions=False) as client:
        app.state.house.wait_until_warm()
        yield client


def start_server(runs: Path, *words: str) -> "tuple[subprocess.Popen[str], str]":
    """`shoal serve` in a process of its own, and the address that it prints."""
    command = [sys.executable, "-m", "shoal", "serve", "--port", "0", "--runs", str(runs), *words]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("SHOAL_")} | {"OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=runs.parent, env=clean
    )
    assert server.stdout is not None
    address = server.stdout.readline().strip()
    assert address.startswith("http://"), server.stderr and server.stderr.read()
    return server, address


def stop_server(server: "subprocess.Popen[str]") -> str:
    """End a server as Ctrl-C does; what it said on stderr."""
    server.send_signal(signal.SIGINT)
    _, said = server.communicate(timeout=60)
    return said


@pytest.fixture(scope="session")
def address(runs: Path) -> Iterator[str]:
    server, address = start_server(runs)
    while not is_warm(address):
        time.sleep(0.1)
    yield address.rstrip("/")
    stop_server(server)


def is_warm(address: str) -> bool:
    """Whether a server has what is heavy."""
    with urllib.request.urlopen(address.rstrip("/") + "/health", timeout=60) as answer:
        return json.load(answer)["warm"]
