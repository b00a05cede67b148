"""What the early-exit study measured on the test images: all that its claims are judged by."""

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor

from shoal.studies.exits_breakeven import Path, Smaller


@dataclass(frozen=True, kw_only=True, eq=False)
class Promise:
    """A certificate that was asked for on validation images.

    Attributes:
        max_accuracy_drop: share that may be lost against the whole network.
        confidence: of the promise.
        refused: why there is no certificate; empty where there is one.
        never_leaves: whether nothing but the whole network passed.
        said: the certificate in words.
        right: [n], whether the certified policy is right about each test image.
        macs: [n], MACs that it spends.
    """

    max_accuracy_drop: float
    confidence: float
    refused: str
    never_leaves: bool
    said: str
    right: Bool[Tensor, " n"]
    macs: Int[Tensor, " n"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """What the study measured on the test images.

    Attributes:
        plain_right: [n], whether the plain network is right.
        early_right: [n], whether the early-exit network is right under its policy.
        early_macs: [n], MACs that it spent on each image.
        plain_macs: MACs of the plain network for an image.
        exit_index: [n], the exit that each image took.
        exits: number of exits, the end of the network included.
        right_by_exit: [exits, n], whether each exit is right about each image.
        bold_right: [n], whether it is right under a policy that spends as little as possible.
        bold_macs: [n], MACs under that policy.
        speed_ups: [repeats], time of the plain network over time of the early-exit network, each pair timed
            one after the other, at the batch size below.
        timed_macs: mean MACs of the early-exit network on the images that were timed.
        batch_size: of the timing.
        minutes: that the plain and the early-exit network were trained for.
        path: the early-exit network under policies from bold to safe.
        smaller: networks of fewer channels, each trained for as long.
        promise: what a certificate was asked for, and what came of it.
        depth: [n], prediction depth of each image in the plain network.
        soft_depth: [n], the same from the votes of all neighbours.
        probes: that the depth is counted in.
    """

    plain_right: Bool[Tensor, " n"]
    early_right: Bool[Tensor, " n"]
    early_macs: Int[Tensor, " n"]
    plain_macs: int
    exit_index: Int[Tensor, " n"]
    exits: int
    right_by_exit: Bool[Tensor, "exits n"]
    bold_right: Bool[Tensor, " n"]
    bold_macs: Int[Tensor, " n"]
    speed_ups: Float[Tensor, " repeats"]
    timed_macs: float
    batch_size: int
    minutes: tuple[float, float]
    path: Path
    smaller: tuple[Smaller, ...]
    promise: Promise
    depth: Int[Tensor, " n"]
    soft_depth: Float[Tensor, " n"]
    probes: int
