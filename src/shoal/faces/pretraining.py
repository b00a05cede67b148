"""Learning faces as a classification of the training people, before or beside triplets.

Triplets teach what two images have in common, a pair at a time; a classifier of people sees all of them at every step.
Its last layer is thrown away, the embedding stays: that works where the classifier compares directions only, as
distances between embeddings do. On LFW, where most people have one image and training takes minutes, triplets alone
came out ahead (docs/lab-log.md), so that this is off unless it is asked for.

Source: Wang et al. 2018, "CosFace: Large margin cosine loss for deep face recognition", equation 4
    (arXiv 1801.09414).
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from shoal.engine import stream
from shoal.errors import wrong

NOBODY = -1  # class of an image whose person is not classified


class CosineSoftmax(nn.Module):
    """A classifier of unit vectors: logits are scaled cosines to one direction a class.

    Args:
        classes: people.
        dim: of the embeddings.
        scale: of the cosines; a softmax of numbers within [-1, 1] could never be sure.
        margin: taken from the cosine of the right class while training, in [0, 1).
        seed: of the first directions.

    Raises:
        InputError: if a number is out of range.

    Example:
        >>> head = CosineSoftmax(10, 4, scale=16.0)
        >>> head(F.normalize(torch.randn(2, 4))).shape
        torch.Size([2, 10])
    """

    def __init__(self, classes: int, dim: int, *, scale: float = 16.0, margin: float = 0.0, seed: int = 0):
        super().__init__()
        if classes < 2:
            raise wrong("people to classify", expected="at least 2", got=classes)
        if not 0 < scale < float("inf"):
            raise wrong("scale", expected="a number > 0", got=scale)
        if not 0 <= margin < 1:
            raise wrong("cosine margin", expected="a number in [0, 1)", got=margin)
        self.scale, self.margin = scale, margin
        directions = torch.randn(classes, dim, generator=stream(seed, "directions of people"))
        self.weight = nn.Parameter(F.normalize(directions))

    def forward(
        self, embeddings: Float[Tensor, "b dim"], labels: Int64[Tensor, "b"] | None = None
    ) -> Float[Tensor, "b classes"]:
        """Logits, in float32.

        Args:
            embeddings: of unit length.
            labels: with them, the margin is taken from each row's own class; `NOBODY` has none.
        """
        with torch.autocast(embeddings.device.type, enabled=False):  # cosines near 1 need their digits
            cosines = F.linear(embeddings.float(), F.normalize(self.weight))  # (b, classes)
        if labels is not None and self.margin:
            own = F.one_hot(labels.clamp_min(0), cosines.shape[1]) * (labels >= 0)[:, None]
            cosines = cosines - self.margin * own
        return self.scale * cosines

    def loss(
        self, embeddings: Float[Tensor, "b dim"], labels: Int64[Tensor, "b"], *, smoothing: float = 0.0
    ) -> tuple[Float[Tensor, ""], dict[str, Tensor]]:
        """Cross-entropy, and what is counted beside it.

        Args:
            embeddings: of unit length.
            labels: classes, or `NOBODY` for rows that do not count.
            smoothing: probability that is spread evenly over the classes.

        Returns:
            The loss, 0 where no row counts; rows that are "correct" by the margin, and "of" how many that count.
        """
        classified = labels >= 0
        logits = self(embeddings, labels)
        total = F.cross_entropy(logits, labels, label_smoothing=smoothing, ignore_index=NOBODY, reduction="sum")
        of = classified.sum().clamp_min(1)
        correct = ((logits.detach().argmax(1) == labels) & classified).sum()
        return total / of, {"correct": correct, "of": of}


def classes_of(labels: Int64[Tensor, "n"], *, fewest: int = 1) -> Int64[Tensor, "n"]:
    """Number the people who have enough images.

    Args:
        labels: identities, any whole numbers.
        fewest: images that a person must have to be a class.

    Returns:
        Classes from 0 on, in the order of the labels; `NOBODY` for people with fewer images.

    Example:
        >>> classes_of(torch.tensor([7, 7, 3, 9, 9, 9]), fewest=2).tolist()
        [0, 0, -1, 1, 1, 1]
    """
    _, inverse, counts = labels.unique(return_inverse=True, return_counts=True)
    kept = counts >= fewest
    numbers = torch.where(kept, kept.cumsum(0) - 1, NOBODY)
    return numbers[inverse]
