"""Enrolling: photos and embeddings, twice the same is once, all of a photo or nothing."""

import io
import os

import numpy as np
import pytest
import torch
from PIL import Image

from shoal.errors import InputError, ShoalError
from shoal.gallery import Gallery, enrol_folder
from shoal.gallery.enrolling import Wanted, put
from shoal.gallery.sources import read_photos
from tests.gallery.made_up import DIM, EYE, Place, directions, fill, picture, write_pictures


def test_embeddings_twice_are_once(place: Place):
    faces = directions(4, 3)
    with place.open() as gallery:
        first = fill(gallery, faces)
        again = fill(gallery, faces)
        assert first == again
        assert len(gallery) == 12
        assert [(p.name, p.faces) for p in gallery.people()] == [(name, 3) for name in sorted(first)]
    with place.open() as gallery:  # and it is there the next day
        assert len(gallery) == 12
        assert gallery.identify(faces[2, 1])[0].person == "person 002"


def test_photos_of_every_form_are_the_same_photo_only_if_their_bytes_are(file: Place, tmp_path):
    content = picture(1)
    path = tmp_path / "ann.png"
    path.write_bytes(content)
    pixels = np.asarray(Image.open(io.BytesIO(content)))
    with file.open(model=EYE) as gallery:
        a = gallery.enrol("Ann", path)
        assert gallery.enrol("Ann", content) == a  # the same bytes under no name
        b = gallery.enrol("Ann", pixels)
        assert gallery.enrol("Ann", torch.from_numpy(pixels.copy()).permute(2, 0, 1)) == b
        assert gallery.enrol("Ann", Image.fromarray(pixels)) == b
        assert len(gallery) == 2
        assert [face.name for face in gallery.faces("Ann")] == ["ann.png", ""]
        small = gallery.thumbnail(a[0])
        assert small is not None
        assert Image.open(io.BytesIO(small)).size == (40, 40)


def test_boxes_are_faces_of_one_photo_and_never_one_person(file: Place):
    boxes = [[(0, 0, 20, 20), (20, 0, 40, 20)]]
    with file.open(model=EYE) as gallery:
        with pytest.raises(InputError, match="one face of a person on each photo"):
            gallery.enrol("Ann", picture(1), boxes=boxes)
        assert len(gallery) == 0  # nothing half-written stays
        faces = gallery.enrol(None, picture(1), boxes=boxes)
        assert [face.box for face in gallery.faces()] == boxes[0]
        assert len({face.photo for face in gallery.faces()}) == 1
        gallery.assign(faces[:1], "Ann")
        with pytest.raises(InputError, match="of one photo"):
            gallery.assign(faces[1:], "Ann")
        assert [face.person for face in gallery.faces()] == ["Ann", None]


def test_a_face_of_somebody_else_is_refused_and_a_nameless_one_is_named(place: Place):
    faces = directions(1, 3)[0]
    with place.open() as gallery:
        gallery.enrol("Ann", faces[:1])
        with pytest.raises(InputError, match="got one of 'Ann'"):
            gallery.enrol("Bob", faces)
        assert len(gallery) == 1
        unnamed = gallery.enrol(None, faces[1:])
        assert gallery.enrol("Ann", faces[1:]) == unnamed
        assert [person.faces for person in gallery.people()] == [3]
        assert gallery.enrol(None, faces) == [1, *unnamed]  # nobody says nothing against Ann
        assert [person.faces for person in gallery.people()] == [3]


def test_broken_photos_are_named_and_nothing_of_them_stays(file: Place, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(picture(1)[:200])
    with file.open(model=EYE) as gallery:
        with pytest.raises(InputError, match=r"broken\.png"):
            gallery.enrol("Ann", [broken])
        with pytest.raises(InputError, match="no such file"):
            gallery.enrol("Ann", tmp_path / "none.png")
        assert len(gallery) == 0
        assert gallery.people() == []


@pytest.mark.parametrize(
    ("faces", "said"),
    [
        (torch.zeros(1, DIM), "none of them zero"),
        (torch.full((1, DIM), float("nan")), "finite"),
        (torch.ones(1, DIM + 1), rf"\[n, {DIM}\]"),
        (torch.ones(2, 2, DIM), "floats"),
        (np.ones((2, 2), np.int64), "uint8 pixels or float embeddings"),
    ],
)
def test_what_is_no_face_is_refused(file: Place, faces, said):
    with file.open() as gallery:
        gallery.enrol("Ann", directions(1, 1)[0])
        with pytest.raises(InputError, match=said):
            gallery.enrol("Bob", faces)
        assert len(gallery) == 1


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "tab\there", "\u200b", "two\u2028lines", "\ud800"])
def test_names_that_cannot_be_are_refused(file: Place, name):
    with file.open() as gallery, pytest.raises(InputError, match="name"):
        gallery.enrol(name, directions(1, 1)[0])


