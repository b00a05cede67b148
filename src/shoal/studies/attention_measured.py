"""What the attention study measured, as plain numbers: what claims, tables and pictures are made of.

Everything here can be made up by a test. Lists are rows of JSON; properties give tensors and summaries.
"""

import math
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from shoal.measure import Interval, mean_interval

LEAST = 1e-12  # an error of which a logarithm is taken


def geometric_mean(values: Float[Tensor, "n"]) -> Interval:
    """Geometric mean, with Student's interval of the logarithms."""
    found = mean_interval(values.clamp_min(LEAST).log())
    return Interval(*(math.exp(min(x, 700.0)) for x in (found.value, found.low, found.high)))


@dataclass(frozen=True, kw_only=True)
class MapError:
    """The error of one feature map on one kind of inputs.

    Attributes:
        kind: "aniso" or "iso".
        map: its name.
        features: asked for; `used` is what the map has.
        orthogonal: whether random directions are orthogonal in blocks.
        window: of exact attention; 0 for none.
        errors: relative Frobenius error, per head.
        estimates: value, low and high of `estimate_error`, per head.
        replaced: share of the rows without a usable denominator.
    """

    kind: str
    map: str
    features: int
    orthogonal: bool = True
    window: int = 0
    errors: list[float]
    estimates: list[list[float]] = field(default_factory=list)
    replaced: float = 0.0
    used: int = 0

    @property
    def covered(self) -> list[bool]:
        """Whether each head's interval holds its true error."""
        return [low <= error <= high for error, (_, low, high) in zip(self.errors, self.estimates, strict=True)]

    @property
    def typical(self) -> Interval:
        """Geometric mean over the heads: errors spread by factors."""
        return geometric_mean(torch.tensor(self.errors, dtype=torch.float64))


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What errors are held against, on one kind of inputs.

    Attributes:
        mean_value: error of returning mean(V), per head.
        ranks: of approximations of the attention matrix.
        floor: error of the best approximation, [ranks][heads].
    """

    mean_value: list[float]
    ranks: list[int]
    floor: list[list[float]]

    def floor_near(self, rank: int) -> list[float]:
        """Error of the best approximation, per head, of the measured rank that is nearest to a rank."""
        return min(zip(self.ranks, self.floor, strict=True), key=lambda pair: abs(pair[0] - rank))[1]


@dataclass(frozen=True, kw_only=True)
class KernelErrors:
    """Relative errors of estimates of the kernel.

    Attributes:
        map: its name.
        orthogonal: whether directions are orthogonal in blocks.
        counts: numbers of features.
        bias: mean over the pairs, [draws][counts].
        square: mean square over the pairs, [draws][counts].
    """

    map: str
    orthogonal: bool
    counts: list[int]
    bias: list[list[float]]
    square: list[list[float]]

    @property
    def rms(self) -> Float[Tensor, "counts"]:
        """Root mean square, by number of features."""
        return torch.tensor(self.square, dtype=torch.float64).mean(0).sqrt()

    @property
    def mean_error(self) -> Float[Tensor, "draws"]:
        """Mean error of each draw over all its features, whatever their number: 0 where there is no bias."""
        weights = torch.tensor(self.counts, dtype=torch.float64)
        return torch.tensor(self.bias, dtype=torch.float64) @ weights / weights.sum()


@dataclass(frozen=True, kw_only=True)
class Times:
    """Seconds of exact and linear attention in turns.

    Attributes:
        places: lengths, numbers of features or contexts.
        exact: [repeats][places], or [repeats][1] where the place does not matter.
        linear: [repeats][places].
        exact_bytes, linear_bytes: of what is kept or of the peak, by place.
        formula_bytes: peak of the formula written out; None where it was not tried.
        length: of the sequence where places are numbers of features.
    """

    places: list[int]
    exact: list[list[float]]
    linear: list[list[float]]
    exact_bytes: list[int] = field(default_factory=list)
    linear_bytes: list[int] = field(default_factory=list)
    formula_bytes: list[int | None] = field(default_factory=list)
    length: int = 0

    def seconds(self, name: str) -> Float[Tensor, "repeats places"]:
        """Those of "exact" or "linear"."""
        return torch.tensor(getattr(self, name), dtype=torch.float64)


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A candidate of `choose_feature_map`: what it costs, its error with its interval, or why it was not tried."""

    map: str
    features: int
    share: float
    error: list[float] | None
    note: str


@dataclass(frozen=True, kw_only=True)
class Choice:
    """An answer of `choose_feature_map`.

    Attributes:
        kind: of the inputs.
        target: the error that was asked for.
        map: that was chosen; empty where exact attention is needed.
        features: of it.
        share: of exact attention's arithmetic that it takes.
        tried: all candidates.
        length: of the sequence.
    """

    kind: str
    target: float
    map: str
    features: int
    share: float
    tried: list[Tried]
    length: int


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Everything that was measured.

    Attributes:
        deviation: largest relative deviation of the Gaussian identity, over `pairs` pairs.
        largest_logit: among them.
        recurrence: largest deviation of the recurrence from the masked form, over the largest output.
        kernel: estimates of the kernel, by map.
        errors: of feature maps.
        references: by kind of inputs.
        by_length, by_features, decoding: times.
        choices: of `choose_feature_map`.
        images: attention matrices: {"caption", "image"}, a PNG in base64.
    """

    deviation: float
    pairs: int
    largest_logit: float
    recurrence: float
    kernel: tuple[KernelErrors, ...]
    errors: tuple[MapError, ...]
    references: dict[str, Reference]
    by_length: Times
    by_features: Times
    decoding: Times
    choices: tuple[Choice, ...]
    images: tuple[dict[str, str], ...]

    @property
    def independent(self) -> list[KernelErrors]:
        """Estimates of the kernel from independent directions: what theorems are about."""
        return [row for row in self.kernel if not row.orthogonal]

    def of(self, kind: str, name: str, *, orthogonal: bool = True, window: bool = False) -> list[MapError]:
        """The errors of one map, by number of features."""
        found = [
            row
            for row in self.errors
            if (row.kind, row.map, row.orthogonal, row.window > 0) == (kind, name, orthogonal, window)
        ]
        return sorted(found, key=lambda row: row.features)
