"""Keys: made once, kept as hashes, compared in constant time; and what a service with keys lets nobody do without."""

import ast
import hmac
import inspect
import json
from pathlib import Path

import pytest

from shoal.errors import InputError
from shoal.gallery import Gallery
from shoal.web.gallery import keys as keys_module
from shoal.web.gallery.door import OPEN
from shoal.web.gallery.keys import KeyRing, hash_of, make_key, read_keys
from shoal.web.gallery.sessions import COOKIE, Sessions
from tests.gallery.made_up import Place, picture
from tests.gallery.service import API, ORIGIN, asked, enrol, fault_of, photos


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    return tmp_path / "keys.jsonl"


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def test_a_key_is_random_and_only_its_hash_is_kept(ring: Path):
    keys = [make_key(ring, name) for name in ("phone", "desk", "höher")]
    assert len({*keys}) == 3
    assert all(len(key) == len("shoal_") + 43 for key in keys)  # 256 bits, six in a character
    text = ring.read_text()
    assert not any(key in text or key.removeprefix("shoal_") in text for key in keys)
    assert [key.name for key in read_keys(ring)] == ["phone", "desk", "höher"]
    assert [key.sha256 for key in read_keys(ring)] == [hash_of(key) for key in keys]
    assert ring.stat().st_mode & 0o777 == 0o600
    opened = KeyRing(ring)
    assert [found.name for key in keys if (found := opened.find(key))] == ["phone", "desk", "höher"]
    for wrong in ("", "shoal_", keys[0][:-1], keys[0] + "x", keys[0].upper(), text, "\ud800"):
        assert opened.find(wrong) is None


def test_every_key_is_compared_in_constant_time(ring: Path, monkeypatch: pytest.MonkeyPatch):
    first, *_ = [make_key(ring, str(number)) for number in range(5)]
    compared: list[tuple[str, str]] = []
    true = hmac.compare_digest

    def counting(a: str, b: str) -> bool:
        compared.append((a, b))
        return true(a, b)

    monkeypatch.setattr(keys_module.hmac, "compare_digest", counting)
    opened = KeyRing(ring)
    for key in (first, "shoal_wrong"):  # the first is found at once, and all are compared nevertheless
        compared.clear()
        opened.find(key)
        assert [a for a, _ in compared] == [one.sha256 for one in read_keys(ring)]
    loops = ast.walk(ast.parse(inspect.getsource(keys_module)))
    (loop,) = [node for node in loops if isinstance(node, ast.For) and "compare_digest" in ast.unparse(node)]
    assert not any(isinstance(node, ast.Break | ast.Return) for node in ast.walk(loop))


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 101, "\0"])
def test_names_that_cannot_stand_in_a_log_are_refused(ring: Path, name: str):
    with pytest.raises(InputError, match="--name"):
        make_key(ring, name)
    assert not ring.exists()


def test_a_name_is_one_keys_only_and_files_of_something_else_stay(ring: Path):
    make_key(ring, "phone")
    before = ring.read_bytes()
    with pytest.raises(InputError, match="one that no key has"):
        make_key(ring, "phone")
    assert ring.read_bytes() == before
    for content in ("no json", '{"name": "x"}', "[]", '{"name": "x", "made": "", "sha256": "00"}', "1"):
        ring.write_text(content)
        with pytest.raises(InputError, match="line 1: expected a key"):
            KeyRing(ring)
        with pytest.raises(InputError, match="line 1: expected a key"):
            make_key(ring, "desk")
        assert ring.read_text() == content


def test_a_key_that_is_withdrawn_opens_nothing_any_more(ring: Path):
    keys = [make_key(ring, name) for name in ("phone", "desk")]
    opened = KeyRing(ring)
    sessions = Sessions(opened)
    found = opened.find(keys[0])
    assert found is not None
    token = sessions.begin(found)
    assert sessions.who(token) == "phone"
    ring.write_text(ring.read_text().splitlines()[1] + "\n")
    assert sessions.who(token) is None
    assert opened.find(keys[0]) is None
    assert opened.find(keys[1]) is not None
    ring.write_text("damaged")  # nobody is let in by a file that cannot be read
    assert opened.find(keys[1]) is None
    ring.unlink()
    assert opened.find(keys[1]) is None


