"""Faces to learn from and faces to report on: no person is in both.

splits = split_faces(load_faces("lfw", image_size=64))
splits.train, splits.test                       # LFW's View 1
splits.test_pairs.gather(embeddings_of_test)
"""

from dataclasses import dataclass
from html import escape
from pathlib import Path

import torch
from torch import Tensor

from shoal.data.faces.drawing import draw_some
from shoal.data.faces.lfw import PEOPLE_LISTS, find_list, lfw_pairs, read_people_list
from shoal.data.faces.pairs import FacePairs
from shoal.data.faces.sets import FaceSet
from shoal.data.faces.specs import LFW
from shoal.errors import wrong


@dataclass(frozen=True, eq=False, kw_only=True)
class FaceSplits:
    """Training and test faces, and pairs of each.

    Attributes:
        train: faces to learn from, and to choose with; people numbered from 0.
        test: faces of other people, to report on; people numbered from 0.
        train_pairs: rows of `train`.
        test_pairs: rows of `test`.
        how: a sentence on how they were divided.
    """

    train: FaceSet
    test: FaceSet
    train_pairs: FacePairs
    test_pairs: FacePairs
    how: str

    def __str__(self) -> str:
        parts = (f"{len(part):,} images of {len(part.people):,} people" for part in (self.train, self.test))
        return f"{self.train.title}: {' to learn from, '.join(parts)} to report on; {self.how}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<p>{escape(str(self))}</p>"


def split_faces(faces: FaceSet, *, test: float = 0.3, pairs: int = 1000, seed: int = 0) -> FaceSplits:
    """Divide people, and pair up images.

    LFW is divided by its own lists of View 1, where they are there. Of other sets, people are drawn; those with
    several images and those with one in the same share, two with several images at least on either side.

    Args:
        faces: of known people.
        test: share of the people to report on, in (0, 1); where no lists say.
        pairs: of each kind, to draw on either side; where no lists say.
        seed: of the draws.

    Returns:
        Both sides, and their pairs.

    Raises:
        InputError: if people are not known, or are too few.
        ShoalError: if a list of LFW cannot be read.
    """
    folder = Path(faces.folder)
    if faces.name == LFW.name and faces.folder and all(find_list(folder, name) for name in PEOPLE_LISTS):
        return _view_1(faces)
    if not 0 < test < 1:
        raise wrong("test", expected="a share of the people in (0, 1)", got=test)
    chosen = _draw_people(faces, test, seed)  # bool (people)
    sides = [faces.take(side[faces.labels].nonzero().flatten()).renumbered() for side in (~chosen, chosen)]
    train_pairs, test_pairs = (
        draw_some(side.labels, pairs=pairs, seed=2 * seed + i, name=f"{name} pairs, drawn")
        for i, (side, name) in enumerate(zip(sides, ("training", "test"), strict=True))
    )
    how = f"{int(chosen.sum()):,} of {len(faces.people):,} people drawn to report on (seed {seed})"
    return FaceSplits(train=sides[0], test=sides[1], train_pairs=train_pairs, test_pairs=test_pairs, how=how)


def _view_1(faces: FaceSet) -> FaceSplits:
    sides = []
    for name in PEOPLE_LISTS:
        path = find_list(Path(faces.folder), name)
        assert path is not None
        # somebody whose only image is broken is missed by the pairs, or by nobody
        sides.append(faces.of_people(set(read_people_list(path)).intersection(faces.people)))
    train, test = sides
    return FaceSplits(
        train=train,
        test=test,
        train_pairs=lfw_pairs(train, "pairsDevTrain.txt"),
        test_pairs=lfw_pairs(test, "pairsDevTest.txt"),
        how="people and pairs of View 1, as its authors divide them",
    )


def _draw_people(faces: FaceSet, share: float, seed: int) -> Tensor:
    """Which people to report on: bool [people]."""
    counts = faces.counts
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.zeros(len(faces.people), dtype=torch.bool)
    several = (counts > 1).nonzero().flatten()
    if len(several) < 4:
        got = f"{len(several)} of {len(faces.people)}" if faces.people else "images of unknown people"
        fix = "give each person a folder, with two images or more"
        raise wrong("faces to divide", expected="at least 4 people with two images", got=got, fix=fix)
    for group, fewest in ((several, 2), ((counts == 1).nonzero().flatten(), 0)):
        drawn = min(max(fewest, round(share * len(group))), len(group) - fewest)
        chosen[group[torch.randperm(len(group), generator=generator)[:drawn]]] = True
    return chosen
