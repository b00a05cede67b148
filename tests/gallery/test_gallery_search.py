"""Searching: the same answers as looking at every face one by one, in every state a gallery can be in."""

import sqlite3

import numpy as np
import pytest
import torch
from torch import Tensor

from shoal.errors import InputError
from shoal.gallery import Gallery
from tests.gallery.made_up import DIM, Place, directions, fill


def by_hand(faces: dict[str, Tensor], query: Tensor) -> list[tuple[str, float]]:
    """Everybody with the distance of the nearest of their faces, nearest first."""
    found = [(name, float((rows.double() - query.double()).square().sum(1).min())) for name, rows in faces.items()]
    return sorted(found, key=lambda one: one[1])


def check_against_hand(gallery: Gallery, faces: dict[str, Tensor], queries: Tensor, k: int = 5) -> None:
    for query in queries:
        told = gallery.identify(query, k)
        expected = by_hand(faces, query)[:k]
        assert [match.person for match in told] == [name for name, _ in expected]
        np.testing.assert_allclose([match.distance for match in told], [d for _, d in expected], atol=1e-6)


def test_identify_is_what_looking_at_each_face_gives(place: Place):
    faces = directions(40, 6)
    known = {f"person {i:03}": rows[:5] for i, rows in enumerate(faces)}
    with place.open() as gallery:
        fill(gallery, faces[:, :5])
        check_against_hand(gallery, known, faces[:12, 5])
        check_against_hand(gallery, known, faces[:3, 5], k=40)


def test_the_nearest_people_are_found_behind_one_with_very_many_faces(file: Place):
    crowd = directions(1, 600, noise=0.05)[0]
    others = directions(30, 1, seed=5)[:, 0]
    known = {"crowd": crowd} | {f"other {i:02}": row[None] for i, row in enumerate(others)}
    with file.open() as gallery:
        for name, rows in known.items():
            gallery.enrol(name, rows)
        check_against_hand(gallery, known, crowd[:2], k=8)  # more than the nearest 128 faces are looked at


def test_what_changes_is_seen_at_once_by_everybody(place: Place):
    faces = directions(6, 4)
    with place.open() as one, place.open() as other:
        known: dict[str, Tensor] = {}
        for i, rows in enumerate(faces):
            name = f"person {i:03}"
            (one if i % 2 else other).enrol(name, rows)
            known[name] = rows
            check_against_hand(one, known, faces[: i + 1, 0])
            check_against_hand(other, known, faces[: i + 1, 1])
        one.rename("person 000", "renamed")
        known["renamed"] = known.pop("person 000")
        one.forget("person 003")
        del known["person 003"]
        check_against_hand(other, known, faces[:, 2])
        ids = [face.id for face in other.faces("person 001")]
        other.assign(ids[:2], None)
        known["person 001"] = known["person 001"][2:]
        check_against_hand(one, known, faces[:, 3])


def test_a_claim_is_accepted_or_not_with_its_distance(file: Place):
    faces = directions(40, 4)
    with file.open() as gallery:
        fill(gallery, faces[:, :3])
        right = gallery.verify("person 007", faces[7, 3])
        wrong = gallery.verify("person 008", faces[7, 3])
        assert right.accepted
        assert not wrong.accepted
        assert right.distance == pytest.approx(by_hand({"x": faces[7, :3]}, faces[7, 3])[0][1], abs=1e-6)
        assert right.probability > 0.5 > wrong.probability
        with pytest.raises(InputError, match="somebody in the gallery"):
            gallery.verify("nobody", faces[7, 3])


def test_an_empty_gallery_knows_nobody_and_says_so(file: Place):
    with file.open() as gallery:
        found = gallery.identify(directions(1, 1)[0, 0])
        assert found == []
        assert found.unknown
        assert str(found) == "unknown"
        assert gallery.cluster() == []
        assert gallery.people() == []
        assert gallery.faces() == []
        with pytest.raises(InputError):
            gallery.calibration()


def test_wrong_questions_are_refused(file: Place):
    faces = directions(2, 2)
    with file.open() as gallery:
        fill(gallery, faces)
        with pytest.raises(InputError, match="k: expected at least 1"):
            gallery.identify(faces[0, 0], k=0)
        with pytest.raises(InputError, match=rf"\[n, {DIM}\]"):
            gallery.identify(torch.ones(DIM + 1))
        with pytest.raises(InputError, match="expected one, got 2"):
            gallery.identify(faces[0])
        with pytest.raises(InputError, match=r"share in \(0, 0.5\]"):
            gallery.identify(faces[0, 0], far=0.0)


def test_few_people_with_many_faces_are_all_found_and_any_k_will_do(file: Place):
    """Three people in ten thousand faces, and unnamed ones between them: fewer than k are there."""
    faces = directions(4, 2_500, noise=0.2)
    with file.open() as gallery:
        for i in range(3):
            gallery.enrol(f"person {i}", faces[i])
        gallery.enrol(None, faces[3])
        known = {f"person {i}": rows for i, rows in enumerate(faces[:3])}
        for k in (1, 2, 3, 5, 10**9):
            check_against_hand(gallery, known, directions(2, 1, seed=9)[:, 0], k=k)


def test_a_read_that_fails_in_the_middle_is_made_up_for(file: Place):
    """One row of the second model is too short: nothing of the first is taken twice when it has been mended."""
    faces = directions(30, 3)
    with file.open() as gallery:
        fill(gallery, faces)
        gallery.upgrade(None, embeddings={face.id: faces.reshape(-1, DIM)[face.id - 1] for face in gallery.faces()})
        connection = sqlite3.connect(file.where)
        ((row, value),) = connection.execute("SELECT id, value FROM vectors WHERE model = 2 LIMIT 1").fetchall()
        connection.execute("UPDATE vectors SET value = ? WHERE id = ?", (value[:-4], row))
        connection.commit()
        with pytest.raises(ValueError, match="reshape"):
            gallery.identify(faces[0, 0])
        connection.execute("UPDATE vectors SET value = ? WHERE id = ?", (value, row))
        connection.commit()
        connection.close()
        assert gallery.identify(faces[7, 0])[0].person == "person 007"
        banks = gallery._memory.snapshot().banks
        assert [len(bank.vectors) for bank in banks.values()] == [90, 90]


def test_a_gallery_from_which_all_were_forgotten_is_empty_again(place: Place):
    faces = directions(2, 2)
    with place.open() as gallery:
        for name in fill(gallery, faces):
            gallery.forget(name)
        assert gallery.identify(faces[0, 0]) == []
        assert gallery.identify(faces[0, 0]).unknown
        assert gallery.cluster() == []
        assert gallery.undo() is None
        assert gallery.calibration().threshold is None
        with pytest.raises(InputError, match="somebody in the gallery"):
            gallery.verify("person 000", faces[0, 0])
        with pytest.raises(InputError, match="expected 20 people"):
            gallery.upgrade(None, embeddings={1: faces[0, 0]})
        fill(gallery, faces)
        assert gallery.identify(faces[1, 1])[0].person == "person 001"


def test_two_people_are_enough_to_be_told_apart_and_too_few_for_a_promise(place: Place):
    faces = directions(2, 5)
    with place.open() as gallery:
        fill(gallery, faces[:, :4])
        found = gallery.identify(faces[1, 4])
        assert [match.person for match in found] == ["person 001", "person 000"]
        assert found.unknown is None
        assert "no threshold" in found.note
        assert gallery.calibration(0.5).threshold is None
        assert [group.nearest for group in gallery.cluster()] == []