def test_sessions_end(ring: Path):
    make_key(ring, "phone")
    opened = KeyRing(ring)
    key = read_keys(ring)[0]
    short = Sessions(opened, lifetime=0.0)
    assert short.who(short.begin(key)) is None
    long = Sessions(opened)
    token = long.begin(key)
    assert long.who(token) == "phone"
    assert long.who("") is long.who("x") is long.who(token + "x") is None
    long.end(token)
    assert long.who(token) is None
    first = long.begin(key)
    for _ in range(1000):
        long.begin(key)
    assert long.who(first) is None  # the oldest goes


def test_without_a_key_nothing_is_told_and_nothing_changes(file: Place, ring: Path):
    key = make_key(ring, "phone")
    with asked(file.where, ring=KeyRing(ring)) as client:
        paths = client.get("/api/openapi.json").json()["paths"]
        gated = [(path, method) for path, methods in paths.items() for method in methods if path not in OPEN]
        assert len(gated) > 15
        for path, method in gated:
            address = path.replace("{face}", "1")
            assert fault_of(client.request(method, address)) == (401, "no_key"), path
            found = client.request(method, address, headers=bearer("shoal_" + "x" * 43))
            assert fault_of(found) == (401, "wrong_key"), path
            assert found.headers["www-authenticate"].startswith("Bearer")
            assert client.request(method, address, headers=bearer(key)).status_code in {200, 404, 422}, path
        for header in (f"Basic {key}", key, "Bearer", "Bearer ", f"Bearer {key} x", "Bearer ü"):
            found = client.get(f"{API}/people", headers={b"authorization": header.encode()})
            assert found.status_code == 401, header
        assert client.get("/health").status_code == 200
        cookie = {"cookie": f"{COOKIE}={key}"}
        assert fault_of(client.get(f"{API}/people", headers=cookie)) == (401, "no_key")
        page = client.get("/gallery", headers=bearer(key) | cookie)  # pages take sessions
        assert (page.status_code, page.headers["location"]) == (303, "/login")
    with file.open() as gallery:
        assert len(gallery) == 0
        assert gallery.audit().entries == ()


def test_the_keys_name_stands_in_the_audit_log(file: Place, ring: Path):
    phone, desk = make_key(ring, "phone"), make_key(ring, "desk")
    with asked(file.where, ring=KeyRing(ring)) as client:
        client.headers.update(bearer(phone))
        enrol(client, "Ann", picture(1))
        client.headers.update(bearer(desk))
        assert client.post(f"{API}/people/rename", json={"person": "Ann", "name": "Anne"}).status_code == 200
        log = client.get(f"{API}/audit").json()
    assert [(entry["who"], entry["what"]) for entry in log["entries"]] == [("phone", "enrol"), ("desk", "rename")]
    assert phone not in json.dumps(log)


def test_pages_of_other_sites_are_turned_away_by_the_api_in_its_form(file: Place):
    with asked(file.where) as client:
        foreign = client.post(f"{API}/faces", files=photos(picture(1)), headers={"origin": "http://evil.example"})
        assert fault_of(foreign) == (403, "foreign_page")
        assert fault_of(client.get(f"{API}/people", headers={"host": "evil.example"})) == (421, "foreign_host")
        assert client.get("/gallery", headers={"host": "evil.example"}).status_code == 421
        assert client.post(f"{API}/undo", headers={"origin": ORIGIN}).status_code == 200
        assert foreign.headers["x-content-type-options"] == "nosniff"
    with Gallery.open(file.where) as gallery:
        assert len(gallery) == 0
