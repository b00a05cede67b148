"""The room of faces: distances and thresholds against the library, the pages, uploads, and Chromium."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from starlette.testclient import TestClient

from shoal.data.faces import read_face
from shoal.errors import InputError
from shoal.faces import embed, threshold_at
from shoal.faces.thresholds import fewest_pairs
from shoal.web.app import create_app
from shoal.web.rooms.faces_compared import BINS, FARS, Comparing
from shoal.web.rooms.faces_shown import usual_picks
from shoal.web.uploads import Limits
from tests.web.conftest import ORIGIN
from tests.web.rooms_browsing import check_page, opened
from tests.web.rooms_runs import make_faces, picture_file, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PART = {"hx-request": "true"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_faces(tmp_path_factory.mktemp("faces"))


@pytest.fixture(scope="module")
def comparing(folder: Path) -> Comparing:
    return Comparing.load(folder)


@pytest.fixture(scope="module")
def open_room(folder: Path) -> Iterator[TestClient]:
    with TestClient(create_app(folder.parent), base_url=ORIGIN, raise_server_exceptions=False) as client:
        assert client.get("/faces?now=true").status_code == 200
        yield client


@pytest.fixture(scope="module")
def site(folder: Path) -> Iterator[str]:
    with served(folder.parent) as address:
        yield address


def test_distances_are_those_of_the_embeddings(comparing: Comparing) -> None:
    images = comparing.kept.images
    embeddings = embed(comparing.kept.network, images, device="cpu").double()
    for a, b in ((0, 1), (0, len(images) - 1), (2, 2)):
        found = comparing.of(images[a], images[b], far=0.1)
        assert found.distance == pytest.approx(float((embeddings[a] - embeddings[b]).square().sum()), abs=1e-5)
        nearer = int((comparing.kept.distances <= found.distance).sum())
        assert found.nearer.value == nearer / len(comparing.kept.distances)


def test_thresholds_are_the_librarys_or_refused(comparing: Comparing) -> None:
    distances, one = comparing.kept.distances, comparing.kept.images[0]
    for far in FARS:
        found = comparing.of(one, one, far=far)
        if fewest_pairs(far) <= len(distances):
            assert found.threshold == threshold_at(far, distances)
            assert found.accepted  # an image is itself
        else:
            assert (found.threshold, found.accepted) == (None, None)
            with pytest.raises(InputError, match=re.escape(found.refused)):
                threshold_at(far, distances)
    assert comparing.of(one, one, far=comparing.usual_far).threshold is not None
    assert comparing.of(one, one, far=FARS[0]).threshold is None  # digits are too few for one in a thousand


def test_the_histogram_counts_every_pair(comparing: Comparing) -> None:
    assert sum(comparing.counts) == len(comparing.kept.distances)
    parts = (comparing.kept.distances * BINS / 4).long().clamp(max=BINS - 1)
    assert comparing.counts == tuple(torch.bincount(parts, minlength=BINS).tolist())


def test_a_square_picture_is_read_as_the_study_reads_photos(comparing: Comparing) -> None:
    file = picture_file((64, 64))
    pixels = read_face(file, 64).permute(1, 2, 0).numpy()
    height, width = comparing.kept.network.image_size
    apart = (comparing.image(pixels).int() - read_face(file, (height, width)).int()).abs()
    assert int(apart.max()) <= 1


def test_the_page_shows_two_images_of_one_person(open_room: TestClient, comparing: Comparing) -> None:
    a, b = usual_picks(comparing)
    assert comparing.kept.people[int(a)] == comparing.kept.people[int(b)]
    page = open_room.get("/faces?now=true").text
    found = comparing.of(comparing.kept.images[int(a)], comparing.kept.images[int(b)], far=comparing.usual_far)
    assert f"Squared distance <b>{found.distance:.3f}</b>" in page
    assert "They are one person" in page
    assert "these are" not in page.lower() or "digits in their place" in page
    assert page.count('class="group"') == len(comparing.clusters)
    assert len(page) < 500_000


def test_a_pick_is_an_address(open_room: TestClient) -> None:
    asked = {"a": "0", "b": "5", "far": "0.1"}
    plain = open_room.post("/faces", data=asked, headers={"origin": ORIGIN}, follow_redirects=False)
    assert plain.status_code == 303
    assert plain.headers["location"] == "/faces?a=0&b=5&far=0.1&now=true"
    part = open_room.post("/faces", data=asked, headers=PART | {"origin": ORIGIN})
    assert part.headers["hx-replace-url"] == "/faces?a=0&b=5&far=0.1"
    assert open_room.get(plain.headers["location"]).text.count("Squared distance") == 1


def test_a_picture_of_ones_own_is_in_the_page_alone(open_room: TestClient, comparing: Comparing) -> None:
    files = {"b_file": ("../../etc/passwd", picture_file((16, 16)), "image/png")}
    page = open_room.post("/faces", data={"a": "0", "b": "own"}, files=files, headers=PART | {"origin": ORIGIN})
    assert page.status_code == 200
    assert "hx-replace-url" not in page.headers
    assert "passwd" not in page.text
    kept = page.text.partition('name="b_picture" form="ask" value="')[2].partition('"')[0]
    pixels = read_face(picture_file((16, 16)), 16)
    found = comparing.of(comparing.kept.images[0], pixels, far=comparing.usual_far)
    assert f"Squared distance <b>{found.distance:.3f}</b>" in page.text
    again = {"a": "1", "b": "own", "b_picture": kept}
    later = open_room.post("/faces", data=again, headers=PART | {"origin": ORIGIN})
    found = comparing.of(comparing.kept.images[1], pixels, far=comparing.usual_far)
    assert f"Squared distance <b>{found.distance:.3f}</b>" in later.text


@pytest.mark.parametrize(
    ("data", "file", "said"),
    [
        ({"a": "0", "b": "own"}, None, "picture: expected a file, got none; choose one first"),
        ({"a": "0", "b": "own", "b_picture": "AAAA"}, None, "picture: expected one of 16 × 16 pixels, got another"),
        ({"a": "0", "b": "own", "b_picture": "🐟"}, None, "picture: expected one of 16 × 16 pixels, got another"),
        (
            {"a": "0", "b": "own"},
            b"no picture",
            "expected PNG, JPEG, WebP, BMP or GIF, got another kind of file",
        ),
        ({"a": "0", "b": "own"}, picture_file()[:300], "got a damaged one"),
        ({"a": "0", "b": "own"}, b"x" * 200_001, "picture: expected at most 0.2 MB, got more"),
        ({"a": "999", "b": "0"}, None, "image: expected one of this page, got 999; pick one below"),
        ({"a": "-1", "b": "0"}, None, "image: expected one of this page, got -1"),
        ({"a": "0", "b": "0", "far": "0.9"}, None, "far: expected a share above 0, at most 0.5, got 0.9"),
        ({"a": "0", "b": "0", "far": "nan"}, None, "far: expected a share above 0"),
        ({"a": "0", "b": "0", "far": "lots"}, None, "far: expected a share, 0.01 for 1 %, got lots"),
    ],
)
def test_what_is_wrong_is_said(folder: Path, data: dict[str, str], file: bytes | None, said: str) -> None:
    files = {"b_file": ("a.png", file, "image/png")} if file is not None else None
    with TestClient(create_app(folder.parent, limits=Limits(most_bytes=200_000)), base_url=ORIGIN) as client:
        answer = client.post("/faces", data=data, files=files, headers=PART | {"origin": ORIGIN})
    assert answer.status_code == 422
    assert said in answer.text.replace("&#39;", "'").replace("\N{NO-BREAK SPACE}", " ")
    assert 'name="a"' in answer.text  # the page is there, to try again


def test_without_a_run_one_is_offered(tmp_path: Path, folder: Path) -> None:
    with TestClient(create_app(tmp_path), base_url=ORIGIN) as client:
        assert "Make a small run" in client.get("/faces").text
        assert client.post("/faces", headers={"origin": ORIGIN}, follow_redirects=False).status_code == 303
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "result.json").write_text((folder / "result.json").read_text())
    with TestClient(create_app(tmp_path), base_url=ORIGIN) as client:
        page = client.get("/faces?now=true").text
        assert "got one of an earlier version; run it again: shoal study faces" in page
        assert "Make a small run" in page


@pytest.mark.parametrize("screen", ["phone", "desktop"])
def test_in_a_browser(browser: "Browser", site: str, screen: str, tmp_path: Path) -> None:
    with opened(browser, screen) as page:
        page.goto(f"{site}/faces")
        page.wait_for_selector(".compared")
        check_page(page)
        said = page.locator(".compared .said")
        before = said.inner_text()
        page.locator("input[name=b]:checked").focus()
        page.keyboard.press("ArrowRight")  # radio buttons: arrows pick
        page.wait_for_function("was => document.querySelector('.said').innerText !== was", arg=before)
        assert page.locator("input[name=b]:checked").evaluate("one => one === document.activeElement")
        assert "a=" in page.url
        before = said.inner_text()
        (tmp_path / "mine.png").write_bytes(picture_file())
        page.locator("input[name=a_file]").set_input_files(tmp_path / "mine.png")
        page.wait_for_selector("text=your picture")
        assert page.locator("input[name=a][value=own]").is_checked()
        page.get_by_label("False-accept rate").select_option("0.2")
        page.wait_for_selector("text=at most 20")
        assert page.locator("text=your picture").count() == 1  # it is still what is compared
        (tmp_path / "bad.png").write_bytes(b"no picture")
        page.locator("input[name=a_file]").set_input_files(tmp_path / "bad.png")
        page.wait_for_selector("#problem .problem")
        assert page.locator(".compared").count() == 1  # what was shown stays
        check_page(page)
        page.locator("input[name=a]").first.check(force=True)
        page.wait_for_selector("#problem .problem", state="detached")


def test_without_scripts(browser: "Browser", site: str, tmp_path: Path) -> None:
    (tmp_path / "mine.jpg").write_bytes(picture_file(kind="JPEG"))
    with opened(browser, "phone", scripts=False) as page:
        page.goto(f"{site}/faces?now=true")
        page.locator("input[name=b]").nth(3).check(force=True)
        page.get_by_role("button", name="Compare").click()
        page.wait_for_url("**b=3**")
        page.locator("input[name=b_file]").set_input_files(tmp_path / "mine.jpg")
        page.get_by_role("button", name="Compare").click()
        page.wait_for_selector("text=your picture")
