"""Which of two systems is better: ROUGE on the same rows, paired.

print(compare(score(of_one, references), score(of_other, references)))
"""

from dataclasses import dataclass

from shoal.errors import wrong
from shoal.measure import Interval
from shoal.summarize.rouge import METRICS
from shoal.summarize.scoring import Rouge, mean_interval_of_rows
from shoal.summarize.tables import html_table, text_table
from shoal.summarize.texts import check_rows


@dataclass(frozen=True)
class Difference(Interval):
    """Mean F1 of the first system less that of the second, in −100 to 100, with its interval.

    Attributes:
        differing: rows in which the two differ.
    """

    differing: int = 0

    @property
    def better(self) -> str:
        """Which is better, as far as the rows can tell: "first", "second", or "undecided" between them.

        They can tell if the interval leaves out 0, and if so many rows differ that a sign test could tell, too:
        with few, the bootstrap is too sure of itself.
        """
        if 0 in self or 2.0 ** (1 - self.differing) > 1 - self.confidence:
            return "undecided"
        return "first" if self.value > 0 else "second"


@dataclass(frozen=True)
class RougeDifference:
    """Two systems on the same rows: first less second, for each metric.

    Attributes:
        rouge1, rouge2, rougeL: the differences.
        n: number of rows.
    """

    rouge1: Difference
    rouge2: Difference
    rougeL: Difference  # noqa: N815
    n: int

    @property
    def metrics(self) -> dict[str, Difference]:
        """The three, by name."""
        return {name: getattr(self, name) for name in METRICS}

    def __str__(self) -> str:
        return f"{self._title()}\n{text_table(self._cells())}"

    def _repr_html_(self) -> str:
        return html_table(self._title(), self._cells())

    def _title(self) -> str:
        return f"{self.n:,} rows, first less second, {100 * self.rouge1.confidence:.4g} % intervals"

    def _cells(self) -> list[tuple[str, ...]]:
        rows = [(name, f"{of:+.1f}", of.better, f"{of.differing:,}") for name, of in self.metrics.items()]
        return [("", "F1", "better", "rows that differ"), *rows]


def compare(
    first: Rouge, second: Rouge, *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> RougeDifference:
    """Which of two systems is better on the same rows: the mean difference with its paired bootstrap interval.

    What makes a row easy or hard for both cancels, so that this sees differences where two intervals overlap.
    Each interval is its metric's own: who looks at three is wrong more often than who looks at one.

    Args:
        first: of `score`.
        second: of `score`, for the same references in the same order.
        confidence: in (0, 1).
        resamples: how often rows are drawn.
        seed: of the draws; equal seeds give equal intervals.

    Returns:
        The differences, first less second.

    Raises:
        InputError: if the numbers of rows differ, only one of the two is stemmed, or a setting is out of range.

    Example:
        >>> from shoal.summarize.scoring import score
        >>> references = ["a cat sat", "a dog ran", "the birds sang", "it rained"] * 5
        >>> good, bad = score(references, references), score(["a cat"] * 20, references)
        >>> print(compare(good, bad))
        20 rows, first less second, 95 % intervals
                F1                    better  rows that differ
        rouge1  +70.0 [+56.0, +84.0]  first   20
        rouge2  +83.3 [+70.0, +96.7]  first   20
        rougeL  +70.0 [+56.0, +84.0]  first   20

    Source: Koehn 2004, "Statistical significance tests for machine translation evaluation" (EMNLP, W04-3250).
    """
    check_rows("second", second.n, first.n, beside="first")
    if first.stem != second.stem:
        raise wrong("second", expected=f"stem={first.stem}, as first", got=second.stem, fix="score both alike")
    differences = {name: of.rows - second.metrics[name].rows for name, of in first.metrics.items()}
    return RougeDifference(
        **{
            name: Difference(
                **vars(mean_interval_of_rows(rows, -100.0, confidence, resamples, seed)),
                differing=int((rows != 0).sum()),
            )
            for name, rows in differences.items()
        },
        n=first.n,
    )
