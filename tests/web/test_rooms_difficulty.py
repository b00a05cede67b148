"""The room of difficulty and exits: depths, exits and MACs against the library, the pages, uploads, and Chromium."""

import math
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from fastapi import Request
from PIL import Image
from starlette.datastructures import UploadFile
from starlette.testclient import TestClient

from shoal.data.pictures import read_picture
from shoal.difficulty import prediction_depth
from shoal.engine.checkpoint import load_checkpoint, save_checkpoint
from shoal.exits import Confidence, Entropy, Margin, Patience
from shoal.web.app import create_app
from shoal.web.rooms.difficulty_depth import Probed
from shoal.web.rooms.exits_leaving import Leaving, slider_of
from shoal.web.rooms.exits_picture import BOTTOM, LEFT, RIGHT, TOP, frontier_of
from shoal.web.rooms.forms import read_form
from shoal.web.rooms.small_images import fitted, from_text
from shoal.web.uploads import Limits
from tests.web.conftest import ORIGIN
from tests.web.rooms_browsing import check_page, opened
from tests.web.rooms_runs import make_difficulty, make_exits, picture_file, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PART, HERE = {"hx-request": "true"}, {"origin": ORIGIN}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("rooms")
    make_difficulty(root)
    make_exits(root)
    return root


@pytest.fixture(scope="module")
def probed(runs: Path) -> Probed:
    return Probed.load(runs / "difficulty")


@pytest.fixture(scope="module")
def leaving(runs: Path) -> Leaving:
    return Leaving.load(runs / "exits")


@pytest.fixture(scope="module")
def open_room(runs: Path) -> Iterator[TestClient]:
    with TestClient(create_app(runs), base_url=ORIGIN, raise_server_exceptions=False) as client:
        assert client.get("/difficulty?now=true").status_code == 200
        yield client


@pytest.fixture(scope="module")
def site(runs: Path) -> Iterator[str]:
    with served(runs) as address:
        yield address


def test_depths_are_those_of_the_library_and_of_the_run(probed: Probed) -> None:
    kept = probed.kept
    for row in range(0, len(kept.shown), 6):
        pair = kept.shown.images[row : row + 1], kept.shown.labels[row : row + 1]
        alone = prediction_depth(
            kept.model, kept.references.pair, pair, layers=kept.layers, k=kept.k, prepare=kept.normalise
        )
        found = probed.of(kept.shown.images[row])
        assert found.depth == int(alone.depth) == int(kept.depth[row])
        assert found.answer == kept.shown.classes[int(alone.predicted)]
        assert [probe.name for probe in found.probes] == list(alone.layers)
        for place, probe in enumerate(found.probes):
            assert list(probe.neighbours) == alone.neighbours[0, place, :6].tolist()
            assert probe.says == kept.shown.classes[int(alone.votes[0, place].argmax())]
            assert sum(share for _, share in probe.votes) == pytest.approx(1, abs=1e-6)
            assert probe.settled == (place >= found.depth)
        assert all(probe.agrees for probe in found.probes if probe.settled)
        assert ("nowhere" in found.place) == (found.depth == len(found.probes))


def test_exits_and_macs_are_those_of_predict(leaving: Leaving) -> None:
    kept = leaving.kept
    for threshold in (0.0, 0.1, 0.3, 0.9, 1.0):
        policy = kept.policy.with_thresholds([threshold] * 2)
        together = kept.net.predict(kept.inputs.normalise(kept.shown.images[:6]), policy)
        for row in range(6):
            found = leaving.of(kept.shown.images[row], threshold)
            assert (found.exit_index, found.macs) == (int(together.exit_index[row]), int(together.macs[row]))
            assert found.answer == kept.inputs.classes[int(together.labels[row])]
            scores = [exit.score for exit in found.exits]
            first = next((at for at, score in enumerate(scores[:-1]) if score >= threshold), 2)  # pyright: ignore[reportOptionalOperand]
            assert scores[-1] is None
            assert first == found.exit_index
            assert [exit.leaves for exit in found.exits].index(True) == found.exit_index
            assert found.share == found.macs / leaving.full.macs


