"""Exit policies: when is an answer good enough to leave with?

A policy holds one threshold for each exit before the last, where everything that is left must leave. It decides per
row: from the logits of that exit alone, or, as `Patience`, from what the exits before said of the same row.

    Confidence([0.9, 0.8])                          # the largest probability
    Entropy([0.3, 0.4])                             # of the probabilities, in nats
    Margin([0.6, 0.5])                              # the largest probability less the second
    Patience(2)                                     # so many exits in a row agreed with the one before
    Confidence([0.9, 0.8], temperatures=[1.3, 1.1])  # logits are divided by them first, see `fit_temperatures`
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from shoal.errors import wrong

if TYPE_CHECKING:
    from shoal.exits.certificate import Certificate


_LEAST = 1e-9  # shares and entropies that are taken for 0


@dataclass(frozen=True, init=False)
class Policy:
    """One threshold per exit before the last; see the subclasses for what is compared.

    Args:
        thresholds: one number per exit, shallow to deep.
        temperatures: what the logits of each exit are divided by; 1 unless given.
        certificate: what is guaranteed of it, where `calibrate` made it.

    Raises:
        InputError: if a threshold or a temperature is out of range, or their numbers differ.
    """

    thresholds: tuple[float, ...]
    temperatures: tuple[float, ...]
    certificate: "Certificate | None"

    high_leaves: ClassVar[bool] = True
    never: ClassVar[float] = math.inf
    remembers: ClassVar[bool] = False  # whether what earlier exits said counts
    range: ClassVar[tuple[float, float]] = (-math.inf, math.inf)

    def __init__(
        self,
        thresholds: Sequence[float] | float,
        temperatures: Sequence[float] | None = None,
        *,
        certificate: "Certificate | None" = None,
    ):
        if isinstance(thresholds, int | float):
            raise wrong(
                "thresholds", expected="a list, one number per exit", got=thresholds, fix=f"[{thresholds}, ...]"
            )
        values = tuple(float(value) for value in thresholds)
        divisors = (1.0,) * len(values) if temperatures is None else tuple(float(t) for t in temperatures)
        low, high = self.range
        if not all(value == self.never or low <= value <= high for value in values):  # NaN fails too
            expected = f"numbers from {low:g} to {high:g}, or {self.never} to let no row leave"
            raise wrong(f"thresholds of {type(self).__name__}", expected=expected, got=list(values))
        if len(divisors) != len(values) or not all(0 < t < math.inf for t in divisors):
            raise wrong("temperatures", expected=f"{len(values)} numbers > 0, one per exit", got=list(divisors))
        object.__setattr__(self, "thresholds", values)
        object.__setattr__(self, "temperatures", divisors)
        object.__setattr__(self, "certificate", certificate)

    @staticmethod
    def score(logits: Float[Tensor, "*n classes"]) -> Float[Tensor, "*n"]:
        """What is compared with the threshold."""
        raise NotImplementedError

    @staticmethod
    def to_line(score: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """The score stretched over all numbers, higher where a row may rather leave."""
        return score

    @classmethod
    def from_line(cls, value: float) -> float:
        """The threshold at such a number: the reverse of `to_line`, within the range."""
        return min(max(value, cls.range[0]), cls.range[1])

    def with_thresholds(self, thresholds: Sequence[float]) -> Self:
        """The same policy at other thresholds; what was guaranteed of the old ones does not hold for them."""
        return type(self)(thresholds, self.temperatures)

    def with_certificate(self, certificate: "Certificate") -> Self:
        """The same policy with what is guaranteed of it."""
        return type(self)(self.thresholds, self.temperatures, certificate=certificate)

    def lets_leave(self, exit_index: int) -> bool:
        """Whether any row could leave at this exit."""
        return self.thresholds[exit_index] != self.never

    def start(self, rows: int, device: torch.device) -> Tensor | None:
        """What is remembered of every row before the first exit, [rows, ...]; None where nothing is."""
        del rows, device

    def decide(
        self, logits: Float[Tensor, "n classes"], exit_index: int, memory: Tensor | None
    ) -> tuple[Bool[Tensor, "n"], Tensor | None]:
        """Which rows leave at this exit, and what is remembered of every row.

        Args:
            logits: of this exit.
            exit_index: 0 for the first exit.
            memory: of the exits before, of the same rows.
        """
        return self.leaves(logits, exit_index), memory

    def leaves(self, logits: Float[Tensor, "n classes"], exit_index: int) -> Bool[Tensor, "n"]:
        """Which rows leave at this exit, by its logits alone.

        Args:
            logits: of this exit.
            exit_index: 0 for the first exit.

        Returns:
            True for the rows whose answer is good enough.
        """
        return self.passes(self.score(self._tempered(logits, exit_index)), exit_index)

    def leaves_alone(self, logits: Float[Tensor, "1 classes"], exit_index: int) -> bool:
        """`leaves` of one row, with one step less: where one row is predicted, steps are what costs."""
        score = float(self.score(self._tempered(logits, exit_index)))
        threshold = _as_float32(self.thresholds[exit_index])  # as a comparison with a tensor takes it
        return score >= threshold if self.high_leaves else score <= threshold

    def scores(self, logits: Float[Tensor, "exits n classes"]) -> Float[Tensor, "exits n"]:
        """What is compared with the thresholds, of every exit before the last.

        Args:
            logits: of these exits.
        """
        return torch.stack([self.score(self._tempered(here, index)) for index, here in enumerate(logits)])

    def passes(self, score: Float[Tensor, "n"], exit_index: int) -> Bool[Tensor, "n"]:
        """Which scores are good enough at this exit."""
        threshold = self.thresholds[exit_index]
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

    def _tempered(self, logits: Tensor, exit_index: int) -> Tensor:
        temperature = self.temperatures[exit_index]
        return logits.float() if temperature == 1 else logits.float() / temperature


@functools.cache
def _as_float32(value: float) -> float:
    return torch.tensor(value, dtype=torch.float32).item()


@dataclass(frozen=True, init=False)
class _OfShare(Policy):
    """A policy whose score is a share; high shares leave."""

    range: ClassVar[tuple[float, float]] = (0.0, 1.0)

    @staticmethod
    def to_line(score: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Its log odds."""
        return torch.logit(score.double(), eps=_LEAST)

    @classmethod
    def from_line(cls, value: float) -> float:
        """The share at such log odds."""
        return 1 / (1 + math.exp(-value)) if value > -700 else 0.0


