"""Leads and first sentences are what a reader would cut, and score as measured before on real data."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.errors import InputError
from shoal.summarize.baselines import RougeTable, baselines, lead
from shoal.summarize.scoring import score
from shoal.summarize.sentences import first_sentence

WRAPPED = "This helper of the kernel reads files\nof any length, even those of more than\n2 GB. It is fast."

SENTENCES = {
    "It works. Or not.": "It works.",
    "Does it? i think so.": "Does it?",
    "It does (mostly). Ask me.": "It does (mostly).",
    'He said "Stop!" and left. Then.': 'He said "Stop!" and left.',
    "Yahoo! messages are read. Fast.": "Yahoo! messages are read.",
    "Reads files, e.g. FLAC ones. Fast.": "Reads files, e.g. FLAC ones.",
    "Reads files (i.e. Those of yours). Fast.": "Reads files (i.e. Those of yours).",
    "Written by J. R. R. Tolkien. Good.": "Written by J. R. R. Tolkien.",
    "Written by J.R.R. Tolkien. Good.": "Written by J.R.R. Tolkien.",
    "Mr. Smith came at 9 a.m. on Monday. Late.": "Mr. Smith came at 9 a.m. on Monday.",
    "Made in the U.S. Army. Good.": "Made in the U.S. Army.",
    "Colours, shapes, etc. in Python. Good.": "Colours, shapes, etc. in Python.",
    "Colours, shapes, etc. Written in Python.": "Colours, shapes, etc.",
    "See No. 5 of Oct. 30. Or not.": "See No. 5 of Oct. 30.",
    "The answer is no. 5 is right.": "The answer is no. 5 is right.",
    "The answer is no. Sorry.": "The answer is no.",
    "Uses version 3.14 of Python. Good.": "Uses version 3.14 of Python.",
    "For Python 3. sphinx-testing helps.": "For Python 3.",
    "See https://a.org/b.html?c=d.e for more. Bye.": "See https://a.org/b.html?c=d.e for more.",
    "A package for R. This one plots.": "A package for R.",
    "A package in R. Plots things.": "A package in R.",
    "1. Read it. 2. Write it.": "1. Read it.",
    "a. Read it. b. Write it.": "a. Read it.",
    "Wait... what? Yes.": "Wait... what?",
    "... and so on. Yes.": "... and so on.",
    "一つ目です。二つ目です。": "一つ目です。",
    "पहला वाक्य। दूसरा वाक्य।": "पहला वाक्य।",
    "No end at all": "No end at all",
    "A title\n\nA text. More.": "A title",
    "It has:\n * tabs\n * windows": "It has:",
    "It has\n- tabs\n- windows": "It has",
    "Pattern matcher\nThis line was not wrapped: the first could have held its word.": "Pattern matcher",
    WRAPPED: "This helper of the kernel reads files of any length, even those of more than 2 GB.",
    "": "",
    " \n ": "",
}


@pytest.mark.parametrize("text", SENTENCES)
def test_the_first_sentence_ends_where_a_reader_would_end_it(text: str) -> None:
    assert first_sentence([text]) == [SENTENCES[text]]


@given(st.text(max_size=80))
def test_a_first_sentence_begins_the_text(text: str) -> None:
    (found,) = first_sentence([text])
    joined = " ".join(text.split())
    assert joined.startswith(found)
    assert bool(found) == bool(joined)


@given(st.text(st.characters(max_codepoint=0x24F), max_size=80), st.integers(1, 12))
def test_a_lead_is_the_first_words(text: str, words: int) -> None:
    assert lead([text], words) == [" ".join(text.split()[:words])]


def test_a_lead_of_a_script_without_spaces_counts_characters() -> None:
    assert lead(["東京タワーは Tower です。", "ภาษา", "안녕하세요 세계 여러분"], 3) == [
        "東京タ",
        "ภาษ",
        "안녕하세요 세계 여러분",
    ]
    assert lead(["東京 Tower です。"], 4) == ["東京 Tower で"]


def test_baselines_are_scored_by_name() -> None:
    documents = ["One two three. Four five.", "Six seven."]
    references = [["one two"], ["six", "seven eight"]]
    table = baselines(documents, references, words=(1, 2), resamples=10)
    assert list(table) == ["lead-1", "lead-2", "first sentence"]
    assert len(table) == 3
    assert table["lead-2"] == score(["One two", "Six seven."], references, resamples=10)
    assert table["first sentence"] == score(["One two three.", "Six seven."], references, resamples=10)
    of_mean_length = baselines(documents, references, resamples=10)
    assert list(of_mean_length) == ["lead-2", "lead-7", "lead-10", "first sentence"]
    with pytest.raises(InputError, match="unknown system 'lead-3'; did you mean"):
        table["lead-3"]


def test_tables_read_well() -> None:
    one = score(["a cat", "a dog"], ["a cat", "a cat"], resamples=10)
    table = RougeTable({"<mine>": one, "other": one})
    assert str(table).splitlines()[0] == "2 rows, ROUGE F1 in 0 to 100, 95 % intervals"
    assert [line.split()[0] for line in str(table).splitlines()[1:]] == ["rouge1", "<mine>", "other"]
    assert "<td>&lt;mine&gt;</td>" in table._repr_html_()


def test_figures_of_debian_descriptions(data_root: Path) -> None:
    """Of the 2,000 test rows, package description to synopsis, measured with `rouge_score` and stemming."""
    path = data_root / "debian-descriptions" / "test.jsonl"
    if not path.is_file():
        pytest.skip(f"needs the descriptions of Debian's packages: {path} is missing")
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    table = baselines([row["document"] for row in rows], [row["summary"] for row in rows], resamples=10)
    expected = {
        "lead-7": (30.0, 12.6, 26.4),
        "lead-10": (33.9, 15.4, 29.3),
        "first sentence": (34.2, 16.4, 29.6),
    }
    assert list(table) == list(expected)
    for name, figures in expected.items():
        assert [of.value for of in table[name].metrics.values()] == pytest.approx(figures, abs=0.3)
