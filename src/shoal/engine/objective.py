"""What training minimises and what is counted beside it, and the same sums over a data set.

An objective is a function of (model, inputs, labels) that returns the loss, a float32 scalar, and a dictionary
of counts. Of these, "correct" becomes an accuracy, out of "of" or else of the rows; and "loss" is what the history
shows in place of what is minimised, where that holds penalties too.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shoal.engine.batches import Data, Prepare, in_order
from shoal.engine.precision import Precision
from shoal.errors import wrong
from shoal.measure.modes import in_mode

Objective = Callable[[nn.Module, Tensor, Tensor], tuple[Tensor, dict[str, Tensor]]]


def classification(label_smoothing: float = 0.0) -> Objective:
    """Cross-entropy of a classifier that returns logits [b, classes].

    Args:
        label_smoothing: probability spread evenly over the classes, in [0, 1).

    Returns:
        The objective; it counts "correct".
    """

    def objective(model: nn.Module, inputs: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        logits = model(inputs).float()  # [b, C]
        loss = F.cross_entropy(logits, labels, label_smoothing=label_smoothing)
        return loss, {"correct": (logits.argmax(1) == labels).sum()}

    return objective


@torch.no_grad()
def evaluate(
    model: nn.Module,
    data: Data,
    objective: Objective,
    *,
    precision: Precision,
    device: torch.device,
    prepare: Prepare | None = None,
    batch_size: int = 512,
) -> dict[str, float]:
    """Mean loss and accuracy of a model over a data set, in evaluation mode.

    Args:
        model: put into evaluation mode, and every part back into the mode that it was in.
        data: (inputs, labels), or a loader of such pairs.
        objective: usually that of training, without label smoothing.
        precision: how to run.
        device: where to run.
        prepare: applied to the inputs of every batch.
        batch_size: rows a batch.

    Returns:
        "loss", the mean over rows, and "accuracy" in [0, 1] where the objective counts "correct".
    """
    loss_sum, correct, rows = 0.0, 0, 0
    with in_mode(model, training=False):
        for inputs, labels in in_order(data, batch_size=batch_size, prepare=prepare):
            with precision.autocast(device):
                loss, counts = objective(model, precision.place(inputs, device), labels.to(device))
            loss_sum += float(loss) * len(labels)
            correct += int(counts.get("correct", 0))
            rows += len(labels)
    if not rows:
        raise wrong("data", expected="at least one example", got="none")
    return {"loss": loss_sum / rows, "accuracy": correct / rows}