@dataclass(frozen=True, init=False)
class Confidence(_OfShare):
    """Leave where the largest probability is at least the threshold, in [0, 1]; infinity: never.

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
    """Leave where the entropy, in nats, is at most the threshold, >= 0; minus infinity: never.

    Source: Teerapittayanon et al. 2016, "BranchyNet", section III (arXiv 1709.01686).

    Example:
        >>> policy = Entropy([0.5])
        >>> policy.leaves(torch.tensor([[0.0, 5.0], [0.0, 1.0]]), 0)
        tensor([ True, False])
    """

    high_leaves: ClassVar[bool] = False
    never: ClassVar[float] = -math.inf
    range: ClassVar[tuple[float, float]] = (0.0, math.inf)

    @staticmethod
    def score(logits: Float[Tensor, "*n classes"]) -> Float[Tensor, "*n"]:
        """Entropy of the softmax, in [0, log classes]."""
        return torch.special.entr(logits.softmax(-1)).sum(-1)

    @staticmethod
    def to_line(score: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Its logarithm, turned round."""
        return -score.double().clamp(min=_LEAST).log()

    @classmethod
    def from_line(cls, value: float) -> float:
        """The entropy at such a number."""
        return math.exp(min(-value, 700.0))


@dataclass(frozen=True, init=False)
class Margin(_OfShare):
    """Leave where the largest probability is ahead of the second by the threshold, in [0, 1]; infinity: never.

    Example:
        >>> policy = Margin([0.9])
        >>> policy.leaves(torch.tensor([[0.0, 5.0], [0.0, 1.0]]), 0)
        tensor([ True, False])
    """

    @staticmethod
    def score(logits: Float[Tensor, "*n classes"]) -> Float[Tensor, "*n"]:
        """The largest probability less the second, in [0, 1]; 1 where there is one class."""
        if logits.shape[-1] == 1:
            return torch.ones_like(logits[..., 0])
        first, second = logits.softmax(-1).topk(2, -1).values.unbind(-1)
        return first - second


