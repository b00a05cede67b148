"""`shoal gallery serve` and `key` as a user runs them: one line for what is wrong, a graceful end, and a sudden one."""

import contextlib
import json
import signal
import sqlite3
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import httpx2 as httpx
import pytest

from shoal.faces import create_network, save_network
from shoal.gallery import Gallery
from shoal.web.gallery.keys import make_key
from tests.commands.process import shoal
from tests.gallery.made_up import picture
from tests.gallery.service import API, photos, start, stop


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a model."""
    save_network(create_network("compact", 8, image_size=(16, 16), seed=0), tmp_path / "model.safetensors")
    return tmp_path


def test_a_service_with_keys_from_the_first_command_to_the_last(folder: Path):
    made = shoal("gallery", "key", "--keys", "keys.jsonl", "--name", "phone", cwd=folder)
    assert made.returncode == 0, made.stderr
    key = made.stdout.strip()
    words = ("faces.db", "--port", "0", "--keys", "keys.jsonl", "--model", "model.safetensors", "--host", "0.0.0.0")
    server, address = start(*words, cwd=folder)
    with httpx.Client(base_url=address, timeout=60) as client:
        assert client.get("/health").json()["status"] == "ok"
        assert client.get(f"{API}/people").status_code == 401
        client.headers["authorization"] = f"Bearer {key}"
        found = client.post(f"{API}/faces", files=photos(picture(1)), data={"person": "Ann"})
        assert found.status_code == 200, found.text
        assert client.get(f"{API}/people").json()[0]["name"] == "Ann"
        assert client.get(f"{API}/people", headers={"host": "evil.example"}).status_code == 421
    said = stop(server)
    assert said == "shoal: the gallery is open; Ctrl-C ends it\n"
    log = shoal("gallery", "audit", "faces.db", "--json", cwd=folder)
    assert [entry["who"] for entry in json.loads(log.stdout)["entries"]] == ["phone"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("faces.db", "--host", "0.0.0.0"),
            "--host: expected 127.0.0.1, or `--keys FILE` with a key in it, got 0.0.",
        ),
        (("faces.db", "--host", "0.0.0.0", "--keys", "empty.jsonl"), "and no key; make one with `shoal gallery key"),
        (("faces.db", "--name", "faces.example"), "--name: expected 127.0.0.1, or `--keys FILE` with a key in it, got"),
        (("faces.db", "--keys", "none.jsonl"), "none.jsonl: expected a file of keys, got no such file"),
        (("faces.db", "--keys", "text"), "text, line 1: expected a key as `shoal gallery key` writes it"),
        (("faces.db", "--port", "70000"), "--port: expected a number from 0 to 65535, got 70000"),
        (("faces.db", "--host", "no.such.host.invalid"), "--host: expected a name or address of this machine"),
        (("text",), "expected the file of a gallery, got a file of another kind"),
        (("none.db",), "none.db: expected a gallery, got no such file; make one with `shoal gallery enrol`"),
    ],
)
def test_wrong_use_is_one_line(tmp_path: Path, words: tuple[str, ...], said: str):
    Gallery.open(tmp_path / "faces.db").close()
    (tmp_path / "text").write_text("no keys, and no gallery, but some text that is longer than a header would be\n" * 9)
    (tmp_path / "empty.jsonl").touch()
    done = shoal("gallery", "serve", *words, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_requests_that_run_may_end_and_the_database_is_closed(folder: Path):
    server, address = start("faces.db", "--port", "0", "--model", "model.safetensors", cwd=folder)
    contents = [picture(number) for number in range(10)]
    found: list[httpx.Response] = []

    def enrol() -> None:
        found.append(httpx.post(f"{address}{API}/faces", files=photos(*contents), data={"person": "Ann"}, timeout=60))

    asking = threading.Thread(target=enrol)
    asking.start()
    deadline = time.monotonic() + 60
    while not _committed(folder) and time.monotonic() < deadline:
        time.sleep(0.005)
    in_the_middle = _committed(folder)
    said = stop(server)
    asking.join()
    assert 0 < in_the_middle < 10
    assert found[0].status_code == 200
    assert [len(one["faces"]) for one in found[0].json()["photos"]] == [1] * 10
    assert "Traceback" not in said
    assert not list(folder.glob("faces.db-*"))  # the last connection that is closed takes the log with it
    assert _committed(folder) == 10


def test_after_a_kill_everything_that_was_told_is_there(folder: Path):
    server, address = start("faces.db", "--port", "0", "--model", "model.safetensors", cwd=folder)
    told: list[int] = []
    for number in range(3):
        found = httpx.post(f"{address}{API}/faces", files=photos(picture(number)), timeout=60)
        told += found.json()["photos"][0]["faces"]
    broken = threading.Thread(target=_try, args=(f"{address}{API}/faces", [picture(number) for number in range(3, 9)]))
    broken.start()
    time.sleep(0.3)
    server.send_signal(signal.SIGKILL)
    server.communicate(timeout=60)
    broken.join()
    with Gallery.open(folder / "faces.db") as gallery:
        assert gallery.check() == []
        there = [face.id for face in gallery.faces()]
        assert there[:3] == told
        assert all(face.models for face in gallery.faces())
    again, address = start("faces.db", "--port", "0", cwd=folder)
    with urllib.request.urlopen(f"{address}{API}/about", timeout=60) as answer:
        assert json.load(answer)["faces"] == len(there)
    stop(again)


def test_a_public_address_is_served_with_a_key_only(folder: Path):
    make_key(folder / "keys.jsonl", "phone")
    words = ("faces.db", "--port", "0", "--model", "model.safetensors", "--host", "0.0.0.0")
    server, address = start(*words, "--keys", "keys.jsonl", cwd=folder)
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        urllib.request.urlopen(f"{address}{API}/people", timeout=60)
    refused.value.close()
    stop(server, signal.SIGINT)


def test_behind_a_proxy_with_tls(folder: Path):
    key = make_key(folder / "keys.jsonl", "phone")
    words = ("faces.db", "--port", "0", "--model", "model.safetensors", "--keys", "keys.jsonl")
    server, address = start(*words, "--name", "Faces.example", cwd=folder)
    proxied = {"host": "faces.example", "x-forwarded-proto": "https"}
    with httpx.Client(base_url=address, timeout=60, headers=proxied) as client:
        login = client.post("/login", data={"key": key}, headers={"origin": "https://faces.example"})
        assert login.status_code == 303
        assert "; secure" in login.headers["set-cookie"].lower()
        plain = client.post("/login", data={"key": key}, headers={"origin": "http://faces.example"})
        assert plain.status_code == 403
        assert client.get("/health", headers={"host": "evil.example"}).status_code == 421
    stop(server)


def _try(address: str, contents: list[bytes]) -> None:
    with contextlib.suppress(httpx.HTTPError):
        httpx.post(address, files=photos(*contents), timeout=60)


def _committed(folder: Path) -> int:
    """Faces that are in the file; read without a gallery, which takes longer to open than a photo to enrol."""
    with (
        contextlib.suppress(sqlite3.OperationalError),
        contextlib.closing(sqlite3.connect(f"file:{folder / 'faces.db'}?mode=ro", uri=True)) as connection,
    ):
        return connection.execute("SELECT COUNT(*) FROM faces").fetchone()[0]
    return 0  # not made yet
