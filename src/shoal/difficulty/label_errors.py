"""Labels that are wrong, from one training run: what an example's neighbours say at every depth of the network.

    issues = find_label_errors(model, (images, labels))
    issues.score        # 0: wrong label, 1: right label
    issues.ranked[:20]  # the most suspicious first
    issues.suggested    # what the neighbours say instead

A network that has learned a wrong label by heart still shows it: before its last layers the example lies among examples
of another class. No second training, no folds: an example is left out of its own neighbours. Neighbours whose own
labels look wrong count less, and pairs of classes whose labels are mistaken for each other count more (see `trust`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Integer
from torch import Tensor, nn

from shoal.difficulty.depth import Depth, prediction_depth
from shoal.difficulty.features import check_labels
from shoal.difficulty.history import PredictionHistory
from shoal.difficulty.nearest import nearest
from shoal.difficulty.trust import trusted_shares
from shoal.engine import Data, Precision
from shoal.engine.batches import Prepare
from shoal.errors import wrong


@dataclass(frozen=True)
class LabelIssues:
    """How right the labels are.

    Attributes:
        score: [0, 1], 0 = wrong label, 1 = right label: the label's share of the evidence, see `trusted_shares`.
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
    data: Data | Integer[Tensor, " n"] | None = None,
    *,
    history: PredictionHistory | None = None,
    layers: Sequence[str] | None = None,
    k: int | None = None,
    metric: str | None = None,
    prepare: Prepare | None = None,
    precision: Precision | None = None,
    device: torch.device | None = None,
) -> LabelIssues:
    """Rank examples by how right their labels are.

    Args:
        source: a classifier that was trained on the data; or the `Depth` of its training examples, each left out of
            its own neighbours; or features [n, dim] of any kind.
        data: (inputs, labels) or a loader for a classifier; labels [n] for features; nothing for a `Depth`.
        history: of the training, for the same examples, where it was recorded: further evidence.
        layers: names of layers to look at; chosen unless given.
        k: neighbours of a probe; 30 unless given. A `Depth` brings its own.
        metric: "euclidean", unless given, or "cosine". A `Depth` brings its own.
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
    of_model = {"layers": layers, "prepare": prepare, "precision": precision, "device": device}
    of_probes = {"k": k, "metric": metric}
    if isinstance(source, Depth):
        _refuse("a Depth, which was measured before", of_model | of_probes)
        if data is not None:
            raise wrong("data", expected="nothing beside a Depth, which holds labels", got=type(data).__name__)
        if not source.among_references:
            raise wrong("depth", expected="that of training examples (queries=None)", got="that of other examples")
        said = None if history is None else _said(history, source)
        return _issues(trusted_shares(source.neighbours, source.labels, source.votes.shape[2], said), source.labels)
    if history is not None and isinstance(source, Tensor):
        raise wrong("history", expected="none beside features", got="one")
    k, metric = 30 if k is None else k, "euclidean" if metric is None else metric
    if isinstance(source, Tensor):
        _refuse("features", of_model)
        if not isinstance(data, Tensor):
            raise wrong("labels", expected="whole numbers [n] beside features", got=type(data).__name__)
        if source.ndim != 2 or len(data) != len(source):
            got = f"{list(source.shape)} and {list(data.shape)}"
            raise wrong("features and labels", expected="[n, dim] and [n]", got=got)
        classes = int(data.max()) + 1 if data.numel() else 0
        check_labels(data, classes)
        labels = data.long().cpu()
        found = nearest(source, None, k, metric=metric)
        return _issues(trusted_shares(found.index[:, None], labels, classes), labels)
    if isinstance(data, Tensor) or data is None:
        raise wrong("data", expected="(inputs, labels) or a loader beside a model", got=type(data).__name__)
    depth = prediction_depth(
        source, data, layers=layers, k=k, metric=metric, prepare=prepare, precision=precision, device=device
    )
    return find_label_errors(depth, history=history)


def _refuse(source: str, options: dict[str, object]) -> None:
    """Refuse options that would change nothing."""
    for name, given in options.items():
        if given is not None:
            raise wrong(name, expected=f"none beside {source}", got=repr(given))


def _said(history: PredictionHistory, depth: Depth) -> Tensor:
    if history.probabilities.shape[1:] != depth.probabilities.shape:
        n, classes = depth.probabilities.shape
        got = f"{list(history.probabilities.shape[1:])}"
        raise wrong("history", expected=f"of the same {n} examples and {classes} classes", got=got)
    return history.probabilities.mean(0)


def _issues(shares: Float[Tensor, "n classes"], labels: Int[Tensor, " n"]) -> LabelIssues:
    own = shares.gather(1, labels[:, None])[:, 0]
    best = shares.max(1)
    return LabelIssues(score=own, suggested=torch.where(own >= best.values, labels, best.indices), labels=labels)
