"""`shoal serve` as a user starts it: an address on stdout, one line for what is wrong, a quiet end."""

import signal
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.commands.process import shoal
from tests.web.conftest import start_server


def test_it_prints_its_address_answers_and_ends_quietly(tmp_path: Path) -> None:
    server, address = start_server(tmp_path / "runs")
    with urllib.request.urlopen(address + "health", timeout=60) as answer:
        assert answer.status == 200
    with pytest.raises(urllib.error.HTTPError, match="421") as refused:
        urllib.request.urlopen(urllib.request.Request(address, headers={"Host": "evil.example"}), timeout=60)
    refused.value.close()
    server.send_signal(signal.SIGINT)
    out, said = server.communicate(timeout=60)
    assert (server.returncode, out) == (0, "")
    assert said == "shoal: the playground is open; Ctrl-C ends it\n"
    assert not (tmp_path / "runs").exists()  # looking makes nothing


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = shoal("serve", "--port", str(port), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"shoal: port {port} is in use; choose another: shoal serve --port {port + 1}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--port", "99999"), "--port: expected a number from 0 to 65535, got 99999"),
        (("--port", "0", "--host", "no.such.host.invalid"), "--host: expected a name or address of this machine"),
        (("--port", "0", "--runs", "file"), "--runs: expected a folder, or a new name, got file, a file"),
    ],
)
def test_wrong_use_is_one_line(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    (tmp_path / "file").touch()
    done = shoal("serve", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_it_starts_within_three_seconds(tmp_path: Path) -> None:
    taken = []
    for _ in range(3):
        began = time.perf_counter()
        server, address = start_server(tmp_path)
        with urllib.request.urlopen(address, timeout=60) as answer:
            assert answer.status == 200
        taken.append(time.perf_counter() - began)
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=60)
    assert min(taken) < 3