def test_another_model_is_refused_and_embeddings_alone_embed_no_photo(file: Place):
    with file.open(model=EYE) as gallery:
        gallery.enrol("Ann", picture(1))
    other = type(EYE).of(EYE.function, name="other", dim=48, image_size=16)
    with pytest.raises(InputError, match="upgrade"):
        file.open(model=other)
    with file.open() as gallery, pytest.raises(InputError, match="model="):
        gallery.identify(picture(1))


def test_a_saved_network_is_found_again_and_missed_when_it_is_gone(tmp_path):
    from shoal.faces import create_network, save_network

    model = save_network(create_network("compact", 16, image_size=(32, 32), seed=0), tmp_path / "faces.safetensors")
    photos = write_pictures(tmp_path / "people", 2, 2)
    with Gallery.open(tmp_path / "faces.db", model=model) as gallery:
        for name, paths in photos.items():
            gallery.enrol(name, paths)
    with Gallery.open(tmp_path / "faces.db") as gallery:  # remembers where its model lies
        assert gallery.identify(photos["person 001"][0])[0].distance < 1e-6
    model.rename(tmp_path / "moved.safetensors")
    with Gallery.open(tmp_path / "faces.db") as gallery:
        assert len(gallery) == 4
        with pytest.raises(InputError, match=r"faces\.safetensors.*open it with model="):
            gallery.identify(photos["person 001"][0])


def test_nothing_enrolled_is_nobody(file: Place):
    with file.open(model=EYE) as gallery:
        assert gallery.enrol("Ann", picture(1), boxes=[[]]) == []
        assert gallery.enrol("Ann", torch.empty(0, 48)) == []
        assert gallery.people() == []
        assert gallery.audit().entries == ()


def test_what_is_there_is_not_written_again(place: Place):
    photos = [picture(person) for person in range(3)]
    with place.open(model=EYE) as gallery:
        ids = gallery.enrol(None, photos)
        gallery.enrol("Ann", photos[0])
        entries = len(gallery.audit().entries)
        assert gallery.enrol(None, photos) == ids
        assert gallery.enrol("Ann", photos[:1]) == ids[:1]
        assert len(gallery.audit().entries) == entries
        gallery.enrol("Ann", photos[:1], keep_photos=True)  # is news
        gallery.enrol("Bob", photos[1:2])
        assert len(gallery.audit().entries) == entries + 2


def test_many_nameless_faces_are_named_in_a_moment(file: Place):
    import time

    faces = directions(1, 12_000)[0]
    with file.open() as gallery:
        gallery.enrol(None, faces)
        began = time.process_time()
        gallery.enrol("Ann", faces)
        assert time.process_time() - began < 8  # looking through all for each of them are 144 millions
        assert [person.faces for person in gallery.people()] == [12_000]


def test_a_photo_that_is_deleted_while_it_is_enrolled_leaves_no_face_without_a_vector(file: Place):
    """Another process forgets somebody between looking what is there and writing."""
    with file.open(model=EYE) as gallery:
        gallery.enrol("Ann", picture(1))
        vanished = Wanted(read_photos(picture(1))[0].digest, "", "", None)
        gallery.forget("Ann")
        with pytest.raises(ShoalError, match="enrol it again"), gallery._database.write() as rows:
            put(rows, gallery._database, 1, [vanished], "Ann")
        assert len(gallery) == 0
        assert gallery.people() == []


def test_a_file_of_any_name_is_enrolled_and_one_that_cannot_be_read_is_named(file: Place, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    odd = folder / os.fsdecode(b"gr\xfcn.png")  # Latin-1: no text in UTF-8
    odd.write_bytes(picture(1))
    (folder / "device.png").symlink_to("/proc/self/mem")  # a file that gives an error when it is read
    with file.open(model=EYE) as gallery:
        found = enrol_folder(gallery, folder)
        assert (found.photos, found.faces) == (2, 1)
        assert "device.png" in found.skipped[0][0]
        assert "that can be read" in found.skipped[0][1]
        assert [face.name for face in gallery.faces()] == ["gr\ufffdn.png"]


def test_a_model_whose_file_was_replaced_or_damaged_stands_in_nobodys_way(tmp_path):
    from shoal.faces import create_network, save_network

    model = tmp_path / "faces.safetensors"
    photos = write_pictures(tmp_path / "people", 2, 1)
    save_network(create_network("compact", 16, image_size=(32, 32), seed=0), model)
    with Gallery.open(tmp_path / "faces.db", model=model) as gallery:
        for name, paths in photos.items():
            gallery.enrol(name, paths)
    save_network(create_network("compact", 16, image_size=(32, 32), seed=1), model)
    with Gallery.open(tmp_path / "faces.db") as gallery:
        assert gallery.forget("person 000").complete
        with pytest.raises(ShoalError, match="upgrade to it"):
            gallery.identify(photos["person 001"][0])
        assert gallery.upgrade(model, force=True).model == "faces"
        assert gallery.enrol("new", picture(7)) == [3]
    model.write_bytes(b"no network")
    with Gallery.open(tmp_path / "faces.db") as gallery:
        with pytest.raises(ShoalError, match=r"faces\.safetensors"):
            gallery.identify(picture(7))
        assert gallery.forget("new").complete
