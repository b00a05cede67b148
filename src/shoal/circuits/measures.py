"""A number with a scale: its 95 % interval, and what chance gives in its place."""

from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from shoal.errors import wrong

Kind = TypeVar("Kind")  # float: a number alone; Measure: with its scale


@dataclass(frozen=True)
class Measure:
    """A number, and how sure it is.

    Attributes:
        value: the measure.
        low, high: ends of its 95 % interval.
        chance: mean of what chance gives.
        chance_low, chance_high: 5 % of what chance gives lie below the one, and 5 % above the other.
    """

    value: float
    low: float
    high: float
    chance: float
    chance_low: float
    chance_high: float

    @property
    def beyond_chance(self) -> bool:
        """Whether fewer than one in twenty of what chance gives is as large, or fewer than one in twenty as small.

        Few renamings can never say so: one in four leaves a head of four places that looks at the first as it is.
        """
        return self.value > self.chance_high or self.value < self.chance_low

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}], chance {self.chance:.3f}"


def measure(
    value: float | Tensor, again: Float[Tensor, " samples"] | tuple[float, float], chance: Float[Tensor, " draws"]
) -> Measure:
    """Put together what was measured, what it is when the sample is drawn again, and what chance gives.

    An interval holds its value: where drawing again moves a measure to one side only, it begins at the value. Where
    there is one of a sample and nothing can be drawn, give the ends of all that the measure can be.
    """
    value = float(value)
    low, high = again if isinstance(again, tuple) else _quantiles(again, 0.025, 0.975)
    return Measure(value, min(low, value), max(high, value), float(chance.mean()), *_quantiles(chance, 0.05, 0.95))


def check_draws(draws: int) -> None:
    """Refuse too few for an interval.

    Raises:
        InputError: if it is no whole number of at least 2.
    """
    if not isinstance(draws, int) or draws < 2:
        raise wrong("draws", expected="a whole number >= 2", got=draws)


def draw_again(size: int, draws: int, generator: torch.Generator) -> Float[Tensor, "draws size"]:
    """How often each of a sample is drawn, with replacement: rows are the samples of a bootstrap.

    Source: Efron 1979, "Bootstrap methods: another look at the jackknife".
    """
    picked = torch.randint(size, (draws, size), generator=generator)
    return torch.zeros(draws, size, dtype=torch.float64).scatter_add_(1, picked, torch.ones_like(picked).double())


def shuffles(size: int, draws: int, generator: torch.Generator) -> Tensor:
    """Random orders, (draws, size)."""
    return torch.rand(draws, size, generator=generator).argsort(1)


def turns(size: int, draws: int, generator: torch.Generator) -> Float[Tensor, "draws size size"]:
    """Random orthogonal matrices, evenly drawn.

    Source: Mezzadri 2007, "How to generate random matrices from the classical compact groups", section 5.
    """
    found = torch.linalg.qr(torch.randn(draws, size, size, generator=generator).double())
    signs = found.R.diagonal(dim1=1, dim2=2).sign()  # QR's own choice of them is not even
    return found.Q * signs[:, None, :]


def cosine(ab: Tensor, aa: Tensor, bb: Tensor) -> Tensor:
    """Cosine of two tables from the sums of their products; 1 for two tables of zeros, 0 where only one is."""
    sizes = aa.sqrt(), bb.sqrt()
    none = torch.minimum(*sizes) < 1e-12
    both = (torch.maximum(*sizes) < 1e-12).to(ab.dtype)
    return torch.where(none, both, ab / torch.where(none, torch.ones_like(ab), sizes[0] * sizes[1]))


def _quantiles(values: Tensor, *at: float) -> list[float]:
    values = values.double().cpu()
    return values.quantile(torch.tensor(at, dtype=torch.float64)).tolist()
