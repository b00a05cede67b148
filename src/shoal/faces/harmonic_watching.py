"""What every row of a harmonic training's history measures: the loss, and accuracy of new with old embeddings."""

from typing import Any

import torch
from jaxtyping import Float32
from torch import Tensor, nn

from shoal.data.faces.drawing import draw_some
from shoal.data.faces.pairs import FacePairs
from shoal.data.faces.sets import FaceSet
from shoal.engine import Precision
from shoal.errors import InputError
from shoal.faces.embedding import embed_with
from shoal.faces.harmonic import HarmonicTripletLoss
from shoal.faces.learning import Learning
from shoal.faces.network import FaceNetwork
from shoal.faces.training_batches import LOOKS, some_of_each
from shoal.faces.watching import FEWEST, MOST, SEEN, VALIDATION, LookedPairs

HarmonicValidation = tuple[FaceSet, FacePairs, Tensor]


class HarmonicWatch:
    """Measures, for `shoal.engine.fit`.

    Args:
        network: that is made compatible; where only its last layer is trained, images still go through all of it.
        model: that is trained; the means of its batches go into the row.
        faces: what is looked at.
        pairs: of these faces.
        old: embeddings of all of `faces` by the older network.
        on: what the faces are to the training, for the row.
        most: pairs that are looked at.
        loss: that is measured.

    Raises:
        InputError: if pairs name images that are not there, or there are too few of them.
    """

    def __init__(
        self,
        network: FaceNetwork,
        model: Learning,
        faces: FaceSet,
        pairs: FacePairs,
        old: Float32[Tensor, "n dim"],
        *,
        on: str,
        most: int,
        loss: HarmonicTripletLoss,
    ):
        self.network, self.model, self.on, self.loss = network, model, on, loss
        self.pairs = LookedPairs.some(faces.images, pairs, most)
        self.old_of_pairs = old[self.pairs.rows]
        rows = some_of_each(faces.labels, MOST)
        self.images, self.people, self.old = faces.images[rows], faces.labels[rows], old[rows]

    def __call__(self, model: nn.Module, precision: Precision, device: torch.device) -> dict[str, Any]:
        """Loss; accuracy of new with old ("accuracy") and of new with new; and means of the batches."""
        inner = model.network if isinstance(model, Learning) else model
        network = inner if isinstance(inner, FaceNetwork) else self.network
        new = embed_with(network, self.images, precision=precision, device=device)
        of_pairs = embed_with(network, self.pairs.images, precision=precision, device=device)
        across, within = (self.pairs.measure(of_pairs, other) for other in (self.old_of_pairs, of_pairs))
        return {
            "loss": float(self.loss(new, self.old, self.people)),
            "accuracy": across.accuracy,
            "accuracy_new": within.accuracy,
            "watched": self.on,
            **self.model.take_means(),
        }


def watch_harmonic(
    network: FaceNetwork,
    model: Learning,
    trained: tuple[FaceSet, Float32[Tensor, "n dim"]],
    validation: HarmonicValidation | None,
    *,
    pairs: int,
    loss: HarmonicTripletLoss,
    seed: int,
) -> HarmonicWatch | None:
    """What can be watched with what there is: validation pairs, or pairs of faces that are trained on.

    Args:
        network: see `HarmonicWatch`.
        model: likewise.
        trained: faces that are trained on, and their old embeddings.
        validation: faces of other people, pairs of them, and their old embeddings.
        pairs: that are looked at; 0 for none.
        loss: likewise.
        seed: of what is drawn.

    Returns:
        None where nothing is to be looked at, or no pair can be drawn.
    """
    if not pairs:
        return None
    options: dict[str, Any] = {"most": pairs, "loss": loss}
    if validation:
        faces, chosen, old = validation
        return HarmonicWatch(network, model, faces, chosen, old, on=VALIDATION, **options)
    faces, old = trained
    try:
        chosen = draw_some(faces.labels, pairs=max(1, pairs // 2), seed=seed)
    except InputError:
        return None
    if len(some_of_each(faces.labels, MOST)) < LOOKS * FEWEST:
        return None
    return HarmonicWatch(network, model, faces, chosen, old, on=SEEN, **options)
