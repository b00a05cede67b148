"""Where one image leaves a network with exits at a threshold, and what that threshold costs and saves on average.

leaving = Leaving(load_kept_exits(folder))
leaving.of(image, 0.5).exit_index          # what `net.predict` says under that threshold at every exit
leaving.point(0.5)                         # accuracy and mean MACs on the run's test images
"""

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from shoal.exits import Entropy, Patience, Policy
from shoal.studies.exits_kept import KeptExits, load_kept_exits

STEPS = 100  # of the slider


@dataclass(frozen=True, kw_only=True)
class Slider:
    """What a threshold may be.

    Attributes:
        name: of what is compared with it.
        high_leaves: whether images with at least so much leave, or those with at most so much.
        low, high, step: of its values.
    """

    name: str
    high_leaves: bool
    low: float
    high: float
    step: float

    def nearest(self, value: float) -> int:
        """Number of the step that is nearest to a value; the ends where it is beyond, the middle if it is none."""
        if not math.isfinite(value):
            value = (self.low + self.high) / 2
        return round((min(max(value, self.low), self.high) - self.low) / self.step)

    def value(self, number: int) -> float:
        """The threshold of a step."""
        return round(self.low + number * self.step, 6)

    @property
    def count(self) -> int:
        """Steps, both ends among them."""
        return round((self.high - self.low) / self.step) + 1


def slider_of(policy: Policy, classes: int, exits: int) -> Slider:
    """The slider of a kind of policy.

    Args:
        policy: of the kind.
        classes: of the network.
        exits: before its end.

    Example:
        >>> from shoal.exits import Margin
        >>> slider_of(Margin([0.5]), 10, 1).value(25)
        0.25
    """
    name = type(policy).__name__.lower()
    if isinstance(policy, Patience):
        return Slider(name=name, high_leaves=True, low=0, high=exits, step=1)
    top = math.ceil(10 * math.log(classes)) / 10 if isinstance(policy, Entropy) else 1.0
    return Slider(name=name, high_leaves=policy.high_leaves, low=0.0, high=top, step=top / STEPS)


@dataclass(frozen=True, kw_only=True)
class Point:
    """What a threshold does to the test images of the run; shares of 1.

    Attributes:
        threshold: at every exit.
        accuracy: of the answers.
        macs: mean multiply–accumulates.
    """

    threshold: float
    accuracy: float
    macs: float


@dataclass(frozen=True, kw_only=True)
class Exit:
    """One exit and one image.

    Attributes:
        name: of the layer; "end" for the last.
        macs: spent up to here.
        score: what is compared with the threshold; None at the end, where everything leaves.
        says: the class that it would give.
        leaves: whether the image leaves here.
        reached: whether it comes so far.
    """

    name: str
    macs: int
    score: float | None
    says: str
    leaves: bool
    reached: bool


@dataclass(frozen=True, kw_only=True)
class Left:
    """Where an image leaves.

    Attributes:
        exit_index: 0 for the first exit.
        macs: spent on it.
        answer: the class.
        confidence: its probability there.
        exits: all of them.
    """

    exit_index: int
    macs: int
    answer: str
    confidence: float
    exits: tuple[Exit, ...]

    @property
    def share(self) -> float:
        """Of the MACs of the whole network."""
        return self.macs / self.exits[-1].macs


class Leaving:
    """A network with exits, and what each threshold does to the test images of its run.

    Args:
        kept: of a run.

    Attributes:
        slider: what thresholds there are.
        path: one point a step of it.
        chosen: what the thresholds do that the study chose on validation images.
        full: what the network does without leaving early.
    """

    def __init__(self, kept: KeptExits):
        self.kept = kept
        exits = len(kept.net.at)
        self.slider = slider_of(kept.policy, len(kept.inputs.classes), exits)
        self.path = tuple(
            self._measured(value, self.policy_at(value)) for value in map(self.slider.value, range(self.slider.count))
        )
        self.chosen = self._measured(math.nan, kept.policy)
        never = kept.policy.with_thresholds([kept.policy.never] * exits)
        self.full = self._measured(math.nan, never)

    @classmethod
    def load(cls, folder: Path) -> "Leaving":
        """Of a run folder."""
        return cls(load_kept_exits(folder))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the exits, the end included."""
        return (*self.kept.net.at, "end")

    @property
    def usual(self) -> float:
        """The threshold whose mean MACs are nearest to those of the study's own."""
        return min(self.path, key=lambda point: abs(point.macs - self.chosen.macs)).threshold

    def policy_at(self, threshold: float) -> Policy:
        """The same threshold at every exit."""
        return self.kept.policy.with_thresholds([threshold] * len(self.kept.net.at))

    def point(self, threshold: float) -> Point:
        """The step of the slider that is nearest to a threshold."""
        return self.path[self.slider.nearest(threshold)]

    @torch.no_grad()
    def of(self, image: UInt8[Tensor, "c h w"], threshold: float) -> Left:
        """Where an image leaves.

        Args:
            image: of the shape that the network takes.
            threshold: at every exit.
        """
        kept, policy = self.kept, self.policy_at(threshold)
        x = kept.inputs.normalise(image[None])
        found = kept.net.predict(x, policy)
        said = torch.stack(kept.net.eval()(x))  # (E, 1, C), of every exit, also those that are not reached
        taken, answer = int(found.exit_index[0]), int(found.labels[0])
        scores: list[float | None] = [*policy.scores(said[:-1])[:, 0].tolist(), None]
        classes, costs = kept.inputs.classes, kept.net.exit_costs(x).tolist()
        return Left(
            exit_index=taken,
            macs=int(found.macs[0]),
            answer=classes[answer],
            confidence=float(found.logits[0].softmax(0)[answer]),
            exits=tuple(
                Exit(
                    name=name,
                    macs=int(cost),
                    score=score,
                    says=classes[int(logits[0].argmax())],
                    leaves=number == taken,
                    reached=number <= taken,
                )
                for number, (name, cost, score, logits) in enumerate(zip(self.names, costs, scores, said, strict=True))
            ),
        )

    def _measured(self, threshold: float, policy: Policy) -> Point:
        _, right, macs = self.kept.outputs.replay(policy)
        return Point(threshold=threshold, accuracy=float(right.double().mean()), macs=float(macs.double().mean()))
