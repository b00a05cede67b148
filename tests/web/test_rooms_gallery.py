"""The room of the gallery: begun with what a run of faces kept, over the service's pages, closed with the server."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from starlette.testclient import TestClient

from shoal.gallery import Gallery
from shoal.studies.faces_kept import load_kept_faces
from shoal.web.app import create_app
from tests.report.conftest import browser  # noqa: F401 - a fixture
from tests.web.conftest import ORIGIN
from tests.web.rooms_browsing import check_page, opened
from tests.web.rooms_runs import make_faces, picture_file, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_faces(tmp_path_factory.mktemp("made"))


@pytest.fixture
def run(made: Path, tmp_path: Path) -> Path:
    """A run of faces of its own."""
    return Path(shutil.copytree(made, tmp_path / "faces"))


@pytest.fixture
def client(run: Path) -> Iterator[TestClient]:
    with TestClient(create_app(run.parent), base_url=ORIGIN, raise_server_exceptions=False) as client:
        client.app.state.house.wait_until_warm()  # type: ignore[attr-defined]
        yield client


def test_without_a_run_the_room_says_what_it_needs(tmp_path: Path):
    with TestClient(create_app(tmp_path / "runs"), base_url=ORIGIN, raise_server_exceptions=False) as client:
        page = client.get("/gallery")
        assert page.status_code == 200
        assert "Make a small run" in page.text
        assert client.get("/gallery/unnamed").status_code == 422
        assert client.post("/gallery/begin", follow_redirects=False).status_code == 303
    assert not (tmp_path / "runs").exists()  # looking makes nothing


def test_a_gallery_is_begun_with_the_faces_that_the_run_kept(client: TestClient, run: Path):
    assert "Begin a gallery" in client.get("/gallery").text
    assert not (run / "gallery.db").exists()
    page = client.post("/gallery/begin")
    kept = load_kept_faces(run)
    assert f"{len(kept.images)} faces" in page.text
    assert client.get("/gallery/unnamed").text.count('name="faces"') == len(kept.images) - _named(run)
    assert client.get("/gallery/person", params={"name": kept.people[0]}).status_code == 200
    assert "or is kept" not in page.text
    assert "until you have it forgotten" in page.text  # unlike in other rooms
    small = client.get("/gallery/thumbnail/1")
    assert small.headers["content-type"] == "image/jpeg"


def test_photos_are_enrolled_found_and_forgotten_there(client: TestClient, run: Path):
    client.post("/gallery/begin")
    photo = picture_file()
    put = client.post("/gallery/enrol", files={"photos": ("me.png", photo)}, data={"person": "Ann & Bob"})
    assert put.status_code == 200
    assert "1 photo is in the gallery, of" in put.text
    found = client.post("/gallery/identify", files={"photo": ("me.png", photo)}, data={"far": "0.1"})
    assert "Ann &amp; Bob" in found.text
    bad = client.post("/gallery/identify", files={"photo": ("me.png", b"no picture")}, data={"far": "0.1"})
    assert bad.status_code == 422
    assert "expected PNG, JPEG, WebP, BMP or GIF" in bad.text
    before = client.get("/gallery/forget", params={"name": "Ann & Bob"})
    assert "1 face with what every model made of" in before.text
    gone = client.post("/gallery/forget", data={"name": "Ann & Bob"})
    assert "found no trace" in gone.text
    assert client.get("/gallery/person", params={"name": "Ann & Bob"}).status_code == 422
    assert client.post("/gallery/undo").status_code == 200


def test_commands_open_the_same_gallery_and_the_server_closes_it(run: Path):
    with TestClient(create_app(run.parent), base_url=ORIGIN) as client:
        client.app.state.house.wait_until_warm()  # type: ignore[attr-defined]
        client.post("/gallery/begin")
        assert client.get("/gallery").status_code == 200
    assert sorted(path.name for path in run.glob("*gallery.db*")) == ["gallery.db"]  # no log beside it any more
    with Gallery.open(run / "gallery.db") as gallery:  # it remembers the run's network
        assert gallery.can_embed()
        assert gallery.check() == []


def test_a_gallery_that_was_moved_away_is_begun_anew(client: TestClient, run: Path):
    client.post("/gallery/begin")
    kept = load_kept_faces(run).people[0].replace("_", " ")
    assert client.post("/gallery/forget", data={"name": kept}).status_code == 200
    for file in run.glob("gallery.db*"):
        file.rename(run / f"old-{file.name}")
    assert "Begin a gallery" in client.get("/gallery").text
    client.post("/gallery/begin")
    assert client.get("/gallery/person", params={"name": kept}).status_code == 200


def test_a_gallery_that_cannot_be_opened_is_said_without_a_path(client: TestClient, run: Path):
    (run / "gallery.db").write_text("no database\n" * 100)
    page = client.get("/gallery")
    assert page.status_code == 200
    assert "expected the file of a gallery" in page.text
    assert str(run) not in page.text
    assert client.get("/gallery/log").status_code == 422


def test_the_room_in_chromium(browser: "Browser", run: Path):  # noqa: F811 - the fixture
    with served(run.parent) as address:
        for screen in ("phone", "desktop"):
            with opened(browser, screen) as page:
                page.goto(f"{address}/gallery", wait_until="networkidle")
                page.wait_for_selector("h1:text-is('Gallery'), h1:text-is('People')")
                if page.locator("main .chief").count():
                    check_page(page)
                    page.focus("main .chief")
                    page.keyboard.press("Enter")
                page.wait_for_selector(".people li")
                for path in ("", "/unnamed", "/identify", "/enrol", "/log"):
                    page.goto(f"{address}/gallery{path}", wait_until="networkidle")
                    check_page(page)
                    assert page.locator("nav.rooms [aria-current]").inner_text() == "Gallery"


def _named(run: Path) -> int:
    with Gallery.open(run / "gallery.db") as gallery:
        return sum(person.faces for person in gallery.people())
