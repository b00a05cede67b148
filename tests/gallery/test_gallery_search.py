"""Searching: the same answers as looking at every face one by one, in every state a gallery can be in."""

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
