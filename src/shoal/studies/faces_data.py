"""The faces of the study: people to train on, others to choose with, and others again, looked at once at the end."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import torch

from shoal.data.faces import FacePairs, FaceSet, split_faces
from shoal.data.faces.drawing import draw_some
from shoal.data.faces.reading import Progress
from shoal.engine import stream
from shoal.errors import wrong
from shoal.studies.faces_config import BUDGETS, FacesStudyConfig
from shoal.studies.faces_reading import find_faces

CHOOSING = 0.1  # share of the training people that thresholds are chosen with
FEWEST_PEOPLE = 2  # with two images, to train on
PAIRS = 500  # of each kind, where no lists say


@dataclass(frozen=True, eq=False, kw_only=True)
class StudyFaces:
    """All faces of a run; no person is in two parts.

    Attributes:
        train: faces that networks are trained on.
        validation: faces that thresholds are chosen on.
        watched: some of these, and pairs of them, that trainings are watched with.
        test: faces that are looked at once, after all trainings.
        pairs: rows of these.
        about: what the report says of them; there, "name_or_path" leads to the same faces again.
    """

    train: FaceSet
    validation: FaceSet
    watched: tuple[FaceSet, FacePairs]
    test: FaceSet
    pairs: FacePairs
    about: dict[str, Any]

    @property
    def identity(self) -> dict[str, Any]:
        """What tells these faces from others: a run must not go on with others."""
        digest = hashlib.sha256()
        for part in (self.train, self.validation, self.test):
            digest.update(part.labels.numpy().tobytes())
            digest.update(part.images[:: max(1, len(part) // 64)].contiguous().numpy().tobytes())
        for rows in (self.pairs.a, self.pairs.b, self.watched[1].a):
            digest.update(rows.numpy().tobytes())
        return {"name": self.test.name, "rows": len(self.train), "sha256": digest.hexdigest()[:16]}


def read_faces(config: FacesStudyConfig, progress: Progress | None = None) -> StudyFaces:
    """Find and divide the faces.

    LFW is divided as its View 1 says; of other sets, people are drawn. A tenth of the people to train on are set apart
    to choose with.

    Args:
        config: resolved.
        progress: told how many images have been read.

    Raises:
        InputError: if there are too few people, nobody is known, or the data cannot be used.
    """
    choice = find_faces(config, progress)
    faces = choice.faces
    splits = split_faces(faces, pairs=PAIRS, seed=config.seed)
    # without its folder, LFW's training part is divided like any other set
    inner = split_faces(replace(splits.train, folder=""), test=CHOOSING, pairs=PAIRS, seed=config.seed)
    several = int((inner.train.counts > 1).sum())
    if several < FEWEST_PEOPLE:
        expected = f"{FEWEST_PEOPLE} people with two images to train on"
        raise wrong("faces", expected=expected, got=f"{several} of {len(inner.train.people)}")
    about = {
        "name": faces.name,
        "title": faces.title,
        "name_or_path": str(config.data or choice.data),
        "source": faces.source,
        "terms": faces.terms,
        "why": choice.why,
        "better": choice.better,
        "are faces": faces.are_faces,
        "divided": splits.how,
        "to train on": _counts(inner.train),
        "to choose with": _counts(inner.test),
        "test": _counts(splits.test),
        "test pairs": f"{splits.test_pairs.name}: {int(splits.test_pairs.same.sum()):,} of one person, "
        f"{int((~splits.test_pairs.same).sum()):,} of two",
        "image": "×".join(map(str, faces.images.shape[1:])),
        "skipped": len(faces.skipped),
    }
    return StudyFaces(
        train=inner.train,
        validation=inner.test,
        watched=_watched(inner.test, BUDGETS[config.budget].watched, config.seed),
        test=splits.test,
        pairs=splits.test_pairs,
        about=about,
    )


def _watched(faces: FaceSet, people: int, seed: int) -> tuple[FaceSet, FacePairs]:
    """Some people with several images: looking at all of them, again and again, would take the training's time."""
    several = (faces.counts > 1).nonzero().flatten()
    chosen = several[torch.randperm(len(several), generator=stream(seed, "watched people"))[:people]]
    some = faces.take(torch.isin(faces.labels, chosen).nonzero().flatten()).renumbered()
    return some, draw_some(some.labels, pairs=people, seed=seed, name="watched pairs, drawn")


def some_people(faces: FaceSet, share: float, seed: int) -> FaceSet:
    """Faces of a share of the people, drawn at random; of the same seed a larger share holds the smaller one's.

    People with several images and those with one are drawn apart, so that a part is like the whole.

    Args:
        faces: of known people.
        share: of the people, in (0, 1]; two with several images at least.
        seed: of the draw.
    """
    if share == 1:
        return faces
    chosen = torch.zeros(len(faces.people), dtype=torch.bool)
    for fewest, group in ((FEWEST_PEOPLE, faces.counts > 1), (0, faces.counts == 1)):
        people = group.nonzero().flatten()
        order = torch.randperm(len(people), generator=stream(seed, "some people", fewest))
        chosen[people[order[: max(fewest, round(share * len(people)))]]] = True
    return faces.take(chosen[faces.labels].nonzero().flatten()).renumbered()


def _counts(faces: FaceSet) -> str:
    return f"{len(faces):,} images of {len(faces.people):,} people"
