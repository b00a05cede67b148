"""Upgrades: old faces are found by a new model, nothing is written again, worse models are refused, and back."""

import sqlite3
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from shoal.errors import InputError, ShoalError
from shoal.gallery import Embedder, Gallery, UpgradeRefusedError, upgrading
from shoal.gallery.models import active, read_versions
from shoal.gallery.opening import vectors_only
from tests.gallery.made_up import EYE, Place, colours, directions, fill, picture, turned

PEOPLE = 60


def new_vectors(gallery: Gallery, new: torch.Tensor) -> dict[int, torch.Tensor]:
    """The new model's vectors [people, each, dim] by the numbers of the faces."""
    return {face.id: rows[j] for i, rows in enumerate(new) for j, face in enumerate(gallery.faces(f"person {i:03}"))}


def vectors_in(path: str) -> list[tuple[int, int, bytes]]:
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT face, model, value FROM vectors ORDER BY id").fetchall()
    connection.close()
    return found


def test_a_turned_model_is_translated_and_finds_everybody(place: Place):
    faces = directions(PEOPLE, 5)
    new = turned(faces, noise=0.1)
    with place.open() as gallery:
        fill(gallery, faces[:, :4])
        done = gallery.upgrade(None, embeddings=new_vectors(gallery, new[:30, :4]))
        assert done.gate is not None
        assert done.gate.passed
        assert done.gate.way == "translated"
        assert (done.kept, done.added) == (4 * PEOPLE, 120)
        for i in (0, 20, 40, 59):  # also those whom the new model has never embedded
            assert gallery.identify(new[i, 4])[0].person == f"person {i:03}"
        assert gallery.verify("person 045", new[45, 4], far=0.05).accepted
    with place.open() as gallery:
        assert [model.state for model in gallery.models()] == ["past", "active"]
        assert gallery.identify(new[50, 4])[0].person == "person 050"


def test_a_harmonic_model_compares_as_it_is(file: Place):
    faces = directions(PEOPLE, 5)
    better = F.normalize(faces + 0.5 * (faces.mean(1, keepdim=True) - faces), dim=2)  # the same space, tighter
    with file.open() as gallery:
        fill(gallery, faces[:, :4])
        done = gallery.upgrade(None, embeddings=new_vectors(gallery, better[:, :4]))
        assert done.gate is not None
        assert done.gate.way == "as it is"
        assert done.gate.gain >= 0
        assert gallery.models()[1].translation is None


def test_no_vector_is_written_again(file: Place):
    faces = directions(PEOPLE, 4)
    with file.open() as gallery:
        fill(gallery, faces)
        before = vectors_in(file.where)
        gallery.upgrade(None, embeddings=new_vectors(gallery, turned(faces[:24])))
        after = vectors_in(file.where)
        assert after[: len(before)] == before
        assert len(after) == len(before) + 96


def test_a_model_that_is_worse_is_refused_and_nothing_changes(place: Place):
    faces = directions(PEOPLE, 4)
    noise = F.normalize(torch.randn(faces.shape, generator=torch.Generator().manual_seed(2)), dim=2)
    with place.open() as gallery:
        fill(gallery, faces)
        with pytest.raises(UpgradeRefusedError, match="refused: new to old") as refused:
            gallery.upgrade(None, embeddings=new_vectors(gallery, noise))
        assert refused.value.gate.gain < 0
        assert len(gallery.models()) == 1
        assert gallery.audit().entries[-1].what == "enrol"
        assert gallery.identify(faces[7, 0])[0].person == "person 007"
        forced = gallery.upgrade(None, embeddings=new_vectors(gallery, noise), force=True)
        assert forced.gate is not None
        assert not forced.gate.passed


def test_too_few_people_to_measure_on_are_refused(file: Place):
    faces = directions(8, 4)
    with file.open() as gallery:
        fill(gallery, faces)
        with pytest.raises(InputError, match="expected 20 people with several faces"):
            gallery.upgrade(None, embeddings=new_vectors(gallery, turned(faces)))
        with pytest.raises(InputError, match="embeddings of a new one"):
            gallery.upgrade(None)
        assert len(gallery.models()) == 1


def test_back_and_forth_over_three_models_everybody_is_found(file: Place):
    faces = directions(PEOPLE, 6)
    second, third = turned(faces, seed=3), turned(turned(faces, seed=3), seed=4)
    with file.open() as gallery:
        fill(gallery, faces[:, :3])
        gallery.upgrade(None, embeddings=new_vectors(gallery, second[:, :3]))
        for i in range(PEOPLE):
            gallery.enrol(f"person {i:03}", second[i, 3:4])
        later = {face.id: second[i, 3] for i in range(PEOPLE) for face in gallery.faces(f"person {i:03}")[3:]}
        old = {face: third[i, j] for i in range(PEOPLE) for j, face in _first_three(gallery, i)}
        gallery.upgrade(None, embeddings=old | {face: third[i, 3] for i, face in enumerate(sorted(later))})
        gallery.enrol("newest", directions(1, 1, seed=77)[0])
        assert [gallery.identify(third[i, 5])[0].person for i in (0, 33)] == ["person 000", "person 033"]
        assert gallery.rollback() == "embeddings 2"
        assert gallery.identify(second[33, 5])[0].person == "person 033"
        assert gallery.rollback() == "embeddings"
        assert gallery.identify(faces[33, 5])[0].person == "person 033"
        fresh = gallery.identify(faces[12, 3] * 1.0)[0]  # enrolled by the second model, asked by the first
        assert fresh.person == "person 012"
        assert fresh.distance < 0.05
        with pytest.raises(InputError, match="first model"):
            gallery.rollback()
        assert [entry.what for entry in gallery.audit().entries if "roll" in entry.what] == ["rollback"] * 2


