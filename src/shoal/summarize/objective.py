"""What the summarizer minimises, and the same likelihood over a set of pairs."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from shoal.engine import Precision
from shoal.engine.objective import Objective
from shoal.measure.modes import in_mode
from shoal.summarize.model import SummaryModel
from shoal.summarize.token_batches import Encoded, in_order_of_length


def likelihood(label_smoothing: float = 0.0) -> Objective:
    """Negative log-likelihood per token, in nats, smoothed; what is shown of it is not smoothed.

    Args:
        label_smoothing: probability spread evenly over the vocabulary, in [0, 1).
    """

    def objective(model: nn.Module, source: Tensor, target: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        assert isinstance(model, SummaryModel)
        found = model.losses(source, target)
        nll, spread = found.nll.mean(), found.spread.mean()
        loss = torch.lerp(nll, spread, label_smoothing) if label_smoothing else nll
        of = torch.tensor(len(found.correct))
        return loss, {"loss": nll.detach(), "correct": found.correct.sum(), "of": of}

    return objective


@dataclass(frozen=True)
class RowLosses:
    """Likelihood of summaries, row by row.

    Attributes:
        nll: negative log-likelihood of each summary, in nats.
        correct: tokens of it that get more than half of the probability.
        tokens: of it, the end included.
    """

    nll: Float[Tensor, "rows"]
    correct: Int[Tensor, "rows"]
    tokens: Int[Tensor, "rows"]

    def mean(self, rows: Sequence[int] | None = None) -> dict[str, float]:
        """Means over all tokens alike: "loss", nats per token, and "accuracy", the share of correct ones.

        Args:
            rows: that are looked at; all unless given.
        """
        some = slice(None) if rows is None else torch.tensor(rows)
        count = float(self.tokens[some].sum())
        return {"loss": float(self.nll[some].sum()) / count, "accuracy": float(self.correct[some].sum()) / count}


@torch.no_grad()
def row_losses(
    model: SummaryModel, data: Encoded, *, precision: Precision, device: torch.device, tokens: int = 8192
) -> RowLosses:
    """Likelihood of the summaries of some pairs.

    Args:
        model: run in evaluation mode; every part is put back into the mode that it was in.
        data: pairs.
        precision: how to run.
        device: where to run.
        tokens: of the documents of a batch.
    """
    count = torch.tensor([len(target) - 1 for target in data.targets])
    nll, correct = torch.zeros(len(data), dtype=torch.float64), torch.zeros(len(data), dtype=torch.int64)
    with in_mode(model, training=False):
        for rows, source, target in in_order_of_length(data, tokens):
            with precision.autocast(device):
                found = model.losses(source.to(device), target.to(device))
            place = torch.tensor(rows).repeat_interleave(count[rows])  # tokens come row by row
            nll.index_add_(0, place, found.nll.double().cpu())
            correct.index_add_(0, place, found.correct.long().cpu())
    return RowLosses(nll, correct, count)
