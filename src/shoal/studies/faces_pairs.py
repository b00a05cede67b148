"""The test pairs, each image once: embedded, altered, and compared within one network or across two."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from shoal.data.faces import FacePairs, FaceSet
from shoal.faces.pair_distances import pair_distances
from shoal.faces.verification import verification
from shoal.faces.verification_result import Verification
from shoal.studies.faces_checked import Checked


@dataclass(frozen=True, eq=False, kw_only=True)
class PairFaces:
    """Pairs and their images.

    Attributes:
        images: each image that occurs, once.
        rows: of the set that they are taken from.
        a: number of the first image of each pair, among `images`; b: of the second.
        same: whether both show one person.
        fold: the part of each pair.
    """

    images: UInt8[Tensor, "n 3 h w"]
    rows: Int64[Tensor, "n"]
    a: Int64[Tensor, "p"]
    b: Int64[Tensor, "p"]
    same: Bool[Tensor, "p"]
    fold: Int64[Tensor, "p"]

    @classmethod
    def of(cls, faces: FaceSet, pairs: FacePairs) -> "PairFaces":
        """Take the images that occur in pairs."""
        pairs.check(len(faces))
        rows, places = torch.cat((pairs.a, pairs.b)).unique(return_inverse=True)
        a, b = places.view(2, -1)
        return cls(images=faces.images[rows], rows=rows, a=a, b=b, same=pairs.same, fold=pairs.fold)

    def verify(self, first: Float[Tensor, "n dim"], second: Float[Tensor, "n dim"] | None = None) -> Verification:
        """Verification, the second images embedded as the first ones unless given."""
        second = first if second is None else second
        return verification(first[self.a], second[self.b], self.same, fold=self.fold, far=())

    def check(self, first: Float[Tensor, "n dim"], second: Float[Tensor, "n dim"] | None = None) -> Checked:
        """The same in short."""
        return checked(self.verify(first, second))

    def distances(self, first: Float[Tensor, "n dim"], second: Float[Tensor, "n dim"]) -> Float[Tensor, "p"]:
        """Squared distances of all pairs."""
        return pair_distances(first[self.a], second[self.b])


def checked(found: Verification) -> Checked:
    """What the study keeps of a verification."""
    return Checked(parts=list(found.fold_accuracy), auc=found.auc)
