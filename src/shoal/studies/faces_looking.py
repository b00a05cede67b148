"""The test faces, and what the networks of a run make of them; embeddings are computed when they are first needed."""

from functools import cached_property

import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from shoal.faces.embedding import embed
from shoal.studies.faces_alterations import ALTERATIONS
from shoal.studies.faces_checked import Checked
from shoal.studies.faces_config import FacesStudyConfig
from shoal.studies.faces_data import StudyFaces
from shoal.studies.faces_measurements_groups import Grouped, choose_grouped
from shoal.studies.faces_names import MAIN, MIRRORED, PIXELS, UNTRAINED
from shoal.studies.faces_pairs import PairFaces
from shoal.studies.faces_training import Trainings

Images = UInt8[Tensor, "n 3 h w"]
Embeddings = Float[Tensor, "n dim"]


class Looking:
    """The test faces as networks see them.

    Args:
        config: resolved.
        faces: of the run.
        trainings: all of them made: test faces are looked at once, at the end.
    """

    def __init__(self, config: FacesStudyConfig, faces: StudyFaces, trainings: Trainings):
        self.config, self.faces, self.trainings = config, faces, trainings
        self.pairs = PairFaces.of(faces.test, faces.pairs)
        self._of_pairs: dict[str, Tensor] = {}
        self._fresh = trainings.fresh()

    def main(self, images: Images) -> Embeddings:
        """By the main network."""
        return self.trainings.embed(self.trainings[MAIN].network, images)

    @cached_property
    def test(self) -> Embeddings:
        """All test faces by the main network."""
        return self.main(self.faces.test.images)

    @cached_property
    def to_choose_with(self) -> Embeddings:
        """All faces that thresholds are chosen on, by the main network."""
        return self.main(self.faces.validation.images)

    def fresh(self, images: Images) -> Embeddings:
        """By the main network as it was before its training."""
        return self.trainings.embed(self._fresh, images)

    @cached_property
    def alterations(self) -> tuple[str, ...]:
        """Names of the alterations after which an image still shows the same."""
        return tuple(name for name, how in ALTERATIONS.items() if how.of_all or self.faces.test.are_faces)

    @cached_property
    def grouped(self) -> Grouped:
        """Test faces to cluster."""
        return choose_grouped(self.faces.test, self.config.clustered, self.config.seed)

    def of_pairs(self, name: str) -> Embeddings:
        """Of the images of the test pairs, by a network or by what is compared with networks."""
        if name not in self._of_pairs:
            self._of_pairs[name] = self._embed_pairs(name, self.pairs.images)
        return self._of_pairs[name]

    def check(self, name: str) -> Checked:
        """Verification of the test pairs."""
        return self.pairs.check(self.of_pairs(name))

    def apart(self, name: str) -> list[float]:
        """Mean squared distance of the two people of a mismatched pair, part by part."""
        found, pairs = self.of_pairs(name), self.pairs
        distances = pairs.distances(found, found)
        parts = range(int(pairs.fold.max()) + 1)
        return [float(distances[~pairs.same & (pairs.fold == part)].mean()) for part in parts]

    def _embed_pairs(self, name: str, images: Images) -> Embeddings:
        if name == MAIN:
            return self.test[self.pairs.rows]
        if name == UNTRAINED:
            return self.fresh(images)
        if name == PIXELS:
            return directions(images)
        if name == MIRRORED:
            return embed(self.trainings[MAIN].network, images, flip=True, device=self.config.device)
        return self.trainings.embed(self.trainings[name].network, images)


def directions(images: Images) -> Embeddings:
    """Images themselves as rows of unit length, each less its mean brightness: what no network is needed for.

    Example:
        >>> import torch
        >>> (directions(torch.tensor([0, 2, 1], dtype=torch.uint8).view(1, 3, 1, 1)) * 100).int().tolist()
        [[-70, 70, 0]]
    """
    numbers = images.flatten(1).float()
    numbers = numbers - numbers.mean(1, keepdim=True)
    blank = (numbers == 0).all(1, keepdim=True)  # of one grey: no direction, and any is as good
    return F.normalize(numbers + blank)
