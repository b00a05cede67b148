"""Slips that the shape checker of the other tests would catch first: what a user without it is told."""

import json
import subprocess
import sys
from functools import cache

import pytest

SETUP = """
import json, sys
from shoal.summarize.baselines import baselines, lead
from shoal.summarize.scoring import score
from shoal.summarize.sentences import first_sentence
found = {"modules": " ".join(name for name in ("nltk", "rouge_score", "sklearn") if name in sys.modules)}
for slip in json.loads(sys.stdin.read()):
    try:
        found[slip] = f"no error: {eval(slip)}"
    except Exception as error:
        found[slip] = f"{type(error).__name__}: {error}"
print(json.dumps(found))
"""

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
def messages() -> dict[str, str]:
    command, slips = [sys.executable, "-c", SETUP], json.dumps(list(SLIPS))
    found = subprocess.run(command, input=slips, capture_output=True, text=True, check=True)
    return json.loads(found.stdout)


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_one_line(slip: str) -> None:
    found = messages()[slip]
    assert found.startswith("InputError: ")
    assert SLIPS[slip] in found
    assert "\n" not in found


def test_import_is_light() -> None:
    """nltk brings seconds of import, which come with the first score."""
    assert messages()["modules"] == ""
