"""The language of rules: its notation, its plain-Python reference, and the tensors that stand in for it."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shoal.circuits import (
    Rule,
    at,
    expected_output,
    first,
    last,
    not_self,
    parse_rule,
    previous,
    same,
    selected,
    token,
    unique,
)
from shoal.circuits.layout import PADDING
from shoal.circuits.targets import selection, wanted_attention, wanted_output
from shoal.errors import InputError
from tests.circuits.examples import FOLLOWED, IMPOSSIBLE, as_tokens, few_examples, hand, rule_of, rules, sequences

NAMES = st.text(min_size=1, max_size=4)


# ---------------------------------------------------------------------- notation


@given(rules(names="AB", places=12, leaves=8))
def test_a_rule_reads_back_as_what_it_says(rule: Rule) -> None:
    again = parse_rule(str(rule))
    assert isinstance(again, Rule)
    assert str(again) == str(rule)
    for sequence in ("A", "AB", "ABBA"):
        for query in range(len(sequence)):
            assert selected(again, sequence, query) == selected(rule, sequence, query)


@given(NAMES)
def test_a_token_of_any_name_reads_back(name: str) -> None:
    assert parse_rule(str(token(name))) == token(name)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("same", same()),
        ("same()", same()),
        ("  same &\tnot_self ", same() & not_self()),
        ("token('A') | token(\"B\")", token("A") | token("B")),
        ("at(0)", first()),
        ("~~last", ~~last()),
        ("~same & at(2)", ~same() & at(2)),
        ("first | last & previous", first() | (last() & previous())),
        ("(first | last) & previous", (first() | last()) & previous()),
        ("first & last & previous", (first() & last()) & previous()),
        ("unique", unique()),
        ("unique()", unique()),
    ],
)
def test_what_is_written_is_what_python_would_build(text: str, rule: Rule) -> None:
    assert parse_rule(text) == rule


@pytest.mark.parametrize("text", ["same(x=1)", "first(2)", "at(1, 2)", "at(place=2)", "token('A', key='B')"])
def test_arguments_that_a_rule_does_not_have_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="rule: expected token"):
        parse_rule(text)


def test_brackets_are_written_where_they_are_needed_only() -> None:
    assert str(~(same() | first()) & (last() | (at(1) & ~previous()))) == (
        "~(same() | first()) & (last() | (at(1) & ~previous()))"
    )
    assert str((first() & last()) & at(3)) == "first() & last() & at(3)"


def test_parts_are_the_rule_and_all_that_it_is_made_of() -> None:
    rule = ~(same() & first()) | last()
    assert [str(part) for part in rule.parts()] == [
        "~(same() & first()) | last()", "~(same() & first())", "same() & first()", "same()", "first()", "last()",
    ]  # fmt: skip


def test_rules_are_values() -> None:
    assert len({same() & at(1), same() & at(1), at(1) & same()}) == 2
    assert first() == at(0) != at(1)


# ---------------------------------------------------------------------- the reference


@pytest.mark.parametrize(
    ("text", "found"),
    [  # for every query of A B A A, the places that it selects
        ("same", [[0, 2, 3], [1], [0, 2, 3], [0, 2, 3]]),
        ("token('B')", [[1]] * 4),
        ("token('C')", [[]] * 4),
        ("first", [[0]] * 4),
        ("last", [[3]] * 4),
        ("at(2)", [[2]] * 4),
        ("at(4)", [[]] * 4),
        ("previous", [[], [0], [1], [2]]),
        ("not_self", [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]]),
        ("same & not_self", [[2, 3], [], [0, 3], [0, 2]]),
        ("first | previous", [[0], [0], [0, 1], [0, 2]]),
        ("~last", [[0, 1, 2]] * 4),
    ],
)
def test_selected_places(text: str, found: list[list[int]]) -> None:
    assert [selected(rule_of(text), "ABAA", query) for query in range(4)] == found


def test_an_output_is_the_mean_of_the_selected_tokens_and_zero_where_there_are_none() -> None:
    assert expected_output(same() & not_self(), "ABA", "ABC") == [[1, 0, 0], [0, 0, 0], [1, 0, 0]]
    assert expected_output(~first(), "ABCC", "ABC") == [[0, 1 / 3, 2 / 3]] * 4
    assert expected_output(unique(), "ABCA", "ABC") == [[-1], [1], [1], [-1]]
    assert expected_output(last(), ["cat", "dog"], ["cat", "dog"]) == [[0, 1], [0, 1]]


@given(rules(), st.text("AB", min_size=1, max_size=5), st.data())
@few_examples
def test_signs_are_those_of_logic(rule: Rule, sequence: str, data: st.DataObject) -> None:
    other = data.draw(rules())
    for query in range(len(sequence)):
        one, two = (set(selected(x, sequence, query)) for x in (rule, other))
        assert set(selected(rule & other, sequence, query)) == one & two
        assert set(selected(rule | other, sequence, query)) == one | two
        assert set(selected(~rule, sequence, query)) == set(range(len(sequence))) - one


# ---------------------------------------------------------------------- all at once


def check_tensors(rule: Rule, vocabulary: str, max_len: int) -> None:
    """Padded tensors against the reference, on every input."""
    names, inputs = tuple(vocabulary), sequences(vocabulary, max_len)
    tokens = as_tokens(inputs, vocabulary, max_len)
    chosen, wanted = selection(rule, tokens, names), wanted_output(rule, tokens, names)
    for row, sequence in enumerate(inputs):
        n = len(sequence)
        for query in range(n):
            assert chosen[row, query].nonzero()[:, 0].tolist() == selected(rule, sequence, query)
        expected = torch.tensor(expected_output(rule, sequence, vocabulary), dtype=torch.float64)
        assert float((wanted[row, :n] - expected).abs().max()) < 1e-12
        assert not chosen[row, n:].any()


@pytest.mark.parametrize("text", [*FOLLOWED, *IMPOSSIBLE])
def test_tensors_are_the_reference(text: str) -> None:
    check_tensors(rule_of(text), "ABC", 2)
    check_tensors(rule_of(text), "AB", 3)


@given(rules(leaves=6))
def test_tensors_are_the_reference_for_any_rule(rule: Rule) -> None:
    check_tensors(rule, "AB", 3)


@pytest.mark.parametrize("vocabulary", ["A", "AB", "ABCD"])
def test_uniques_tensors_are_the_reference(vocabulary: str) -> None:
    inputs = sequences(vocabulary, 4)
    wanted = wanted_output(unique(), as_tokens(inputs, vocabulary, 4), tuple(vocabulary))
    for row, sequence in enumerate(inputs):
        assert wanted[row, : len(sequence)].tolist() == expected_output(unique(), sequence, vocabulary)


@pytest.mark.parametrize("text", ["same & not_self", "previous", "first", "unique"])
def test_wanted_attention_is_shared_by_the_selected_keys_or_the_null_keys(text: str) -> None:
    rule, layout = parse_rule(text), hand(text).layout
    reference = rule if isinstance(rule, Rule) else same() & not_self()
    inputs = sequences("ABC", 4)
    tokens = as_tokens(inputs, "ABC", 4)
    wanted = wanted_attention(rule, tokens, layout)
    for row, sequence in enumerate(inputs):
        for query in range(len(sequence)):
            keys = selected(reference, sequence, query)
            shares = [1 / len(keys) if key in keys else 0.0 for key in range(4)]
            assert wanted[row, query].tolist() == pytest.approx(([float(not keys)] if layout.null else []) + shares)


def test_padding_is_no_token() -> None:
    tokens = torch.tensor([[0, 1, PADDING, PADDING]])
    assert selection(last(), tokens, ("A", "B"))[0].tolist() == [[False, True, False, False]] * 2 + [[False] * 4] * 2
    assert not selection(token("A") | ~token("A"), tokens, ("A", "B"))[0, :, 2:].any()


@pytest.mark.parametrize("wrongly", [lambda: unique() & same(), lambda: unique() | same(), lambda: ~unique()])
def test_a_rule_for_the_output_stands_alone(wrongly: Callable[[], object]) -> None:
    with pytest.raises(InputError, match="unique\\(\\): expected to stand alone"):
        wrongly()
