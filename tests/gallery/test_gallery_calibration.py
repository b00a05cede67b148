"""Thresholds and probabilities that the gallery learns from its own faces: they keep what they promise."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from shoal.errors import InputError
from shoal.gallery.calibration import Named, calibrate, probability
from tests.gallery.made_up import Place, directions, fill


def named(people: int, each: int, *, seed: int = 0, noise: float = 0.9) -> Named:
    faces = directions(people, each, noise=noise, seed=seed).numpy()
    rows = faces.reshape(-1, faces.shape[2])
    return Named(rows, rows, np.repeat(np.arange(people), each))


def test_strangers_are_accepted_as_often_as_was_asked():
    """New people from the same source, whom the calibration has not seen: pairs, and searches."""
    far, learned = 0.05, named(120, 4)
    calibration = calibrate(learned, far)
    assert calibration.threshold is not None
    assert calibration.search_threshold is not None
    new = directions(400, 1, noise=0.9, seed=9)[:, 0].numpy()
    distances = 2 - 2 * new @ learned.stored.T  # (400, n)
    claims = float((distances <= calibration.threshold.value).mean())
    searches = float((distances.min(1) <= calibration.search_threshold.value).mean())
    assert claims == pytest.approx(far, abs=0.015)
    assert searches == pytest.approx(far, abs=0.04)  # 400 searches: a standard error of 0.011, and that of learning
    assert calibration.search_threshold.value < calibration.threshold.value


def test_probabilities_are_as_often_right_as_they_say():
    """Of faces of which half are known: among those at about 70 %, about 70 % are."""
    faces = directions(400, 4, noise=0.8)
    known, asked = faces[:200, :3].numpy(), faces[:, 3].numpy()
    rows = known.reshape(-1, known.shape[2])
    people = np.repeat(np.arange(200), 3)
    calibration = calibrate(Named(rows, rows, people), 0.1)
    distances = 2 - 2 * asked @ rows.T  # (400, n)
    nearest = distances.argmin(1)
    right = (people[nearest] == np.arange(400)) & (np.arange(400) < 200)
    told = np.array([probability(calibration, float(d)) for d in distances.min(1)])
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.01)):
        inside = (told >= low) & (told < high)
        if inside.sum() >= 20:
            assert abs(told[inside].mean() - right[inside].mean()) < 0.2
    assert told[right].mean() > told[~right].mean() + 0.3


def test_too_few_faces_are_refused_with_how_many_it_takes(file: Place):
    faces = directions(6, 3)
    with file.open() as gallery:
        fill(gallery, faces[:4])
        found = gallery.identify(faces[0, 0] + 0.01)
        assert found[0].person == "person 000"
        assert found[0].accepted is None
        assert found.unknown is None
        assert np.isnan(found[0].probability)
        assert "no threshold" in found.note
        assert "no probabilities" in found.note
        with pytest.raises(InputError, match="at least 299 pairs of people"):
            gallery.verify("person 000", faces[0, 0])


def test_a_stricter_rate_gives_a_smaller_threshold(file: Place):
    faces = directions(90, 4)
    with file.open() as gallery:
        fill(gallery, faces)
        strict, loose = gallery.calibration(0.01).threshold, gallery.calibration(0.1).threshold
        assert strict is not None
        assert loose is not None
        assert strict.value < loose.value
        assert strict.low <= strict.value <= strict.high
        assert strict.pairs == 90 * 89 // 2


def test_a_stranger_is_unknown_and_a_known_face_is_not(file: Place):
    faces = directions(120, 4, noise=0.5)
    strangers = F.normalize(torch.randn(60, faces.shape[2], generator=torch.Generator().manual_seed(3)))
    with file.open() as gallery:
        fill(gallery, faces[:, :3])
        known = [gallery.identify(face, 1) for face in faces[:60, 3]]
        unknown = [gallery.identify(face, 1) for face in strangers]
        assert sum(found.person == f"person {i:03}" for i, found in enumerate(known)) >= 57
        assert sum(bool(found.unknown) for found in unknown) >= 57
