"""How good summaries are: ROUGE-1, ROUGE-2 and ROUGE-L against references, with intervals.

    rouge = score(predictions, references)
    rouge.rouge1.value, rouge.rouge1.low, rouge.rouge1.high   # F1 in 0 to 100, as papers quote it
    rouge.rouge1.rows                                         # F1 of every row, by which systems are compared

Words are those of `shoal.summarize.words`; single rows are scored in `shoal.summarize.rouge`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from jaxtyping import Float64
from torch import Tensor

from shoal.measure import Interval, bootstrap_interval
from shoal.summarize.rouge import METRICS, score_rows
from shoal.summarize.tables import html_table, text_table
from shoal.summarize.texts import References, check_references, check_texts
from shoal.summarize.words import split_words


@dataclass(frozen=True, kw_only=True)
class Metric(Interval):
    """One metric's mean over rows, with its interval. All in 0 to 100, 100 = the reference's words.

    Attributes:
        value: the mean F1.
        low, high: the interval of value.
        precision: mean share of the predictions' words or pairs that the references have.
        recall: mean share of the references' that the predictions have.
        rows: F1 of every row, float64.
    """

    precision: float
    recall: float
    rows: Float64[Tensor, " n"] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Rouge:
    """How much of references is in predictions, in 0 to 100; more is better.

    Attributes:
        rouge1: single words.
        rouge2: pairs of neighbouring words.
        rougeL: the longest common subsequence of words, over the whole text.
        stem: whether words were stemmed.

    Example:
        >>> print(score(["a cat sat"] * 4, ["a cat sat", "a dog sat", "the cat", "two birds"]))
        4 rows, ROUGE in 0 to 100, stemmed, 95 % intervals
                F1                 precision  recall
        rouge1  51.7 [16.7, 85.0]       50.0    54.2
        rouge2  25.0 [0.0, 75.0]        25.0    25.0
        rougeL  51.7 [16.7, 85.0]       50.0    54.2
    """

    rouge1: Metric
    rouge2: Metric
    rougeL: Metric  # noqa: N815 - its name everywhere
    stem: bool

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.rouge1.rows)

    @property
    def metrics(self) -> dict[str, Metric]:
        """The three, by name."""
        return {name: getattr(self, name) for name in METRICS}

    def __str__(self) -> str:
        return f"{self._title()}\n{text_table(self._cells())}"

    def _repr_html_(self) -> str:
        return html_table(self._title(), self._cells())

    def _title(self) -> str:
        words = "stemmed" if self.stem else "not stemmed"
        return f"{self.n:,} rows, ROUGE in 0 to 100, {words}, {100 * self.rouge1.confidence:.4g} % intervals"

    def _cells(self) -> list[tuple[str, ...]]:
        shown = {name: (of, of.precision, of.recall) for name, of in self.metrics.items()}
        rows = [(name, *(f"{number:.1f}" for number in numbers)) for name, numbers in shown.items()]
        return [("", "F1", "precision", "recall"), *rows]


def score(
    predictions: Sequence[str],
    references: References,
    *,
    stem: bool = True,
    confidence: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Rouge:
    """ROUGE-1, ROUGE-2 and ROUGE-L of predictions against references: means of rows, with bootstrap intervals.

    rougeL takes each text as one sequence, whatever its sentences. It is not rougeLsum, which unites the
    matches of all sentences and is what the Perl script, given a sentence per line, and many papers call
    ROUGE-L: of the same summaries rougeL was 30.2 and the script's ROUGE-L 39.2 (google-research, issue 168).
    Of texts on one line rougeL and rougeLsum are the same.

    Of ASCII text the numbers are exactly those of `rouge_score` with use_stemmer=True. Letters of other
    scripts, which it drops, are kept; in scripts without spaces every character is a word: see `split_words`.

    Args:
        predictions: [n], one text per row; an empty one scores 0.
        references: [n], one text per row, or several; of several the one with the best F1 counts, for each
            metric its own, as in `score_multi` of `rouge_score`. One without any word ("???") matches nothing.
        stem: whether endings of English words are cut before (Porter's rules), as most papers do.
        confidence: of the intervals, in (0, 1). They say how far other rows of the same kind would move the
            mean. One row says nothing about that: 0 to 100.
        resamples: how often rows are drawn for the intervals.
        seed: of the draws; equal seeds give equal intervals.

    Returns:
        The three metrics.

    Raises:
        InputError: if the numbers of rows differ or are 0, something is not a string, a reference is empty, or
            a setting is out of range.

    Example:
        >>> found = score(["cats sat on mats"], ["The cat sat on the mat."])
        >>> f"{found.rouge1.value:.1f}, {found.rouge2.value:.1f}, {found.rougeL.value:.1f}"
        '80.0, 50.0, 80.0'
        >>> score(["un café fermé"], [["a closed café", "un café"]]).rouge1.value
        80.0

    Source: Lin 2004, "ROUGE: a package for automatic evaluation of summaries" (ACL workshop, W04-1013).
    """
    texts = check_texts("predictions", predictions)
    several = check_references(references, len(texts), beside="predictions")
    parts = score_rows(
        [split_words(text, stem=stem) for text in texts],
        [[split_words(text, stem=stem) for text in row] for row in several],
    )  # [n, metric, part]
    f1, precision, recall = parts.unbind(2)
    metrics = {
        name: Metric(
            **vars(mean_interval_of_rows(f1[:, at], 0.0, confidence, resamples, seed)),
            precision=float(precision[:, at].mean()),
            recall=float(recall[:, at].mean()),
            rows=f1[:, at],
        )
        for at, name in enumerate(METRICS)
    }
    return Rouge(**metrics, stem=stem)


def mean_interval_of_rows(
    rows: Float64[Tensor, " n"], least: float, confidence: float, draws: int, seed: int
) -> Interval:
    """Bootstrap interval of the mean; of a single row the whole range.

    Args:
        rows: at least one; with one the settings are checked all the same.
        least: of the range; it ends at 100.
        confidence: as for `score`.
        draws: how often rows are drawn.
        seed: of the draws.
    """
    several = rows if len(rows) > 1 else rows.repeat(2)
    found = bootstrap_interval(several, confidence=confidence, resamples=draws, seed=seed)
    return found if len(rows) > 1 else Interval(found.value, least, 100.0, confidence)
