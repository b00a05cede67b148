"""Slips that the shape checker of the other tests would catch first: what a user without it is told."""

from functools import cache

import pytest

from tests.slips import check, imported, messages

SETUP = """
import sys
from shoal.summarize.baselines import baselines, lead
from shoal.summarize.scoring import score
from shoal.summarize.sentences import first_sentence
"""

MODULES = imported("nltk", "rouge_score", "sklearn")
SLIPS = {
    "score('a cat', ['a cat'])": "predictions: expected a list of strings, one per row, got str; [text, ...]",
    "score(None, ['a cat'])": "predictions: expected a list of strings, one per row, got NoneType",
    "score(['a', 3], ['a', 'b'])": "predictions[1]: expected a string, got int",
    "score([b'a'], ['a'])": "predictions[0]: expected a string, got bytes",
    "score(['a'], 'a')": "references: expected a list of strings, or of lists of strings, one per row, got str",
    "score(['a'], 3)": "references: expected a list of strings, or of lists of strings, one per row, got int",
    "score(['a', 'b'], ['a', None])": "references[1]: expected a string, or a list of strings, got NoneType",
    "score(['a'], [['a', 3]])": "references[0]: expected a string, or a list of strings, got int",
    "lead(['a b'], 0)": "words: expected a whole number >= 1, got 0",
    "lead(['a b'], 2.0)": "words: expected a whole number >= 1, got 2.0",
    "lead(['a b'], True)": "words: expected a whole number >= 1, got True",
    "lead('a b')": "documents: expected a list of strings, one per row, got str",
    "first_sentence(['a', None])": "documents[1]: expected a string, got NoneType",
    "baselines(['a b'], ['a'], words=7)": "words: expected a list of at least one length, got 7; words=[7, 10]",
    "baselines(['a b'], ['a'], words=[])": "words: expected a list of at least one length, got []",
    "baselines(['a b'], ['a'], words=['7'])": "words: expected a whole number >= 1, got 7",
    "baselines(['a b', 'c'], ['a'])": "references: expected 2 rows, as documents, got 1",
}


@cache
def found() -> dict[str, str]:
    return messages(SETUP, [MODULES, *SLIPS])


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_one_line(slip: str) -> None:
    check(found()[slip], SLIPS[slip])


def test_import_is_light() -> None:
    """nltk brings seconds of import, which come with the first score."""
    assert found()[MODULES] == "no error: []"
