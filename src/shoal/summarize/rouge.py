"""ROUGE-1, ROUGE-2 and ROUGE-L of single rows, as `rouge_score` has them.

n-grams are counted by the library itself, which is given words in place of texts. The longest common
subsequence is found here, by operations on whole rows of bits: the same length as from the library's table of
Python numbers, which takes about a second for two texts of 1,000 words where this takes about a millisecond.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

METRICS = ("rouge1", "rouge2", "rougeL")
PARTS = ("F1", "precision", "recall")


def score_rows(
    predictions: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]
) -> Float64[Tensor, "n 3 3"]:
    """Every row's metrics; of several references the one with the best F1 counts, for each metric its own.

    Args:
        predictions: the words of each row.
        references: the words of each of the row's references, at least one; the first wins a tie.

    Returns:
        [n, metric, part] in 0 to 100, in the order of METRICS and PARTS.
    """
    rows = [
        max(column, key=lambda parts: parts[0])
        for prediction, several in zip(predictions, references, strict=True)
        for column in zip(*(_score_one(prediction, reference) for reference in several), strict=True)
    ]
    return 100 * torch.tensor(rows, dtype=torch.float64).reshape(-1, len(METRICS), len(PARTS))


def common_length(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence: words in the same order in both, with others between them.

    Args:
        one: words; the bits are theirs.
        other: words.

    Example:
        >>> common_length("the cat sat on the mat".split(), "the old cat on a mat".split())
        4

    Source: Hyyrö 2004, "Bit-parallel LCS-length computation revisited".
    """
    places: defaultdict[str, int] = defaultdict(int)  # bit i: the word stands at i in `one`
    for at, word in enumerate(one):
        places[word] |= 1 << at
    everywhere = (1 << len(one)) - 1
    free = everywhere  # bit i is 0 where the length grows from i words of `one` to i + 1
    for word in other:
        matched = free & places.get(word, 0)
        free = ((free + matched) | (free - matched)) & everywhere
    return len(one) - free.bit_count()


def _score_one(prediction: Sequence[str], reference: Sequence[str]) -> list[tuple[float, float, float]]:
    from rouge_score.scoring import fmeasure

    ngrams = _scorer().score(reference, prediction)
    common = common_length(reference, prediction)
    precision, recall = common / max(len(prediction), 1), common / max(len(reference), 1)
    found = [(score.fmeasure, score.precision, score.recall) for score in ngrams.values()]
    return [*found, (fmeasure(precision, recall), precision, recall)]


class _Ready:
    """A tokenizer for what has been split into words before: the library splits anew for every reference."""

    def tokenize(self, text: Sequence[str]) -> Sequence[str]:
        return text


@cache
def _scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer  # here: seconds of import that only scoring needs

    return RougeScorer(list(METRICS[:2]), tokenizer=_Ready())
