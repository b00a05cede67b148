"""What the summarizer minimises, and the same likelihood over a set of pairs."""

import torch
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


@torch.no_grad()
def mean_loss(
    model: SummaryModel, data: Encoded, *, precision: Precision, device: torch.device, tokens: int = 8192
) -> dict[str, float]:
    """Likelihood of the summaries, all tokens alike.

    Args:
        model: run in evaluation mode; every part is put back into the mode that it was in.
        data: pairs.
        precision: how to run.
        device: where to run.
        tokens: of the documents of a batch.

    Returns:
        "loss", nats per token, and "accuracy", the share of tokens that get more than half of the probability.
    """
    loss = correct = count = 0.0
    with in_mode(model, training=False):
        for _, source, target in in_order_of_length(data, tokens):
            with precision.autocast(device):
                found = model.losses(source.to(device), target.to(device))
            loss += float(found.nll.double().sum())
            correct += float(found.correct.sum())
            count += len(found.nll)
    return {"loss": loss / count, "accuracy": correct / count}
