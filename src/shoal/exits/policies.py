"""Exit policies: when is an answer good enough to leave with?

A policy holds one threshold for each exit before the last, where everything that is left must leave. It decides
per row, from the logits of that exit alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from shoal.errors import wrong


@dataclass(frozen=True)
class Policy:
    """One threshold per exit before the last; see the subclasses for what is compared.

    Args:
        thresholds: one number per exit, shallow to deep.
    """

    thresholds: tuple[float, ...]
    high_leaves: ClassVar[bool] = True
    never: ClassVar[float] = float("inf")

    def __init__(self, thresholds: Sequence[float] | float):
        if isinstance(thresholds, int | float):
            raise wrong(
                "thresholds", expected="a list, one number per exit", got=thresholds, fix=f"[{thresholds}, ...]"
            )
        values = tuple(float(value) for value in thresholds)
        if any(value != value for value in values):
            raise wrong("thresholds", expected="numbers", got=values)
        object.__setattr__(self, "thresholds", values)

    @staticmethod
    def score(logits: Float[Tensor, "*n classes"]) -> Float[Tensor, "*n"]:
        """What is compared with the threshold."""
        raise NotImplementedError

    def leaves(self, logits: Float[Tensor, "n classes"], exit_index: int) -> Bool[Tensor, "n"]:
        """Which rows leave at this exit.

        Args:
            logits: of this exit.
            exit_index: 0 for the first exit.

        Returns:
            True for the rows whose answer is good enough.
        """
        score, threshold = self.score(logits.float()), self.thresholds[exit_index]
        return score >= threshold if self.high_leaves else score <= threshold

    def check(self, exits: int) -> None:
        """Refuse a policy for another number of exits.

        Raises:
            InputError: if the number of thresholds is not `exits`.
        """
        if len(self.thresholds) != exits:
            raise wrong(
                type(self).__name__,
                expected=f"{exits} thresholds, one per exit before the last",
                got=len(self.thresholds),
            )


@dataclass(frozen=True, init=False)
class Confidence(Policy):
    """Leave where the largest probability is at least the threshold (in [0, 1]; above 1: never).

    Example:
        >>> policy = Confidence([0.9])
        >>> policy.leaves(torch.tensor([[0.0, 5.0], [0.0, 1.0]]), 0)
        tensor([ True, False])
    """

    @staticmethod
    def score(logits: Float[Tensor, "*n classes"]) -> Float[Tensor, "*n"]:
        """The largest probability, in [1 / classes, 1]."""
        return logits.softmax(-1).amax(-1)


@dataclass(frozen=True, init=False)
class Entropy(Policy):
    """Leave where the entropy, in nats, is at most the threshold (below 0: never).

    Source: Teerapittayanon et al. 2016, "BranchyNet", section III (arXiv 1709.01686).

    Example:
        >>> policy = Entropy([0.5])
        >>> policy.leaves(torch.tensor([[0.0, 5.0], [0.0, 1.0]]), 0)
        tensor([ True, False])
    """

    high_leaves: ClassVar[bool] = False
    never: ClassVar[float] = -1.0

    @staticmethod
    def score(logits: Float[Tensor, "*n classes"]) -> Float[Tensor, "*n"]:
        """Entropy of the softmax, in [0, log classes]."""
        return torch.special.entr(logits.softmax(-1)).sum(-1)
