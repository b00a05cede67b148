"""ROUGE is that of `rouge_score` for ASCII text, exactly; intervals and comparisons do what they say."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from shoal.errors import InputError
from shoal.summarize.comparing import Difference, compare
from shoal.summarize.rouge import METRICS, common_length
from shoal.summarize.scoring import Rouge, score
from shoal.summarize.texts import References

VOCABULARY = "the The cats cat's running runs RAN flying relational a_b x-ray 3.14 don't e.g. -- (and)"
words = st.sampled_from([*VOCABULARY.split(), "ponies", "sses", "agreed!", "ties", "www.a.org/b?c=d", "__", "\t", "\n"])
ascii_text = st.text(st.characters(max_codepoint=127), max_size=60)
texts = st.one_of(st.lists(words, max_size=30).map(" ".join), ascii_text)
filled = texts.filter(str.strip)


def of_library(prediction: str, references: list[str], *, stem: bool) -> dict[str, tuple[float, ...]]:
    found = RougeScorer(list(METRICS), use_stemmer=stem).score_multi(references, prediction)
    return {name: (100 * one.fmeasure, 100 * one.precision, 100 * one.recall) for name, one in found.items()}


def in_short(predictions: list[str], references: References, *, stem: bool = True) -> Rouge:
    """Scores with few draws, where intervals do not matter."""
    return score(predictions, references, stem=stem, resamples=1)


def values(rouge: Rouge) -> list[float]:
    return [of.value for of in rouge.metrics.values()]


@given(texts, st.lists(filled, min_size=1, max_size=3), st.booleans())
def test_ascii_text_scores_as_in_the_library(prediction: str, references: list[str], stem: bool) -> None:
    found = in_short([prediction], [references], stem=stem)
    for name, (f1, precision, recall) in of_library(prediction, references, stem=stem).items():
        metric = found.metrics[name]
        assert metric.rows.tolist() == [metric.value] == [f1]  # equal, not close
        assert (metric.precision, metric.recall) == (precision, recall)


@given(st.lists(st.sampled_from("abcd"), max_size=70), st.lists(st.sampled_from("abcde"), max_size=70))
def test_the_longest_common_subsequence_is_that_of_a_table(one: list[str], other: list[str]) -> None:
    table = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            table[i + 1][j + 1] = table[i][j] + 1 if a == b else max(table[i][j + 1], table[i + 1][j])
    assert common_length(one, other) == table[-1][-1]


def test_long_texts_score_as_in_the_library() -> None:
    generator = torch.Generator().manual_seed(0)
    one, other = (
        " ".join(f"w{word}" for word in torch.randint(80, (length,), generator=generator).tolist())
        for length in (301, 200)
    )
    found = in_short([one], [other])
    assert values(found) == [f1 for f1, _, _ in of_library(one, [other], stem=True).values()]


@pytest.mark.parametrize(
    ("text", "other", "rouge1"),
    [
        ("naïve café", "naive caf", 0.0),  # with rouge_score "café" is "caf", and this half right
        ("straße", "STRASSE", 100.0),
        ("cafe\N{COMBINING ACUTE ACCENT}", "café", 100.0),
        ("Ελληνικά", "ελληνικά", 100.0),
        ("русский язык", "русский", 200 / 3),  # with rouge_score there is no word on either side: 0
        ("東京タワー", "東京", 200 * (2 / 5) / (1 + 2 / 5)),
        ("नमस्ते", "नमस", 0.0),  # marks belong to their word
    ],
)
def test_letters_of_all_scripts_count(text: str, other: str, rouge1: float) -> None:
    """google-research, issue 168: tools that agree on English differ elsewhere, since letters are dropped."""
    assert in_short([text], [other]).rouge1.value == pytest.approx(rouge1)


def test_rouge_l_takes_a_text_as_one_sequence() -> None:
    """google-research, issue 168: 30.2 beside 39.2 is rougeL beside rougeLsum."""
    reference, swapped = "the cat sat\nbirds sing loudly", "birds sing loudly\nthe cat sat"
    of_sums = RougeScorer(["rougeLsum"], use_stemmer=True).score(reference, swapped)["rougeLsum"].fmeasure
    assert of_sums == 1
    assert in_short([swapped], [reference]).rougeL.value == 50
    a, b = "the dog saw a cat", "a dog saw the other cat"  # on one line both are the same
    assert in_short([a], [b]).rougeL.value == 100 * RougeScorer(["rougeLsum"]).score(b, a)["rougeLsum"].fmeasure


def test_the_best_reference_counts_for_each_metric_by_itself() -> None:
    prediction, pair, shuffled = "red cat", "some red cat in the house", "cat red"
    found = in_short([prediction], [[pair, shuffled]])
    assert values(found) == [100, in_short([prediction], [pair]).rouge2.value, 50]
    assert values(in_short([prediction], [[pair]])) == values(in_short([prediction], [pair]))


@pytest.mark.parametrize("nothing", ["", " \n", "!?", "🐟"])
def test_a_prediction_without_words_scores_nothing(nothing: str) -> None:
    found = in_short([nothing, "a cat"], ["a cat", "a cat"])
    assert values(found) == [50, 50, 50]
    assert found.rouge1.rows.tolist() == [0, 100]
    assert values(in_short([nothing], ["???"])) == [0, 0, 0]  # nor does a reference without any


def predicted(right: list[bool], resamples: int = 400) -> Rouge:
    """Rows that are right or wrong."""
    return score(["a cat" if ok else "no" for ok in right], ["a cat"] * len(right), resamples=resamples)


def test_intervals_are_those_of_the_mean() -> None:
    found = predicted([True] * 30 + [False] * 70)
    assert found.n == 100
    assert found.rouge1.value == 30
    assert found.rouge1.low == pytest.approx(30 - 9.0, abs=2)  # 1.96 · √(30 · 70 / 100)
    assert found.rouge1.high == pytest.approx(30 + 9.0, abs=2)
    assert found.rouge1.rows.dtype == torch.float64
    wider = score(["a b", "a c", "d"] * 9, ["a b"] * 27, confidence=0.99)
    narrower = score(["a b", "a c", "d"] * 9, ["a b"] * 27, confidence=0.5)
    assert wider.rouge1.low < narrower.rouge1.low < narrower.rouge1.high < wider.rouge1.high


def test_equal_seeds_give_equal_intervals() -> None:
    predictions, references = ["a b", "c d", "a c", "b"] * 5, ["a b c", "d", "a", "b a"] * 5
    one, other = (score(predictions, references, seed=3, resamples=50) for _ in range(2))
    assert one == other
    assert one != score(predictions, references, seed=4, resamples=50)


def test_one_row_says_nothing_about_others() -> None:
    found = in_short(["a cat"], ["a dog"])
    assert (found.rouge1.value, found.rouge1.low, found.rouge1.high) == (50, 0, 100)
    less = compare(found, in_short(["cats"], ["dogs"])).rouge1
    assert (less.value, less.low, less.high, less.better) == (50, -100, 100, "undecided")


@given(st.lists(st.booleans(), min_size=2, max_size=20), st.lists(st.booleans(), min_size=20, max_size=20))
@settings(max_examples=15)
def test_a_comparison_turns_around(first: list[bool], second: list[bool]) -> None:
    one, other = predicted(first), predicted(second[: len(first)])
    there, back = compare(one, other, resamples=100).rouge1, compare(other, one, resamples=100).rouge1
    assert there.value == pytest.approx(one.rouge1.value - other.rouge1.value)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert {there.better, back.better} in ({"undecided"}, {"first", "second"})


def test_pairing_sees_what_two_intervals_do_not() -> None:
    easy = [at % 2 == 0 for at in range(60)]
    better = [ok or at in range(1, 21, 2) for at, ok in enumerate(easy)]  # right about ten rows more
    one, other = predicted(better), predicted(easy)
    assert one.rouge1.low < other.rouge1.high
    assert compare(one, other).rouge1.better == "first"
    assert compare(other, one).rouge1.better == "second"
    assert compare(one, one).rouge1.better == "undecided"


def test_few_rows_that_differ_decide_nothing() -> None:
    """A bootstrap of five equal differences has no width at all; a sign test has p = 0.06."""
    assert compare(predicted([True] * 5), predicted([False] * 5)).rouge1.better == "undecided"
    assert compare(predicted([True] * 6), predicted([False] * 6)).rouge1.better == "first"
    assert Difference(1.0, 0.5, 1.5, differing=5).better == "undecided"


@pytest.mark.slow
def test_equal_systems_are_rarely_told_apart() -> None:
    """Both are right about half of the rows by chance: at 95 %, one in twenty comparisons decides."""
    generator = torch.Generator().manual_seed(0)
    decided = 0
    for _ in range(200):
        first, second = (predicted(row.tolist(), 1) for row in torch.rand(2, 100, generator=generator) < 0.5)
        decided += compare(first, second, resamples=300).rouge1.better != "undecided"
    assert decided <= 20


def test_results_read_well() -> None:
    one, other = predicted([True, False] * 600), predicted([True] * 1200)
    assert str(one).splitlines()[0] == "1,200 rows, ROUGE in 0 to 100, stemmed, 95 % intervals"
    assert "not stemmed" in str(in_short(["a"], ["a"], stem=False))
    assert [line.split()[0] for line in str(compare(one, other)).splitlines()[2:]] == list(METRICS)
    for found in (one, compare(one, other)):
        html = found._repr_html_()
        assert html.count("<tr>") == 4
        assert html.startswith("<p>1,200 rows")
    assert "rows=" not in repr(one)


def test_comparisons_of_different_rows_are_refused() -> None:
    one = in_short(["a", "b"], ["a", "b"])
    with pytest.raises(InputError, match="second: expected 2 rows, as first, got 1"):
        compare(one, in_short(["a"], ["a"]))
    with pytest.raises(InputError, match="second: expected stem=True, as first, got False; score both alike"):
        compare(one, in_short(["a", "b"], ["a", "b"], stem=False))


@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        (["a", "b"], ["a"], "references: expected 2 rows, as predictions, got 1"),
        ([], [], "predictions: expected at least one row, got 0"),
        (["a", "b"], ["a", " "], r"references\[1\]: expected a text, got an empty one; leave the row out"),
        (["a", "b"], [["a"], ["b", ""]], r"references\[1\]: expected a text, got an empty one"),
        (["a", "b"], [["a"], []], r"references\[1\]: expected a text, got none"),
    ],
)
def test_wrong_rows_are_refused(predictions: list[str], references: References, message: str) -> None:
    with pytest.raises(InputError, match=message):
        score(predictions, references)


@pytest.mark.parametrize("setting", [{"confidence": 95.0}, {"resamples": 0}])
@pytest.mark.parametrize("rows", [1, 2])
def test_wrong_settings_are_refused(setting: dict[str, float], rows: int) -> None:
    with pytest.raises(InputError, match=f"{next(iter(setting))}: expected"):
        score(["a"] * rows, ["a"] * rows, **setting)  # pyright: ignore[reportArgumentType]