def test_points_are_replayed_policies(leaving: Leaving) -> None:
    outputs = leaving.kept.outputs
    assert len(leaving.path) == 101
    for threshold in (0.0, 0.25, 1.0):
        _, right, macs = outputs.replay(Margin([threshold, threshold]))
        point = leaving.point(threshold)
        assert point.threshold == pytest.approx(threshold)
        assert point.accuracy == float(right.double().mean())
        assert point.macs == float(macs.double().mean())
    assert leaving.point(-5) == leaving.path[0]
    assert leaving.point(math.inf) == leaving.point(math.nan) == leaving.path[50]
    assert leaving.path[0].macs == float(outputs.costs[0])  # everything leaves at once
    assert leaving.full.macs == float(outputs.costs[-1])
    assert min(abs(point.macs - leaving.chosen.macs) for point in leaving.path) == abs(
        leaving.point(leaving.usual).macs - leaving.chosen.macs
    )


@pytest.mark.parametrize(
    ("policy", "high", "count", "leaves_more"),
    [
        (Confidence([0.5]), 1.0, 101, "low"),
        (Margin([0.5]), 1.0, 101, "low"),
        (Entropy([0.5]), 2.4, 101, "high"),
        (Patience(1), 3, 4, "low"),
    ],
)
def test_sliders_of_every_kind(policy: Any, high: float, count: int, leaves_more: str) -> None:
    slider = slider_of(policy, 10, 3)
    assert (slider.low, slider.high, slider.count) == (0, high, count)
    assert slider.value(slider.nearest(high)) == high
    assert slider.high_leaves == (leaves_more == "low")
    for at in range(slider.count):
        assert policy.with_thresholds([slider.value(at)]).thresholds == (slider.value(at),)  # every one is in range


