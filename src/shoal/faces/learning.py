"""What the fit loop trains: a face network, a classifier of people beside it, and the sums of what batches looked like.

The sums are a buffer of the model, so that they are part of every checkpoint: a training that was stopped goes on with
the same numbers in its history.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from shoal.engine import Objective
from shoal.faces.harmonic import HarmonicTripletLoss
from shoal.faces.losses import TripletLoss
from shoal.faces.monitors import CollapseWatch, Monitor
from shoal.faces.pretraining import CosineSoftmax

MONITORED = (
    "triplets",
    "satisfied",
    "semi_hard",
    "hard",
    "mean_positive",
    "mean_negative",
    "mean_same",
    "mean_different",
)
"""Fields of `Monitor` that a history has means of."""


class Learning(nn.Module):
    """A network while it learns.

    Args:
        network: to be trained; stays the caller's.
        head: classifier of people, where there is one.
        class_of: the head's class of each person, see `shoal.faces.pretraining.classes_of`.
    """

    sums: Tensor
    class_of: Tensor

    def __init__(self, network: nn.Module, head: CosineSoftmax | None = None, class_of: Tensor | None = None):
        super().__init__()
        self.network, self.head = network, head
        self.register_buffer("sums", torch.zeros(1 + len(MONITORED), dtype=torch.float64))  # batches, then totals
        self.register_buffer("class_of", torch.empty(0, dtype=torch.int64) if class_of is None else class_of)

    def forward(self, inputs: Tensor) -> Float[Tensor, "b dim"]:
        """Embeddings."""
        return self.network(inputs)

    def classify(
        self, embeddings: Float[Tensor, "b dim"], people: Int64[Tensor, "b"], smoothing: float
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The classifier's loss, and what is counted beside it."""
        assert self.head is not None
        return self.head.loss(embeddings, self.class_of[people], smoothing=smoothing)

    @torch.no_grad()
    def note(self, monitor: Monitor) -> None:
        """Add a batch to the sums."""
        values = [float(getattr(monitor, name)) for name in MONITORED]
        self.sums += torch.tensor([1.0, *values], dtype=torch.float64, device=self.sums.device)

    @torch.no_grad()
    def take_means(self) -> dict[str, float]:
        """Means over the batches since the last call; nothing where there was none."""
        batches, *totals = self.sums.tolist()
        self.sums.zero_()
        return {name: total / batches for name, total in zip(MONITORED, totals, strict=True)} if batches else {}


def classification_of_people(smoothing: float) -> Objective:
    """Cross-entropy of the classifier.

    Args:
        smoothing: see `CosineSoftmax.loss`.
    """

    def objective(model: nn.Module, inputs: Tensor, people: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        assert isinstance(model, Learning)
        return model.classify(model(inputs), people, smoothing)

    return objective


class TripletObjective:
    """The triplet loss, with the classifier's beside it where that is wanted; raises when training collapses.

    What a history shows is the triplets' loss alone, and as accuracy the share of triplets that satisfy the margin.

    Args:
        model: that is trained. Copies of it that the fit loop times are not watched for a collapse.
        loss: over triplets.
        classification: weight of the classifier's loss.
        smoothing: of that.
    """

    def __init__(self, model: Learning, loss: TripletLoss, *, classification: float = 0.0, smoothing: float = 0.0):
        self.model, self.loss = model, loss
        self.classification, self.smoothing = classification, smoothing
        self.alarm = CollapseWatch()

    def __call__(self, model: nn.Module, inputs: Tensor, people: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a batch."""
        assert isinstance(model, Learning)
        embeddings = model(inputs)
        loss = self.loss(embeddings, people)
        counts = _noted(self.loss.monitor, model, self.alarm if model is self.model else None)
        if self.classification:
            loss = loss + self.classification * model.classify(embeddings, people, self.smoothing)[0]
        return loss, counts


class HarmonicObjective:
    """The harmonic loss; labels are numbers of rows, by which people and old embeddings are looked up.

    Args:
        model: see `TripletObjective`.
        loss: over triplets that mix old and new.
        old: embeddings of every row by the older network.
        people: identity of every row.
    """

    def __init__(
        self, model: Learning, loss: HarmonicTripletLoss, old: Float[Tensor, "n dim"], people: Int64[Tensor, "n"]
    ):
        self.model, self.loss, self.old, self.people = model, loss, old, people
        self.alarm = CollapseWatch()

    def __call__(self, model: nn.Module, inputs: Tensor, rows: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a batch."""
        assert isinstance(model, Learning)
        new = model(inputs)
        here = rows.to(self.people.device)
        loss = self.loss(new, self.old[here].to(new), self.people[here].to(new.device))
        return loss, _noted(self.loss.monitor, model, self.alarm if model is self.model else None)


def _noted(monitor: Monitor | None, model: Learning, alarm: CollapseWatch | None) -> dict[str, Tensor]:
    """Note a batch, look for a collapse, and say what the history counts."""
    assert monitor is not None
    model.note(monitor)
    if alarm:
        alarm.see(monitor)
    satisfied = torch.tensor(monitor.satisfied * monitor.triplets)
    return {"loss": torch.tensor(monitor.loss), "correct": satisfied, "of": torch.tensor(max(1, monitor.triplets))}
