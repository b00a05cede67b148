"""One temperature per exit, so that a confidence of 0.9 is right nine times in ten."""

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from shoal.exits.outputs import ExitOutputs

_SPAN = (0.05, 20.0)  # temperatures that are looked at
_STEPS = 60  # of the bisection; each halves what is left


def fit_temperatures(outputs: ExitOutputs) -> list[float]:
    """For every exit before the last, the temperature under which its probabilities fit the labels best.

    Args:
        outputs: of examples that the network was not trained on, and that nothing is tested with later.

    Returns:
        One number in [0.05, 20] per exit; above 1 where the exit is too sure of itself.

    Source: Guo et al. 2017, "On calibration of modern neural networks", section 4.2 (arXiv 1706.04599).
    """
    return [_best_temperature(logits.double(), outputs.labels) for logits in outputs.logits[:-1]]


def _best_temperature(logits: Float[Tensor, "n classes"], labels: Int[Tensor, "n"]) -> float:
    """Where the slope of the mean loss in 1 / temperature, which only rises, crosses zero."""
    low, high = 1 / _SPAN[1], 1 / _SPAN[0]
    given = logits.gather(1, labels[:, None]).squeeze(1)  # [n]
    for _ in range(_STEPS):
        middle = (low * high) ** 0.5
        expected = (F.softmax(middle * logits, 1) * logits).sum(1)  # [n]
        rises = float((expected - given).mean()) > 0
        low, high = (low, middle) if rises else (middle, high)
    return float(1 / (low * high) ** 0.5)