def _first_three(gallery: Gallery, person: int) -> list[tuple[int, int]]:
    return list(enumerate(face.id for face in gallery.faces(f"person {person:03}")[:3]))


def sharper(images: torch.Tensor) -> torch.Tensor:
    """The same look from afar, through a mirror: another space, as good."""
    return colours(images.flip(3)).flip(1)


SHARPER = Embedder.of(sharper, name="mirror", dim=48, image_size=16)


def test_photos_that_are_kept_or_given_are_measured_on_and_embedded_again(tmp_path: Path):
    with Gallery.open(tmp_path / "faces.db", model=EYE) as gallery:
        paths = []
        for person in range(24):
            for photo in range(2):
                path = tmp_path / f"{person}-{photo}.png"
                path.write_bytes(picture(person, photo))
                paths.append(path)
                gallery.enrol(f"person {person:03}", path, keep_photos=photo == 0)
        with pytest.raises(InputError, match="expected 20 people with several"):
            gallery.upgrade(SHARPER)  # only one of each is kept
        done = gallery.upgrade(SHARPER, photos=paths)
        assert done.added == 48
        assert done.gate is not None
        assert done.gate.passed
        new = [gallery.enrol(f"person {p:03}", picture(p, 5), keep_photos=True) for p in range(3)]
        assert all(gallery.faces(f"person {p:03}")[-1].id == new[p][0] for p in range(3))
        assert gallery.identify(picture(7, 9))[0].person == "person 007"
        assert gallery.reembed() == 0  # all that are kept have been
        with pytest.raises(InputError, match="never had"):
            gallery.upgrade(EYE)


def test_faces_are_embedded_again_little_by_little(tmp_path: Path):
    with Gallery.open(tmp_path / "faces.db", model=EYE) as gallery:
        for person in range(30):
            gallery.enrol(f"person {person:03}", [picture(person, 0), picture(person, 1)], keep_photos=True)
        unnamed = gallery.enrol(None, [picture(90 + i) for i in range(5)], keep_photos=True)
        assert gallery.upgrade(SHARPER).added == 60
        shares: list[float] = []
        assert gallery.reembed(limit=3, progress=shares.append) == 3
        assert gallery.reembed() == 2
        assert gallery.reembed() == 0
        assert shares[-1] == 1.0
        models = {face.id: face.models for face in gallery.faces()}
        assert all(models[face] == ("from afar", "mirror") for face in unnamed)


def test_an_upgrade_by_somebody_else_meanwhile_is_noticed(file: Place):
    faces = directions(PEOPLE, 4)
    with file.open() as one, file.open() as other:
        fill(one, faces)
        new = {face: vectors.numpy() for face, vectors in new_vectors(one, turned(faces)).items()}
        with one._database.read() as rows:
            old = active(read_versions(rows))
        assert old is not None
        planned = upgrading.plan(one._memory.snapshot(), old, new, way=None, force=False)
        other.upgrade(None, embeddings=new)
        embedder = vectors_only(faces.shape[2], {})
        with pytest.raises(ShoalError, match="changed in the meantime"), one._database.write() as rows:
            upgrading.carry_out(rows, one._database, "one", embedder, planned)
        assert len(one.models()) == 2
        assert one.identify(turned(faces)[3, 0])[0].person == "person 003"


def test_a_model_that_was_rolled_back_from_is_taken_again(place: Place):
    with place.open(model=EYE) as gallery:
        for person in range(24):
            gallery.enrol(f"person {person:03}", [picture(person, 0), picture(person, 1)], keep_photos=True)
        first = gallery.upgrade(SHARPER)
        gallery.rollback()
    with place.open(model=EYE) as gallery:
        again = gallery.upgrade(SHARPER)
        assert again.gate == first.gate
        assert (again.kept, again.added) == (first.kept + first.added, 0)
        assert [model.state for model in gallery.models()] == ["past", "active"]
        assert gallery.identify(picture(7, 9))[0].person == "person 007"
        with pytest.raises(InputError, match="which is active"):
            gallery.upgrade(SHARPER)
        with pytest.raises(InputError, match="which is past"):
            gallery.upgrade(EYE)
        assert [entry.what for entry in gallery.audit().entries][-3:] == ["upgrade", "rollback", "upgrade"]
