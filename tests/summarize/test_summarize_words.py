"""Words are those of `rouge_score` for ASCII text, and whole words elsewhere."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.tokenizers import DefaultTokenizer

from shoal.summarize.words import split_words

WORDS = {
    "naïve Café": ["naïve", "café"],
    "STRASSE straße": ["strasse", "strasse"],
    "ﬁle": ["file"],
    "snake_case": ["snake", "case"],
    "l’été d'avant": ["l", "été", "d", "avant"],
    "नमस्ते दुनिया": ["नमस्ते", "दुनिया"],
    "שָׁלוֹם": [unicodedata.normalize("NFC", "שָׁלוֹם")],
    "می‌خواهم": ["میخواهم"],  # the joiner within says how letters look
    "co\N{SOFT HYPHEN}operate": ["cooperate"],
    "한국어 단어": ["한국어", "단어"],
    "東京、タワー abc": ["東", "京", "タ", "ワ", "ー", "abc"],
    "กินข้าว": ["กิ", "น", "ข้", "า", "ว"],
    "2023年": ["2023", "年"],
    "🐟 → ★": [],
    "\N{COMBINING ACUTE ACCENT}": [],
    "\ud800x": ["x"],  # half of a pair, as in damaged files
}


@pytest.mark.parametrize("text", WORDS)
def test_words_are_whole(text: str) -> None:
    assert split_words(text, stem=False) == WORDS[text]


@given(st.text(st.characters(max_codepoint=127), max_size=100), st.booleans())
def test_ascii_words_are_those_of_the_library(text: str, stem: bool) -> None:
    assert split_words(text, stem=stem) == DefaultTokenizer(stem).tokenize(text)


@given(st.lists(st.text("aeiouybcdglmnrstz", min_size=1, max_size=12), max_size=12).map(" ".join))
def test_stems_are_those_of_the_library(text: str) -> None:
    assert split_words(text) == DefaultTokenizer(True).tokenize(text)
    assert split_words(text + " –") == split_words(text)  # a sign that is not ASCII changes nothing


@given(st.text(max_size=60))
def test_words_do_not_depend_on_the_encoding_of_letters(text: str) -> None:
    found = split_words(text)
    assert all(found)
    assert split_words(unicodedata.normalize("NFD", text)) == found
    assert split_words(unicodedata.normalize("NFC", text)) == found


def test_only_english_endings_are_cut() -> None:
    assert split_words("running cafés ponies läufer") == ["run", "cafés", "poni", "läufer"]
    assert split_words("its pots") == ["its", "pot"]  # three letters stay
