"""Labels that are wrong, from one training run: what an example's neighbours say at every depth of the network.

    issues = find_label_errors(model, (images, labels))
    issues.score        # 0: wrong label, 1: right label
    issues.ranked[:20]  # the most suspicious first
    issues.suggested    # what the neighbours say instead

A network that has learned a wrong label by heart still shows it: before its last layers the example lies among examples
of another class. No second training, no folds: an example is left out of its own neighbours.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from shoal.difficulty.depth import Depth, prediction_depth
from shoal.difficulty.features import check_labels
from shoal.difficulty.nearest import nearest
from shoal.difficulty.votes import count_votes
from shoal.engine import Data, Precision
from shoal.engine.batches import Prepare
from shoal.errors import wrong


@dataclass(frozen=True)
class LabelIssues:
    """How right the labels are.

    Attributes:
        score: [0, 1], 0 = wrong label, 1 = right label.
        suggested: the class that the evidence favours; the label itself where it does.
        labels: as given.
    """

    score: Float[Tensor, " n"]
    suggested: Int[Tensor, " n"]
    labels: Int[Tensor, " n"]

    @property
    def ranked(self) -> Int[Tensor, " n"]:
        """All examples, the most suspicious first; equal scores in the order of the examples."""
        return self.score.argsort(stable=True)

    @property
    def suspicious(self) -> Int[Tensor, " suspicious"]:
        """Examples for which another class is favoured, the most suspicious first."""
        ranked = self.ranked
        return ranked[self.suggested[ranked] != self.labels[ranked]]

    def __len__(self) -> int:
        return len(self.score)

    def __str__(self) -> str:
        return f"{len(self.suspicious)} of {len(self)} labels look wrong"


def find_label_errors(
    source: nn.Module | Depth | Float[Tensor, "n dim"],
    data: Data | Int[Tensor, " n"] | None = None,
    *,
    layers: Sequence[str] | None = None,
    k: int = 30,
    metric: str = "cosine",
    prepare: Prepare | None = None,
    precision: Precision | None = None,
    device: torch.device | None = None,
) -> LabelIssues:
    """Rank examples by how right their labels are.

    Args:
        source: a classifier that was trained on the data; or the `Depth` of its training examples, each left out of
            its own neighbours; or features [n, dim] of any kind.
        data: (inputs, labels) or a loader for a classifier; labels [n] for features; nothing for a `Depth`.
        layers: names of layers to look at; chosen unless given.
        k: neighbours of a probe.
        metric: "cosine" or "euclidean".
        prepare: applied to the inputs of every batch.
        precision: how to run; float32 unless given.
        device: where to run; where the model is, unless given.

    Returns:
        Scores in [0, 1], 0 = wrong label.

    Raises:
        InputError: as `prediction_depth`, and if the data do not fit the source.

    Example:
        >>> x = torch.cat([torch.randn(40, 4) - 3, torch.randn(40, 4) + 3])
        >>> y = torch.arange(2).repeat_interleave(40)
        >>> y[7] = 1
        >>> issues = find_label_errors(x, y, k=9)
        >>> issues.ranked[0].item(), issues.suggested[7].item(), str(issues)
        (7, 0, '1 of 80 labels look wrong')
    """
    if isinstance(source, Depth):
        if data is not None:
            raise wrong("data", expected="nothing beside a Depth, which holds labels", got=type(data).__name__)
        return _from_votes(source.votes, source.labels)
    if isinstance(source, Tensor):
        if not isinstance(data, Tensor):
            raise wrong("labels", expected="whole numbers [n] beside features", got=type(data).__name__)
        if source.ndim != 2 or len(data) != len(source):
            got = f"{list(source.shape)} and {list(data.shape)}"
            raise wrong("features and labels", expected="[n, dim] and [n]", got=got)
        classes = int(data.max()) + 1 if data.numel() else 0
        check_labels(data, classes)
        found = nearest(source, None, k, metric=metric)
        return _from_votes(count_votes(found.index, data, classes)[:, None], data)
    if isinstance(data, Tensor) or data is None:
        raise wrong("data", expected="(inputs, labels) or a loader beside a model", got=type(data).__name__)
    options = {"prepare": prepare, "precision": precision, "device": device}
    return find_label_errors(prediction_depth(source, data, layers=layers, k=k, metric=metric, **options))


def _from_votes(votes: Float[Tensor, "n probes classes"], labels: Int[Tensor, " n"]) -> LabelIssues:
    """Votes for the label, the mean over all probes; a class is suggested by the same mean."""
    mean = votes.mean(1)  # (n, C)
    score = mean.gather(1, labels[:, None])[:, 0]
    best = mean.max(1)
    suggested = torch.where(score >= best.values, labels, best.indices)
    return LabelIssues(score=score, suggested=suggested, labels=labels)
