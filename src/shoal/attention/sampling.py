"""Which query rows to look at, and what a ratio of sums over all rows is, given those that were looked at.

Rows are drawn in strata of neighbouring positions, without replacement. Early rows of causal attention differ most from
one another and carry most of the output's norm, so strata grow with the position there, and the first rows are all
taken. A position is drawn for all heads at once: heads of one position resemble each other, so a position, not a row,
is the unit that the interval counts.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Sample:
    """Positions that were drawn, and what they stand for.

    Attributes:
        positions: in ascending order.
        stratum: of each position.
        sizes: positions in each stratum.
    """

    positions: Int[Tensor, "n"]
    stratum: Int[Tensor, "n"]
    sizes: Int[Tensor, "strata"]

    @property
    def weights(self) -> Float[Tensor, "n"]:
        """How many positions each one stands for."""
        return (self.sizes / torch.bincount(self.stratum, minlength=len(self.sizes)))[self.stratum].double()


def draw_rows(candidates: Int[Tensor, "c"], count: int, *, growing: bool, seed: int) -> Sample:
    """Draw about `count` of the candidate positions, at least two from every stratum that is not taken whole.

    Args:
        candidates: positions in ascending order.
        count: how many to draw; all where there are no more.
        growing: whether strata grow with the position (causal), or are equal.
        seed: of the draw.
    """
    total = len(candidates)
    if total <= count:
        return Sample(candidates, torch.zeros(total, dtype=torch.long), torch.tensor([total]))
    generator = torch.Generator().manual_seed(seed)
    whole = count // 4 if growing else 0  # the first rows are all taken
    per = 4
    strata = max(1, (count - whole) // per)
    edges = _edges(whole, total, strata, growing)
    drawn, stratum, sizes = [torch.arange(whole)], [torch.zeros(whole, dtype=torch.long)], [whole]
    for low, high in pairwise(edges):
        picked = low + torch.randperm(high - low, generator=generator)[:per].sort().values
        drawn.append(picked)
        stratum.append(torch.full((len(picked),), len(sizes)))
        sizes.append(high - low)
    return Sample(candidates[torch.cat(drawn)], torch.cat(stratum), torch.tensor(sizes))


def rows_ahead(length: int, *, whole: int, ratio: float, seed: int) -> tuple[Int[Tensor, "n"], Float[Tensor, "n"]]:
    """Positions that do not change when more tokens follow, ever fewer; and how many each one stands for.

    Args:
        length: of the sequence; a longer one has the same positions first.
        whole: of the first positions, all of which are taken.
        ratio: of the borders of neighbouring strata, > 1; four positions are drawn from each.
        seed: of the draw.
    """
    generator = torch.Generator().manual_seed(seed)
    positions, weights = [torch.arange(whole)], [torch.ones(whole)]
    low = whole
    while low < length:
        high = max(low + 4, round(low * ratio))
        positions.append(low + torch.randperm(high - low, generator=generator)[:4].sort().values)
        weights.append(torch.full((4,), (high - low) / 4))
        low = high
    found = torch.cat(positions)
    return found[found < length], torch.cat(weights)[found < length].double()


def _edges(first: int, last: int, strata: int, growing: bool) -> list[int]:
    """Borders of the strata, each at least 4 apart where that is possible."""
    if growing:
        ratio = math.log(last / first) / strata
        wanted = [first * math.exp(ratio * i) for i in range(strata + 1)]
    else:
        wanted = [first + (last - first) * i / strata for i in range(strata + 1)]
    edges = [first]
    for edge in wanted[1:-1]:
        step = round(edge)
        if step - edges[-1] >= 4 and last - step >= 4:
            edges.append(step)
    return [*edges, last]


def ratio_interval(
    error: Float[Tensor, "n"], size: Float[Tensor, "n"], sample: Sample, confidence: float
) -> tuple[float, float, float]:
    """Σ error / Σ size over all positions, with its interval on a log scale.

    The variance is a delete-one jackknife within strata, with the finite population's correction: where few rows carry
    much of the error it is wider than linearisation, which is what such rows deserve. Student's quantile with
    Satterthwaite's degrees of freedom.

    Args:
        error: of each drawn position, >= 0.
        size: of each drawn position, >= 0, not all 0.
        sample: what the positions stand for.
        confidence: in (0, 1).

    Returns:
        Ratio, lower and upper end. The interval is a point where every position was drawn.

    Source: Cochran 1977, "Sampling techniques", sections 5.4 and 6.11; Wolter 2007, "Introduction to variance
        estimation", section 4.5.
    """
    total_error, total_size = (float((sample.weights * x).sum()) for x in (error, size))
    ratio = total_error / total_size
    variance, spread = 0.0, 0.0
    for h, population in enumerate(sample.sizes.tolist()):
        own = sample.stratum == h
        n = int(own.sum())
        if n < 2 or n >= population:
            continue
        without = _log_ratios_without(error[own], size[own], population, total_error, total_size)
        part = (n - 1) / n * (1 - n / population) * float((without - without.mean()).square().sum())
        variance += part
        spread += part**2 / (n - 1)
    if variance == 0 or ratio == 0:
        return ratio, ratio, ratio
    from scipy.special import stdtrit  # here: half a second of import

    reach = float(stdtrit(variance**2 / spread, (1 + confidence) / 2)) * variance**0.5
    return ratio, ratio * math.exp(-reach), ratio * math.exp(reach)


def _log_ratios_without(
    error: Tensor, size: Tensor, population: int, total_error: float, total_size: float
) -> Float[Tensor, "n"]:
    """log(Σ error / Σ size) with each position of a stratum left out in turn, the others standing for it."""
    found = []
    for x, total in ((error, total_error), (size, total_size)):
        mean, n = x.mean(), len(x)
        without = (n * mean - x) / (n - 1)  # mean of the others
        found.append((total + population * (without - mean)).clamp_min(1e-300).log())
    return found[0] - found[1]
