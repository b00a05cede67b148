"""What the circuits study measured, as plain numbers: what claims, tables and pictures are made of.

Everything here can be made up by a test. Lists are rows of JSON.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from shoal.circuits import Measure
from shoal.measure import Interval, mean_interval

ROLES = ("first", "previous", "same")  # keys that the readouts of the mixed task ask for


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A proof of one head in plain values, see `shoal.circuits.Proof`."""

    holds: bool
    inputs: int
    exhaustive: bool
    accuracy: float
    margin: float
    leak: float
    counterexample: str


@dataclass(frozen=True, kw_only=True)
class Looks:
    """What a head's scores and maps look like, hand-made or learned.

    Attributes:
        shares: of the variance of the scores, by query–key subspace: content–content, content–position,
            position–content, position–position.
        entropy, stripe, band: of the attention maps on the longest sequences, see `shoal.circuits.Pattern`.
        by_chance: the means of what chance gives for the four shares and these three, see
            `shoal.circuits.measure_shares` and `measure_pattern`.
    """

    shares: list[float]
    entropy: float
    stripe: float
    band: float
    by_chance: list[float]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A hand-made head against a learned one, see `shoal.circuits.Agreement`; raw is of W_Q."""

    score: Measure
    qk: Measure
    contributions: Measure
    attention: Measure
    jensen_shannon: Measure
    ov: Measure
    raw: Measure | None
    temperature: Measure

    @classmethod
    def read(cls, row: dict[str, Any]) -> "Compared":
        """From a row of JSON."""
        return cls(**{name: value and Measure(**value) for name, value in row.items()})


@dataclass(frozen=True, kw_only=True)
class LearnedHead:
    """One learned head.

    Attributes:
        seed: of its initialisation.
        proof: on every input.
        looks: of it.
        compared: with the hand-made one.
        harmless: whether it still holds without the entries that its rule has no use for.
        farthest: an output moved by that; `removed` is the share of the weights' square norm.
        named: by `decompile`; empty for None.
        right: whether that is the task's rule, in whatever words.
    """

    seed: int
    proof: Checked
    looks: Looks
    compared: Compared
    harmless: bool
    farthest: float
    removed: float
    named: str
    right: bool


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One sequence and both QK circuits, for pictures.

    Attributes:
        queries: names of the sequence's places; `keys` has the null key before them where there is one.
        hand, learned: attention, [queries][keys].
        inputs: names of query and key inputs of the circuits.
        qk_hand, qk_learned: their centred scores, each over its largest size, [inputs][inputs].
        steps: of both heads for several sequences: {"sequence", "hand", "learned"}, the last two {step: rows}.
    """

    queries: list[str]
    keys: list[str]
    hand: list[list[float]]
    learned: list[list[float]]
    inputs: list[str]
    qk_hand: list[list[float]]
    qk_learned: list[list[float]]
    steps: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class TaskFound:
    """All about one rule.

    Attributes:
        name, rule, kind, max_len: of the task.
        dims: of the input, of queries and keys, of values.
        seconds: that learning all its heads took.
        hand: proof of the hand-made head; `hand_looks` is what it looks like.
        learned: heads.
        shown: for pictures: the hand-made head beside the first learned one that holds.
    """

    name: str
    rule: str
    kind: str
    max_len: int
    dims: list[int]
    seconds: float
    hand: Checked
    hand_looks: Looks
    learned: list[LearnedHead]
    shown: Shown

    @property
    def good(self) -> list[LearnedHead]:
        """Learned heads that hold on every input."""
        return [head for head in self.learned if head.proof.holds]

    def over_good(self, measure: Callable[[LearnedHead], float]) -> Interval:
        """Mean of a measure over the heads that hold; see `over`."""
        return over([measure(head) for head in self.good])


@dataclass(frozen=True, kw_only=True)
class Separation:
    """How learned heads agree with the rules: their own, and the others.

    Attributes:
        rules: names.
        scores: of the hand-made head of every rule with the learned heads of every rule, on average: [hand][learned].
        own, other: of every learned head that holds, by rule: score with its own rule, and the largest with another.
    """

    rules: list[str]
    scores: list[list[float]]
    own: list[list[float]]
    other: list[list[float]]

    @property
    def gaps(self) -> list[list[float]]:
        """Own score less the largest other, by rule and head."""
        return [[a - b for a, b in zip(*pair, strict=True)] for pair in zip(self.own, self.other, strict=True)]


@dataclass(frozen=True, kw_only=True)
class TransformerHead:
    """A head of a transformer.

    Attributes:
        layer, head: where it is.
        roles: attention to the first key, to the previous one, and to other places that hold the query's token (where
            there are any), on average.
        entropy, stripe, band: see `shoal.circuits.Pattern`.
        drop: of the mean accuracy without this head.
    """

    layer: int
    head: int
    roles: list[float]
    entropy: float
    stripe: float
    band: float
    drop: float


@dataclass(frozen=True, kw_only=True)
class TransformerFound:
    """A transformer that was trained on the mixed task, and its twin that was not.

    Attributes:
        seed: of both.
        accuracy: of the readouts on new sequences: first token, previous token, unique or not.
        heads, untrained: of both.
        likeness, untrained_likeness: of every two heads' maps, see `shoal.circuits.redundancy`.
        maps: mean attention of every head of the trained one, [heads][n][n].
    """

    seed: int
    accuracy: list[float]
    heads: list[TransformerHead]
    untrained: list[TransformerHead]
    likeness: list[list[float]]
    untrained_likeness: list[list[float]]
    maps: list[list[list[float]]]

    @classmethod
    def read(cls, row: dict[str, Any]) -> "TransformerFound":
        """From a row of JSON."""
        heads = {name: [TransformerHead(**head) for head in row[name]] for name in ("heads", "untrained")}
        return cls(**{**row, **heads})

    @property
    def redundancy(self) -> float:
        """Mean likeness of two heads."""
        return _mean_off_diagonal(self.likeness)

    @property
    def untrained_redundancy(self) -> float:
        """The same of the twin."""
        return _mean_off_diagonal(self.untrained_likeness)

    def specialist(self, role: str) -> TransformerHead:
        """The head that gives most attention to a role."""
        return max(self.heads, key=lambda head: head.roles[ROLES.index(role)])


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Everything.

    Attributes:
        tasks: in the order of the study.
        separation: of rules, on sequences of up to `shoal.studies.circuits_tasks.SHORT` tokens.
        transformers: one for every seed.
    """

    tasks: tuple[TaskFound, ...]
    separation: Separation
    transformers: tuple[TransformerFound, ...]

    def task(self, name: str) -> TaskFound:
        """By its name."""
        return next(task for task in self.tasks if task.name == name)

    @property
    def with_good(self) -> list[TaskFound]:
        """Tasks that at least one learned head holds."""
        return [task for task in self.tasks if task.good]


def over(values: list[float]) -> Interval:
    """Mean with Student's interval; a single value, or none, says nothing about others: its interval is everything.

    Example:
        >>> over([1.0, 1.0]), over([0.5]).high
        (Interval(value=1.0, low=1.0, high=1.0, confidence=0.95), 1000000.0)
    """
    if len(values) > 1:
        return mean_interval(torch.tensor(values, dtype=torch.float64))
    return Interval(values[0] if values else 0.0, -1e6, 1e6)


def _mean_off_diagonal(table: list[list[float]]) -> float:
    rows = torch.tensor(table, dtype=torch.float64)
    return float((rows.sum() - rows.diagonal().sum()) / (rows.numel() - len(rows)))
