"""What the difficulty study measured, as plain values: what claims, tables and pictures are made of.

Everything here can be made up by a test. Lists are columns, a number for every example.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from shoal.measure import Interval, paired_difference_interval

LAST = 0.2  # share of a training whose gain tells whether it has converged
CONVERGED = 0.002  # gain of validation accuracy
FEWEST_EPOCHS = 1.0  # in that share: every training image is seen, or nothing can be gained


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a training went.

    Attributes:
        name: of the network.
        seed: of it.
        rows: its history: progress, epoch, train_accuracy, validation_accuracy, ...
        before: whether each validation image is right, 0 or 1, where the last fifth begins; empty where no row is near.
        now: the same at the end.
        seconds: that it took.
        precision: that it was trained in.
    """

    name: str
    seed: int
    rows: list[dict[str, Any]]
    before: list[int]
    now: list[int]
    seconds: float
    precision: str

    @property
    def gain(self) -> Interval | None:
        """Validation accuracy gained over the last fifth, paired by image; None where there was no row before."""
        if not self.before:
            return None
        return paired_difference_interval(torch.tensor(self.now).bool(), torch.tensor(self.before).bool())

    @property
    def epochs(self) -> float:
        """Passes over the training images."""
        return self.rows[-1]["epoch"]

    @property
    def converged(self) -> bool:
        """Whether validation accuracy gained less than 0.2 points over the last fifth, and that saw every image."""
        long_enough = LAST * self.epochs >= FEWEST_EPOCHS - 1e-9
        return long_enough and self.gain is not None and self.gain.value < CONVERGED

    @property
    def unsettled(self) -> str:
        """Why claims about difficulty cannot be decided; empty where they can."""
        if self.converged:
            return ""
        if self.gain is None or self.gain.value < CONVERGED:
            return f"not converged: {self.epochs:.1f} epochs of the {self.name} are too few to tell"
        gained = f"{100 * self.gain.value:.1f} points in the last fifth of its training"
        return f"not converged: the {self.name} still gained {gained}"


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Examples as a network and its probes see them.

    Attributes:
        depth: prediction depth, 0 to the number of probes.
        soft_depth: the same from the votes of all neighbours.
        labels, predicted: classes.
        confidence: largest probability.
        margin: that less the second.
        probes_right: how many probes say the label.
        probe_accuracy: share of the examples of which each probe says the label.
    """

    depth: list[int]
    soft_depth: list[float]
    labels: list[int]
    predicted: list[int]
    confidence: list[float]
    margin: list[float]
    probes_right: list[int]
    probe_accuracy: list[float]

    def __len__(self) -> int:
        return len(self.depth)

    def column(self, name: str) -> Tensor:
        """A column as a tensor; numbers in float64."""
        values = torch.tensor(getattr(self, name))
        return values.double() if values.is_floating_point() else values

    @property
    def right(self) -> Bool[Tensor, " n"]:
        """Whether the network says the label."""
        return self.column("predicted") == self.column("labels")

    @property
    def accuracy(self) -> float:
        """Share that is right."""
        return float(self.right.double().mean())

    @property
    def order(self) -> Tensor:
        """Places, the easiest first: by depth, among equals by soft depth, then as they are."""
        order = self.column("soft_depth").argsort(stable=True)
        return order[self.column("depth")[order].argsort(stable=True)]

    @property
    def overthought(self) -> Bool[Tensor, " n"]:
        """Whether the network is wrong where at least half of the probes are right."""
        return ~self.right & (2 * self.column("probes_right") >= len(self.probe_accuracy))


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Scores of the same examples, see `shoal.difficulty.difficulty_scores`.

    Attributes:
        columns: by name, with depth among them.
        more_is_harder: the direction of each.
        meaning: of each, in words.
    """

    columns: dict[str, list[float]]
    more_is_harder: dict[str, bool]
    meaning: dict[str, str]

    def harder(self, name: str) -> Float[Tensor, " n"]:
        """A column, turned so that more is harder."""
        column = torch.tensor(self.columns[name], dtype=torch.float64)
        return column if self.more_is_harder[name] else -column


@dataclass(frozen=True, kw_only=True)
class Altered:
    """The first test images, altered in one way.

    Attributes:
        name: see `shoal.studies.difficulty_interventions`.
        depth: of each altered image; `second_depth` in the second network: what an alteration does to depth differs
            from network to network.
        right: whether the network is right about it, 0 or 1.
    """

    name: str
    depth: list[int]
    second_depth: list[int]
    right: list[int]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Everything.

    Attributes:
        probes: names: the input first, the softmax last.
        pooling: how the rows of every probe were made.
        classes: names.
        trainings: of the network and of the second one.
        test: test images with the network.
        second: the same images with the second network.
        early: the same with the network early in its training, its batch normalisation measured anew; `early_at` is
            the share of the training.
        train: training images that the probes see, each left out of its own neighbours.
        test_scores: of the test images; `watched_scores` of the training images that were watched.
        properties: of the test images, by name, see `shoal.studies.difficulty_properties`.
        people: how much people disagree about the test images, in nats; empty where that is not known.
        altered: test images, altered.
        human_errors: whether people gave a training image another label, 0 or 1, by name of the people's labels.
        label_scores: how right the labels of the training images are, 0 = wrong, 1 = right.
    """

    probes: list[str]
    pooling: dict[str, str]
    classes: list[str]
    trainings: tuple[Training, Training]
    test: Examples
    second: Examples
    early: Examples
    early_at: float
    train: Examples
    test_scores: Scored
    watched_scores: Scored
    properties: dict[str, list[float]]
    people: list[float]
    altered: tuple[Altered, ...]
    human_errors: dict[str, list[int]] = field(default_factory=dict)
    label_scores: list[float]

    @property
    def unsettled(self) -> str:
        """Why claims about the network cannot be decided; empty where they can."""
        return self.trainings[0].unsettled

    @property
    def both_unsettled(self) -> str:
        """The same of claims about both networks."""
        return next(filter(None, (training.unsettled for training in self.trainings)), "")

    def deeper(self, altered: Altered) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        """How much deeper each altered image lies than as it was, in both networks."""
        pairs = (altered.depth, self.test), (altered.second_depth, self.second)
        one, other = (torch.tensor(now).double() - was.column("depth")[: len(now)].double() for now, was in pairs)
        return one, other

    def place(self, depth: int) -> str:
        """A depth in words: the probe at which an example is settled."""
        return self.probes[depth] if depth < len(self.probes) else "never"
