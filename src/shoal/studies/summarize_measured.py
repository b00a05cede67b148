"""What the summarizer's study measured: all that its claims are judged by."""

from dataclasses import dataclass

import torch
from scipy.special import stdtrit

from shoal.engine import History
from shoal.measure import Interval
from shoal.summarize import Rouge, RougeTable, Verdict


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One training step at one length of documents.

    Attributes:
        length: tokens of the document.
        attention: "exact" or "linear".
        seconds: median of a forward and backward pass.
        memory: bytes of all tensors that were alive at once, at the most.
    """

    length: int
    attention: str
    seconds: float
    memory: int


@dataclass(frozen=True, kw_only=True)
class Remembering:
    """Writing with what was computed for earlier tokens kept, and without.

    Attributes:
        tokens: that were written.
        rows: documents at once.
        apart: the largest difference of a probability.
        times: how many times as fast it is, repeat by repeat.
    """

    tokens: int
    rows: int
    apart: float
    times: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What the verdict said of simulated curves.

    Attributes:
        curves: that were judged.
        right: of them, told rightly whether they overfit.
        calm: curves that do not overfit.
        false_alarms: of these, called so.
    """

    curves: int
    right: int
    calm: int
    false_alarms: int


@dataclass(frozen=True, kw_only=True)
class Example:
    """One document with its summaries.

    Attributes:
        document, reference: of the data.
        greedy, beams: of the summarizer.
    """

    document: str
    reference: str
    greedy: str
    beams: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """What was measured.

    Attributes:
        history, verdict: of the summarizer.
        overfit_history, overfit_verdict: of the one that was made to overfit.
        overfit_rows: pairs that this one saw.
        exact_history, linear_history: of the two that are compared.
        map: feature map of the linear one, in words.
        greedy, beams: scores.
        baselines: scores of what needs no training.
        costs: of training steps by length.
        remembering: of the writing.
        judged: simulated curves.
        examples: picked by the seed.
        distinct_beams: different summaries among those written.
        test_rows: that were scored.
    """

    history: History
    verdict: Verdict | None
    overfit_history: History
    overfit_verdict: Verdict | None
    overfit_rows: int
    exact_history: History
    linear_history: History
    map: str
    greedy: Rouge
    beams: Rouge
    baselines: RougeTable
    costs: tuple[Cost, ...]
    remembering: Remembering
    judged: Judged
    examples: tuple[Example, ...]
    distinct_beams: int
    test_rows: int

    def cost(self, length: int, attention: str) -> Cost:
        """Of a length and a kind of attention."""
        return next(cost for cost in self.costs if (cost.length, cost.attention) == (length, attention))

    @property
    def lengths(self) -> tuple[int, ...]:
        """That were timed, rising."""
        return tuple(sorted({cost.length for cost in self.costs}))


def fall(history: History, name: str) -> Interval | None:
    """How far a loss fell: the mean of the first quarter of the looks less that of the last; None where there are few.

    A look's noise is how far it is from the line between its neighbours: a loss that falls fast in a quarter is not
    for that reason unsure. Where the course bends, this counts too much as noise, never too little.
    """
    losses = torch.tensor([row[name] for row in history.rows if name in row], dtype=torch.float64)
    quarter = len(losses) // 4
    if quarter < 2:
        return None
    effect = float(losses[:quarter].mean() - losses[-quarter:].mean())
    off = losses.diff(n=2) / 6**0.5  # (looks − 2,), each of the noise's variance: 1 + 4 + 1 looks
    error = float(off.square().mean() * 2 / quarter) ** 0.5
    reach = float(stdtrit(len(off) / 2, 0.975)) * error  # neighbours share looks: worth about half of their number
    return Interval(effect, effect - reach, effect + reach)