@dataclass(frozen=True, init=False)
class Patience(Policy):
    """Leave where so many exits in a row gave the same class as the exit before; infinity: never.

    Args:
        thresholds: how many; one number for every exit before the last, or the same for all.

    Source: Zhou et al. 2020, "BERT loses patience", section 3.2 (arXiv 2006.04152).

    Example:
        >>> policy = Patience(1)
        >>> logits = torch.tensor([[[0.0, 1.0]], [[0.0, 1.0]]])                # two exits, one row
        >>> policy.scores(logits)
        tensor([[0.],
                [1.]])
    """

    remembers: ClassVar[bool] = True
    range: ClassVar[tuple[float, float]] = (0.0, math.inf)

    def __init__(
        self,
        thresholds: Sequence[float] | float,
        temperatures: Sequence[float] | None = None,
        *,
        certificate: "Certificate | None" = None,
    ):
        several = [thresholds] if isinstance(thresholds, int | float) else thresholds
        super().__init__(several, temperatures, certificate=certificate)

    def check(self, exits: int) -> None:
        """Refuse a policy for another number of exits; one number is for any.

        Raises:
            InputError: if the number of thresholds is neither 1 nor `exits`.
        """
        if len(self.thresholds) != 1:
            super().check(exits)

    def lets_leave(self, exit_index: int) -> bool:
        """Whether any row could leave at this exit."""
        return super().lets_leave(min(exit_index, len(self.thresholds) - 1))

    def start(self, rows: int, device: torch.device) -> Int[Tensor, "rows 2"]:
        """The class that was given last, and how many exits in a row agreed with the one before."""
        memory = torch.zeros(rows, 2, dtype=torch.long, device=device)
        memory[:, 0] = -1  # no class
        return memory

    def decide(
        self, logits: Float[Tensor, "n classes"], exit_index: int, memory: Tensor | None
    ) -> tuple[Bool[Tensor, "n"], Tensor | None]:
        """Which rows leave at this exit, and what is remembered of every row."""
        assert memory is not None
        memory = _count(logits, memory)
        return self.passes(memory[:, 1].float(), exit_index), memory

    def passes(self, score: Float[Tensor, "n"], exit_index: int) -> Bool[Tensor, "n"]:
        """Which counts are enough at this exit."""
        return super().passes(score, min(exit_index, len(self.thresholds) - 1))

    def leaves(self, logits: Float[Tensor, "n classes"], exit_index: int) -> Bool[Tensor, "n"]:
        """One exit's logits do not tell: `decide` does."""
        del logits
        raise wrong("Patience", expected="the exits before this one", got=f"exit {exit_index} alone", fix="use decide")

    def scores(self, logits: Float[Tensor, "exits n classes"]) -> Float[Tensor, "exits n"]:
        """How many exits in a row agreed with the one before, of every exit before the last."""
        found, memory = [], self.start(logits.shape[1], logits.device)
        for here in logits:
            memory = _count(here, memory)
            found.append(memory[:, 1].float())
        return torch.stack(found)


def _count(logits: Float[Tensor, "n classes"], memory: Int[Tensor, "n 2"]) -> Int[Tensor, "n 2"]:
    given = logits.argmax(-1)  # [n]
    return torch.stack([given, torch.where(given == memory[:, 0], memory[:, 1] + 1, 0)], 1)


Kind = type[Policy] | Policy  # a policy stands for its kind and its temperatures


def never_leaving(kind: Kind, exits: int) -> Policy:
    """The policy of a kind under which no row leaves early.

    Args:
        kind: a class, or a policy whose temperatures are kept.
        exits: how many there are before the end.

    Raises:
        InputError: if the policy is for another number of exits, or is none.
    """
    if isinstance(kind, type) and issubclass(kind, Policy):
        return kind([kind.never] * exits)
    if not isinstance(kind, Policy):
        raise wrong("policy", expected="a policy such as Confidence, or Confidence([0.9, ...])", got=repr(kind))
    kind.check(exits)
    divisors = kind.temperatures if len(kind.temperatures) == exits else None
    return type(kind)([kind.never] * exits, divisors)
