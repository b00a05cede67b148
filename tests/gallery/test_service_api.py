"""The API of the service against the library, in both databases."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from shoal.gallery import Gallery
from shoal.web.uploads import Limits
from tests.gallery.made_up import EYE, Place, picture
from tests.gallery.service import API, asked, enrol, fault_of, fill, photo, photos


def test_photos_go_in_and_are_found_again(place: Place):
    with asked(place.where) as client:
        ids = fill(client, 4, 2)
        assert enrol(client, "person 0", picture(0, 0)) == ids["person 0"][:1]  # it is there already
        about = client.get(f"{API}/about").json()
        assert (about["faces"], about["people"], about["model"], about["embeds"]) == (8, 4, "from afar", True)
        found = client.post(f"{API}/identify", files=photo(picture(3, 9)), data={"k": "2"}).json()
        assert len(found["matches"]) == 2
        assert found["matches"][0]["person"] == "person 3"
        claim = client.post(f"{API}/verify", files=photo(picture(3, 9)), data={"person": "person 3", "far": "0.5"})
        assert claim.json()["accepted"] is True, claim.text
    with place.open(model=EYE) as gallery:  # the library says the same
        same = gallery.identify(picture(3, 9), 2)
        assert same[0].person == "person 3"
        assert same[0].distance == pytest.approx(found["matches"][0]["distance"], abs=1e-6)
        assert gallery.enrol("person 0", [picture(0, 0)]) == ids["person 0"][:1]  # known by the bytes that came


def test_every_change_of_who_is_who(place: Place):
    with asked(place.where) as client:
        ids = fill(client, 3, 2)
        loose = enrol(client, None, picture(7), picture(7, 1), picture(8))

        def post(path: str, **asked: object) -> object:
            found = client.post(f"{API}/{path}", json=asked)
            assert found.status_code == 200, found.text
            return found.json()

        groups = client.get(f"{API}/clusters", params={"threshold": 0.1}).json()
        assert [group["faces"] for group in groups] == [loose[:2], loose[2:]]
        assert groups[0]["nearest"]["person"].startswith("person")
        post("faces/link", a=loose[0], b=loose[2], same=True)
        linked = [group["faces"] for group in client.get(f"{API}/clusters", params={"threshold": 0.1}).json()]
        assert [loose[0], loose[2]] in linked
        assert post("faces/unlink", a=loose[0], b=loose[2]) == {"done": True}
        assert post("faces/unlink", a=loose[0], b=loose[2]) == {"done": False}
        post("faces/assign", faces=loose[:2], person="Ann")
        post("people/rename", person="Ann", name="Anne")
        post("people/merge", people=["person 1"], into="person 0")
        post("people/split", person="person 0", faces=ids["person 1"], new="Bob")
        names = [(one["name"], one["faces"]) for one in client.get(f"{API}/people").json()]
        assert names == [("Anne", 2), ("Bob", 2), ("person 0", 2), ("person 2", 2)]
        assert [one["name"] for one in client.get(f"{API}/people", params={"after": "Bob", "limit": 1}).json()] == [
            "person 0"
        ]
        for what in ("split", "merge", "rename", "assign"):
            assert post("undo") == {"undone": what}
        assert post("undo") == {"undone": None}
        assert [one["name"] for one in client.get(f"{API}/people").json()] == ["person 0", "person 1", "person 2"]
        erased = post("people/forget", person="person 1")
        assert isinstance(erased, dict)
        assert (erased["faces"], erased["photos"], erased["complete"]) == (2, 2, True)
        assert erased["found"] == (0 if place.kind == "sqlite" else None)
        log = client.get(f"{API}/audit", params={"limit": 3}).json()
        assert log["intact"]
        assert [entry["what"] for entry in log["entries"]] == ["undo", "undo", "forget"]
        assert log["count"] == log["entries"][-1]["seq"]
        assert client.get(f"{API}/audit", params={"head": "f" * 64}).json()["intact"] is False


def test_faces_page_by_page(file: Place):
    with asked(file.where) as client:
        ids = fill(client, 3, 2)["person 1"]
        loose = enrol(client, None, picture(9))

        def listed(**params: object) -> list[int]:
            return [face["id"] for face in client.get(f"{API}/faces", params=params).json()]  # type: ignore[arg-type]

        assert listed() == [1, 2, 3, 4, 5, 6, 7]
        assert listed(limit=2, after=3) == [4, 5]
        assert listed(person="person 1") == ids
        assert listed(person="person 1", after=ids[0]) == ids[1:]
        assert listed(unnamed=True) == loose
        face = client.get(f"{API}/faces", params={"person": "person 1"}).json()[0]
        assert (face["person"], face["box"], face["models"]) == ("person 1", None, ["from afar"])
        small = client.get(f"{API}/faces/{ids[0]}/thumbnail")
        assert small.headers["content-type"] == "image/jpeg"
        assert small.content.startswith(b"\xff\xd8")
        assert fault_of(client.get(f"{API}/faces/99/thumbnail")) == (404, "not_found")


def test_people_page_by_page_in_either_database(place: Place):
    names = ["b", "A", "a b", "B", "a", "ä", "Z", "_"]
    with place.open(model=EYE) as gallery:
        for number, name in enumerate(names):
            gallery.enrol(name, [picture(number)])
    with asked(place.where) as client:
        found: list[str] = []
        while part := client.get(f"{API}/people", params={"after": found[-1] if found else "", "limit": 3}).json():
            found += [person["name"] for person in part]
        assert found == sorted(names)
        page = client.get("/gallery", params={"q": "A"}).text
        assert page.index("<b>A</b>") < page.index("<b>a</b>") < page.index("<b>a b</b>")


def test_a_gallery_with_a_short_name_does_not_garble_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with asked("face") as client:
        wrong = client.post(f"{API}/faces/link", json={"a": 1, "b": 1, "same": True})
        assert wrong.json()["error"]["message"] == "faces: expected two faces, got 1 twice"


def test_boxes_and_kept_photos(file: Place):
    with asked(file.where) as client:
        boxes = "[[[0, 0, 20, 40], [20, 0, 40, 40]]]"
        first, second = enrol(client, None, picture(1), boxes=boxes, keep_photos="true")
        faces = client.get(f"{API}/faces").json()
        assert [face["box"] for face in faces] == [[0, 0, 20, 40], [20, 0, 40, 40]]
        half = client.post(f"{API}/identify", files=photo(picture(1)), data={"box": "[0, 0, 20, 40]"}).json()
        assert half["unknown"] is True
        assert client.post(f"{API}/faces/assign", json={"faces": [first], "person": "left"}).status_code == 200
        half = client.post(f"{API}/identify", files=photo(picture(1)), data={"box": "[0, 0, 20, 40]"}).json()
        assert half["matches"][0]["distance"] == pytest.approx(0, abs=1e-9)
        wrong = client.post(f"{API}/faces/assign", json={"faces": [second], "person": "left"})
        assert fault_of(wrong) == (422, "refused")
        assert "of one photo" in wrong.json()["error"]["message"]
    with file.open(model=EYE) as gallery, gallery._database.read() as rows:
        (kept,) = rows.all("SELECT image FROM photos")[0]
    assert bytes(kept).startswith(b"\x89PNG")


def test_a_photo_that_is_refused_does_not_keep_the_others_out(file: Place):
    with asked(file.where) as client:
        some = client.post(f"{API}/faces", files=photos(picture(1), b"no picture", picture(2)))
        assert some.status_code == 207
        told = some.json()["photos"]
        assert [len(one["faces"]) for one in told] == [1, 0, 1]
        assert told[1]["refused"].startswith("photo 2: expected PNG, JPEG, WebP, BMP or GIF")
        none = client.post(f"{API}/faces", files=photos(b"no picture"))
        assert fault_of(none) == (422, "refused")
        assert client.get(f"{API}/about").json()["faces"] == 2


@pytest.mark.parametrize(
    ("method", "path", "how", "expected", "said"),
    [
        ("GET", "nothing", {}, (404, "not_found"), "no such address"),
        ("DELETE", "people", {}, (405, "method_not_allowed"), "cannot be used"),
        ("GET", "people?limit=0", {}, (422, "invalid"), "limit: expected greater than or equal to 1"),
        ("POST", "people/rename", {"json": {"person": "x"}}, (422, "invalid"), "name"),
        ("POST", "people/rename", {"json": {"person": "x", "name": "y", "z": 1}}, (422, "invalid"), "z"),
        ("POST", "people/rename", {"content": b"{"}, (422, "invalid"), "expected"),
        ("POST", "people/rename", {"json": {"person": "x", "name": "y"}}, (422, "refused"), "somebody in the gallery"),
        ("POST", "people/rename", {"content": b'{"person":"\\ud800","name":"y"}'}, (422, "invalid"), "person"),
        ("POST", "people/forget", {"json": {"person": "a\0b"}}, (422, "refused"), "characters that can be shown"),
        ("POST", "faces/assign", {"json": {"faces": [2**63]}}, (422, "invalid"), "less than"),
        ("POST", "faces/assign", {"json": {"faces": [2**62]}}, (422, "refused"), "no face"),
        ("POST", "faces/assign", {"json": {"faces": []}}, (422, "invalid"), "at least 1"),
        ("GET", "clusters?threshold=nan", {}, (422, "invalid"), "threshold"),
        ("GET", "clusters?far=0", {}, (422, "invalid"), "far"),
        ("POST", "faces", {}, (422, "refused"), "photos: expected a photo, got none"),
        ("POST", "faces", {"files": photos(picture(1)), "data": {"boxes": "x"}}, (422, "invalid"), "boxes"),
        ("POST", "faces", {"files": photos(picture(1)), "data": {"boxes": "[]"}}, (422, "refused"), "for each of 1"),
        ("POST", "faces", {"files": photos(picture(1)), "data": {"boxes": "[[[0,0,1e308,1]]]"}}, (422, "invalid"), ""),
        ("POST", "faces", {"files": photos(picture(1)), "data": {"boxes": "[[[5,5,1,1]]]"}}, (422, "refused"), "left"),
        ("POST", "faces", {"files": photos(picture(1)), "data": {"person": "a\0"}}, (422, "refused"), "shown"),
        ("POST", "faces", {"files": photos(*[picture(1)] * 11)}, (422, "refused"), "Too many files"),
        ("POST", "identify", {"files": photo(b"")}, (422, "refused"), "got none"),
        ("POST", "identify", {"files": photo(picture(1)), "data": {"k": "0"}}, (422, "invalid"), "k"),
        ("POST", "identify", {"files": photo(picture(1)), "data": {"far": "nan"}}, (422, "invalid"), "far"),
        ("POST", "verify", {"files": photo(picture(1))}, (422, "invalid"), "person"),
        ("POST", "verify", {"files": photo(picture(1)), "data": {"person": "x"}}, (422, "refused"), "somebody"),
        (
            "POST",
            "identify",
            {"content": b"x", "headers": {"content-type": "multipart/form-data"}},
            (422, "refused"),
            "",
        ),
    ],
)
def test_what_cannot_be_is_said_in_one_form(client: TestClient, method, path, how, expected, said):
    found = client.request(method, f"{API}/{path}", **how)
    assert fault_of(found) == expected
    assert said in found.json()["error"]["message"]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory):
    with asked(tmp_path_factory.mktemp("service") / "faces.db") as client:
        yield client


def test_what_is_too_large_is_refused(file: Place):
    with asked(file.where, limits=Limits(most_bytes=5000, most_pixels=2000, files=2)) as client:
        large = client.post(f"{API}/faces", files=photos(b"x" * 200_000))
        assert fault_of(large) == (413, "too_large")
        pixels = client.post(f"{API}/faces", files=photos(picture(1, size=45)))
        assert fault_of(pixels) == (422, "refused")
        assert client.post(f"{API}/faces", files=photos(*[picture(1)] * 3)).status_code == 422
        pieces = (b"x" * 1000 for _ in range(300))  # sent without a length
        assert fault_of(client.post(f"{API}/people/forget", content=pieces)) == (413, "too_large")


def test_a_gallery_of_embeddings_takes_no_photos_and_says_so(file: Place):
    with file.open() as gallery:
        gallery.enrol("Ann", [[1.0, 0.0], [0.9, 0.1]])
    with asked(file.where, model=None) as client:
        assert client.get(f"{API}/about").json()["embeds"] is False
        assert fault_of(client.post(f"{API}/faces", files=photos(picture(1)))) == (409, "no_model")
        assert fault_of(client.post(f"{API}/identify", files=photo(picture(1)))) == (409, "no_model")
        assert client.get(f"{API}/people").json()[0]["faces"] == 2


def test_no_answer_names_a_file_of_the_machine(tmp_path: Path):
    from shoal.faces import create_network, save_network

    model = tmp_path / "model.safetensors"
    save_network(create_network("compact", 8, image_size=(16, 16), seed=0), model)
    where = tmp_path / "faces.db"
    with asked(where, model=model) as client:
        enrol(client, "Ann", picture(1))
        (tmp_path / "faces.db").chmod(0o400)
        model.unlink()
        assert client.get("/health").json()["status"] == "ok"
        said = [client.get(f"{API}/about").text, client.get("/api/openapi.json").text]
    with asked(where, model=None) as client:  # the model's file is gone
        gone = client.post(f"{API}/identify", files=photo(picture(1)))
        assert fault_of(gone) == (409, "no_model")
        said += [gone.text, client.get(f"{API}/faces").text]
    assert not any(str(tmp_path) in text or "safetensors" in text for text in said)


def test_a_database_that_fails_is_said_without_its_words(file: Place):
    with asked(file.where) as client:
        enrol(client, "Ann", picture(1))
        client.app.state.desk.close()  # type: ignore[attr-defined]
        for found in (client.get(f"{API}/people"), client.get("/health")):
            assert fault_of(found) == (503, "unavailable")
            assert "closed" not in found.text


def test_an_upgrade_beside_the_service_is_followed(tmp_path: Path):
    from shoal.faces import create_network, save_network

    for name, seed in (("first", 0), ("second", 1)):
        save_network(create_network("compact", 8, image_size=(16, 16), seed=seed), tmp_path / f"{name}.safetensors")
    where = str(tmp_path / "faces.db")
    with asked(where, model=tmp_path / "first.safetensors") as client:
        fill(client, 3, 1)
        assert client.get(f"{API}/about").json()["model"] == "first"
        with Gallery.open(where) as gallery:
            gallery.upgrade(tmp_path / "second.safetensors", force=True, way="as it is")
        assert client.get(f"{API}/about").json()["model"] == "second"
        assert len(enrol(client, "person 9", picture(9))) == 1
        found = client.post(f"{API}/identify", files=photo(picture(9))).json()
        assert found["matches"][0]["person"] == "person 9"


def test_who_asks_without_keys_is_whoever_runs_the_service(file: Place):
    from shoal.gallery.opening import login

    with asked(file.where) as client:
        enrol(client, "Ann", picture(1))
        assert {entry["who"] for entry in client.get(f"{API}/audit").json()["entries"]} == {login()}
