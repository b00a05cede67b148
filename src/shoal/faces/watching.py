"""What every row of a training's history measures: losses that compare with each other, and accuracy on pairs.

Three losses are over as many people with two images each, mined alike, not augmented: of images that were trained
on ("seen"), of images of the same people that were held back, and of people who were not trained on (validation). The
first two part where images are learned by heart, the last two where people are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor, nn

from shoal.data.faces.drawing import draw_some
from shoal.data.faces.pairs import FOLDS, FacePairs
from shoal.data.faces.sets import FaceSet
from shoal.engine import Precision
from shoal.errors import InputError, wrong
from shoal.faces.embedding import embed_with
from shoal.faces.learning import Learning
from shoal.faces.losses import TripletLoss
from shoal.faces.training_batches import LOOKS, some_of_each
from shoal.faces.verification import verification
from shoal.faces.verification_result import Verification

MOST = 100  # people that a loss is measured on
FEWEST = 2  # so that there is a negative
VALIDATION, HELD_BACK, SEEN = "validation", "held_back", "seen"

Validation = tuple[FaceSet, FacePairs]


@dataclass(frozen=True, eq=False)
class Looked:
    """Images that are looked at: two each of some people, side by side."""

    images: UInt8[Tensor, "n 3 h w"]
    people: Int64[Tensor, "n"]

    @classmethod
    def some(cls, images: Tensor, people: Tensor, seed: int) -> "Looked":
        """Two images each of at most `MOST` people."""
        rows = some_of_each(people, MOST, seed=seed)
        return cls(images[rows], people[rows])

    def first(self, people: int) -> "Looked":
        """Those of the first so many people."""
        return Looked(self.images[: LOOKS * people], self.people[: LOOKS * people])

    def __len__(self) -> int:
        return len(self.people) // LOOKS


@dataclass(frozen=True, eq=False)
class LookedPairs:
    """Pairs that are looked at, each image once.

    Attributes:
        images: of the pairs.
        rows: of the set that they are taken from.
        a: number of the first image of each pair, among `images`; b: of the second.
        same: whether both show one person.
    """

    images: UInt8[Tensor, "n 3 h w"]
    rows: Int64[Tensor, "n"]
    a: Int64[Tensor, "p"]
    b: Int64[Tensor, "p"]
    same: Bool[Tensor, "p"]

    @classmethod
    def some(cls, images: Tensor, pairs: FacePairs, most: int) -> "LookedPairs":
        """At most so many pairs, evenly out of the list, half of them matched.

        Raises:
            InputError: if pairs name images that are not there, or there are not two of either kind.
        """
        pairs.check(len(images))
        kinds = [kind.nonzero().flatten() for kind in (pairs.same, ~pairs.same)]
        if min(map(len, kinds)) < FEWEST:
            got = f"{len(kinds[0])} and {len(kinds[1])}"
            raise wrong("validation pairs", expected=f"{FEWEST} matched and {FEWEST} mismatched", got=got)
        count = min(max(FEWEST, most // 2), *map(len, kinds))
        chosen = torch.cat([kind[torch.arange(count) * len(kind) // count] for kind in kinds])
        pairs = pairs.take(chosen)
        rows, places = torch.cat((pairs.a, pairs.b)).unique(return_inverse=True)
        a, b = places.view(2, -1)
        return cls(images[rows], rows, a, b, pairs.same)

    def measure(self, first: Float[Tensor, "n dim"], second: Float[Tensor, "n dim"]) -> Verification:
        """Verification of the pairs, the first images embedded by one network and the second ones by another or not."""
        folds = min(FOLDS, len(self.same) // 2)
        return verification(first[self.a], second[self.b], self.same, folds=folds, far=())


class FaceWatch:
    """Measures, for `shoal.engine.fit`.

    Args:
        model: that is trained; the means of its batches go into the row.
        sets: images by what they are: `VALIDATION`, `HELD_BACK`, `SEEN`; those without two people are left out.
        pairs: that accuracy is measured on.
        on: which of the sets the pairs are of; its loss is the row's validation loss.
        margin: of the losses.

    Raises:
        InputError: if the pairs' own set has not two people with two images.
    """

    def __init__(
        self, model: Learning, sets: Mapping[str, Looked], pairs: LookedPairs, *, on: str, margin: float = 0.2
    ):
        enough = {name: looked for name, looked in sets.items() if len(looked) >= FEWEST}
        if on not in enough:
            got = len(sets[on]) if on in sets else 0
            raise wrong(f"{on} faces", expected=f"{FEWEST} people with two images or more", got=got)
        fewest = min(map(len, enough.values()))
        self.sets = {name: looked.first(fewest) for name, looked in enough.items()}
        self.model, self.pairs, self.on, self.margin = model, pairs, on, margin

    def __call__(self, model: nn.Module, precision: Precision, device: torch.device) -> dict[str, Any]:
        """Losses, accuracy, and means of the batches since the last row."""
        losses = {name: self._loss(model, looked, precision, device) for name, looked in self.sets.items()}
        embeddings = embed_with(model, self.pairs.images, precision=precision, device=device)
        found = self.pairs.measure(embeddings, embeddings)
        own = {f"{name}_loss": loss for name, loss in losses.items() if name != VALIDATION}
        row = {"loss": losses[self.on], "accuracy": found.accuracy, "auc": found.auc, "watched": self.on}
        return row | own | self.model.take_means()

    def _loss(self, model: nn.Module, looked: Looked, precision: Precision, device: torch.device) -> float:
        embeddings = embed_with(model, looked.images, precision=precision, device=device)
        return float(TripletLoss(self.margin)(embeddings, looked.people))


def watch(
    model: Learning,
    trained: FaceSet,
    held_back: FaceSet,
    validation: Validation | None,
    *,
    pairs: int,
    margin: float,
    seed: int,
) -> FaceWatch | None:
    """What can be watched with what there is.

    Without validation pairs those that can be drawn from held-back images are looked at, or else from images that are
    trained on; every row says which.

    Args:
        model: that is trained.
        trained: images that it is trained on.
        held_back: of the same people.
        validation: other people, and pairs of their images.
        pairs: at most so many; 0 looks at nothing.
        margin: of the losses.
        seed: of what is drawn.

    Returns:
        None where nothing is to be looked at, or no pair can be formed.

    Raises:
        InputError: if validation pairs name images that are not there, or their people have too few.
    """
    if not pairs:
        return None
    sets = {SEEN: Looked.some(*trained.pair, seed=seed), HELD_BACK: Looked.some(*held_back.pair, seed=seed)}
    if validation:
        faces, chosen = validation
        sets[VALIDATION] = Looked.some(*faces.pair, seed=seed)
        return FaceWatch(model, sets, LookedPairs.some(faces.images, chosen, pairs), on=VALIDATION, margin=margin)
    for on, faces in ((HELD_BACK, held_back), (SEEN, trained)):
        if len(sets[on]) < FEWEST:
            continue
        try:
            chosen = draw_some(faces.labels, pairs=max(1, pairs // 2), seed=seed)
        except InputError:  # too few images for pairs
            continue
        return FaceWatch(model, sets, LookedPairs.some(faces.images, chosen, pairs), on=on, margin=margin)
    return None