def test_the_drawing_stays_within_its_frame(leaving: Leaving) -> None:
    for point in leaving.path[::20]:
        drawn = frontier_of(leaving, point)
        places = [tuple(map(float, pair.split(","))) for pair in drawn.curve.split()]
        for x, y in [*places, drawn.now, drawn.chosen, drawn.full]:
            assert LEFT <= x <= RIGHT
            assert TOP <= y <= BOTTOM
        assert drawn.now in places
        assert drawn.full[0] == RIGHT
        assert len(drawn.down) >= 2
        assert f"{100 * point.accuracy:.1f} %" in drawn.words


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 8, 8), (3, 20, 30)])
def test_pictures_are_fitted_as_those_of_folders(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    (tmp_path / "a.png").write_bytes(picture_file((50, 70)))
    with Image.open(tmp_path / "a.png") as image:
        pixels = np.array(image)
    assert torch.equal(fitted(pixels, shape), read_picture(tmp_path / "a.png", shape))


def test_the_page_tells_what_was_computed(open_room: TestClient, probed: Probed, leaving: Leaving) -> None:
    page = open_room.get("/difficulty?image=d3&threshold=0.2&now=true")
    found, left = probed.of(probed.kept.shown.images[3]), leaving.of(probed.kept.shown.images[3], 0.2)
    assert page.status_code == 200
    assert found.place in page.text.replace("&#39;", "'")
    assert f"The network says <b>{found.answer}</b>" in page.text
    assert page.text.count('class="near"') == len(found.probes) == 5
    assert f"after {round(left.macs / 1e6, 2)} million MACs" in page.text
    assert page.text.count('name="image" value="d') == len(probed.kept.shown) + 1  # and the slider's
    assert len(page.content) < 500_000


def test_a_pick_is_an_address(open_room: TestClient) -> None:
    asked = {"image": "d5", "threshold": "0.4"}
    plain = open_room.post("/difficulty", data=asked, headers=HERE, follow_redirects=False)
    assert (plain.status_code, plain.headers["location"]) == (303, "/difficulty?image=d5&threshold=0.4&now=true")
    part = open_room.post("/difficulty", data=asked, headers=PART | HERE)
    assert part.headers["hx-replace-url"] == "/difficulty?image=d5&threshold=0.4"
    moved = open_room.post("/difficulty/leaving", data=asked, headers=HERE, follow_redirects=False)
    assert moved.headers["location"] == plain.headers["location"]


def test_the_slider_answers_with_a_part_in_no_time(open_room: TestClient, leaving: Leaving, probed: Probed) -> None:
    spent = []
    for threshold in ("0.1", "0.5", "0.9"):
        began = time.process_time()  # a busy machine is no slower by this
        asked = {"image": "d7", "threshold": threshold, "picture": ""}
        part = open_room.post("/difficulty/leaving", data=asked, headers=PART | HERE)
        spent.append(time.process_time() - began)
        left = leaving.of(probed.kept.shown.images[7], float(threshold))
        assert f"answer: <b>{left.answer}</b>" in part.text
        assert part.headers["hx-replace-url"] == f"/difficulty?image=d7&threshold={threshold}"
        assert "<main" not in part.text
    assert min(spent) < 0.2


def test_a_picture_of_ones_own_lives_in_the_page(open_room: TestClient, probed: Probed, leaving: Leaving) -> None:
    files = {"file": ("../../etc/passwd", picture_file((80, 50)), "image/png")}
    page = open_room.post("/difficulty", data={"image": "own"}, files=files, headers=PART | HERE)
    assert page.status_code == 200
    assert "hx-replace-url" not in page.headers
    assert "passwd" not in page.text
    kept = page.text.partition('id="picture" name="picture" form="ask" value="')[2].partition('"')[0]
    image = fitted(from_text(kept, 8), probed.kept.shown.shape)
    assert probed.of(image).place in page.text.replace("&#39;", "'")
    asked = {"image": "own", "threshold": "0.3", "picture": kept}
    part = open_room.post("/difficulty/leaving", data=asked, headers=PART | HERE)
    assert f"answer: <b>{leaving.of(image, 0.3).answer}</b>" in part.text
    whole = open_room.post("/difficulty/leaving", data=asked, headers=HERE)  # without scripts
    assert "<main" in whole.text
    assert "Layer by layer" in whole.text


@pytest.mark.parametrize(
    ("data", "file", "said"),
    [
        ({"image": "own"}, None, "picture: expected a file, got none; choose one first"),
        ({"image": "own", "picture": "AAAA"}, None, "picture: expected one of 8 × 8 pixels, got another"),
        ({"image": "own"}, b"no picture", "expected PNG, JPEG, WebP, BMP or GIF, got another kind of file"),
        ({"image": "own"}, picture_file()[:300], "got a damaged one"),
        ({"image": "own"}, b"x" * 200_001, "picture: expected at most 0.2 MB, got more"),
        ({"image": "d999"}, None, "image: expected one of this page, got d999; pick one below"),
        ({"image": "../d1"}, None, "image: expected one of this page, got ../d1"),
        ({"image": "d1", "threshold": "high"}, None, "threshold: expected a number, got high"),
    ],
)
def test_what_is_wrong_is_said(runs: Path, data: dict[str, str], file: bytes | None, said: str) -> None:
    files = {"file": ("a.png", file, "image/png")} if file is not None else None
    with TestClient(create_app(runs, limits=Limits(most_bytes=200_000)), base_url=ORIGIN) as client:
        answer = client.post("/difficulty", data=data, files=files, headers=PART | HERE)
    assert answer.status_code == 422
    assert said in answer.text
    assert 'id="ask"' in answer.text  # the page is there, to try again


def test_without_runs_they_are_offered(tmp_path: Path, runs: Path) -> None:
    with TestClient(create_app(tmp_path), base_url=ORIGIN) as client:
        assert client.get("/difficulty").text.count("Make a small run") == 2
    (tmp_path / "old").mkdir()
    shutil.copy(runs / "difficulty" / "result.json", tmp_path / "old")
    with TestClient(create_app(tmp_path), base_url=ORIGIN) as client:
        page = client.get("/difficulty?now=true").text
        assert "got one of an earlier version; run it again: shoal study difficulty" in page
        assert "There is no finished run of the exits study yet" in page


@pytest.mark.parametrize("missing", ["difficulty", "exits"])
def test_one_run_will_do(tmp_path: Path, runs: Path, missing: str) -> None:
    there = {"difficulty": "exits", "exits": "difficulty"}[missing]
    shutil.copytree(runs / there, tmp_path / there)
    with TestClient(create_app(tmp_path), base_url=ORIGIN) as client:
        page = client.get("/difficulty?now=true")
    assert page.status_code == 200
    assert page.text.count("Make a small run") == 1
    assert ("Accuracy against mean MACs" in page.text) == (there == "exits")
    assert ('class="layers"' in page.text) == (there == "difficulty")


def test_runs_of_other_images_are_not_mixed(tmp_path: Path, runs: Path) -> None:
    for name in ("difficulty", "exits"):
        shutil.copytree(runs / name, tmp_path / name)
    (file,) = (tmp_path / "difficulty" / "checkpoints" / "kept").iterdir()
    state = load_checkpoint(file)
    for part in ("references", "shown"):
        state[part]["classes"] = [f"class {name}" for name in state[part]["classes"]]
    save_checkpoint(file.parent, 1, state)
    with TestClient(create_app(tmp_path), base_url=ORIGIN) as client:
        of_depth = client.get("/difficulty?image=d1&now=true").text
        of_exits = client.get("/difficulty?image=e1&now=true").text
    assert of_depth.count("<legend>Test images of") == 2
    assert "other classes than the network with exits knows" in of_depth
    assert "other classes than the network of the difficulty run knows" in of_exits
    assert "answer: <b>" in of_exits


@pytest.mark.anyio
async def test_large_files_stay_in_memory() -> None:
    content = b"x" * 3_000_000
    edge = b"--edge"
    head = b'Content-Disposition: form-data; name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    body = edge + b"\r\n" + head + content + b"\r\n" + edge + b"--\r\n"

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", b"multipart/form-data; boundary=edge")]}
    form = await read_form(Request(scope, receive), Limits())
    upload = form["file"]
    assert isinstance(upload, UploadFile)
    assert not upload.file._rolled  # pyright: ignore[reportAttributeAccessIssue]
    assert upload.size == len(content)
    await form.close()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("screen", ["phone", "desktop"])
def test_in_a_browser(browser: "Browser", site: str, screen: str, tmp_path: Path) -> None:
    with opened(browser, screen) as page:
        page.goto(f"{site}/difficulty")
        page.wait_for_selector(".layers")
        check_page(page)
        seen = page.locator(".seen img")
        before = seen.get_attribute("src")
        page.locator("input[name=image]:checked").focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("was => document.querySelector('.seen img').src !== was", arg=before)
        assert page.locator("input[name=image]:checked").evaluate("one => one === document.activeElement")
        slider = page.get_by_role("slider")
        slider.focus()
        page.keyboard.press("End")
        page.wait_for_url("**threshold=1**")
        assert "goes to the end" in page.locator("#left .said").inner_text()
        page.keyboard.press("Home")
        page.wait_for_url("**threshold=0.0")
        assert "It leaves at layer1" in page.locator("#left .said").inner_text()
        address = page.url
        (tmp_path / "mine.png").write_bytes(picture_file())
        page.locator("input[name=file]").set_input_files(tmp_path / "mine.png")
        page.wait_for_function("() => document.querySelector('#picture').value !== ''")
        assert page.url == address  # a picture of one's own has none
        page.get_by_role("slider").press("End")
        page.wait_for_function("() => document.querySelector('#left .said').innerText.includes('goes to the end')")
        (tmp_path / "bad.png").write_bytes(b"no picture")
        page.locator("input[name=file]").set_input_files(tmp_path / "bad.png")
        page.wait_for_selector("#problem .problem")
        assert page.locator(".layers").count() == 1  # what was shown stays
        check_page(page)
        page.locator("input[name=image]").first.check(force=True)
        page.wait_for_selector("#problem .problem", state="detached")


def test_without_scripts(browser: "Browser", site: str) -> None:
    with opened(browser, "phone", scripts=False) as page:
        page.goto(f"{site}/difficulty?now=true")
        page.locator("input[name=image]").nth(2).check(force=True)
        page.get_by_role("button", name="Look at it").click()
        page.wait_for_url("**image=d2**")
        page.get_by_role("slider").fill("1")
        page.get_by_role("button", name="Show").click()
        page.wait_for_url("**threshold=1**")
        assert "goes to the end" in page.locator("#left .said").inner_text()
