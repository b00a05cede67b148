"""Ablation: what is outside of the rule's subspaces goes, and the rule stays."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shoal.circuits import Head, ablate, compare, parse_rule, qk_table, variance_shares, verify
from tests.circuits.examples import (
    SOME,
    as_tokens,
    few_examples,
    hand,
    learned,
    made_of,
    normal,
    rule_of,
    sequences,
)

SIMPLE = ["same", "first", "last", "previous", "same & not_self"]


def outputs(head: Head) -> torch.Tensor:
    tokens = as_tokens(sequences("ABC", 4), "ABC", 4)
    with torch.no_grad():
        return head(tokens)[tokens >= 0].double()


@pytest.mark.parametrize("text", [*SOME, "unique"])
def test_a_hand_made_head_has_nothing_to_take_out(text: str) -> None:
    found = ablate(hand(text, "AB", 3), parse_rule(text))
    assert found.removed == pytest.approx(0, abs=1e-9)
    assert found.farthest == pytest.approx(0, abs=1e-5)
    assert found.before.holds
    assert found.after.holds
    assert found.harmless


@pytest.mark.parametrize("text", SIMPLE)
def test_learned_heads_keep_the_rule(text: str) -> None:
    for head in learned(text):
        found = ablate(head, rule_of(text))
        assert found.before.holds
        assert found.after.holds
        assert 0 <= found.removed < 0.5
        assert found.farthest < 0.5


@pytest.mark.parametrize("text", SIMPLE)
def test_what_is_left_is_in_the_rules_subspaces(text: str) -> None:
    for head in learned(text)[:2]:
        smaller = ablate(head, rule_of(text)).head
        shares = variance_shares(smaller)
        assert shares.content_position == pytest.approx(0, abs=1e-9)
        assert shares.position_content == pytest.approx(0, abs=1e-9)
        assert shares.content_content == pytest.approx(0 if "same" not in text else shares.content_content, abs=1e-9)
        assert shares.position_position == pytest.approx(0 if text == "same" else shares.position_position, abs=1e-9)
        if smaller.layout.positions:
            assert not smaller.W_V[smaller.layout.position].any()


@pytest.mark.parametrize("text", SIMPLE)
def test_its_numbers_are_those_of_the_two_heads(text: str) -> None:
    head = learned(text)[0]
    before = copy.deepcopy(head)
    found = ablate(head, rule_of(text))
    assert torch.equal(outputs(head), outputs(before))  # the head itself is as it was
    assert found.before == verify(head, rule_of(text))
    assert found.after == verify(found.head, rule_of(text))
    assert found.farthest == pytest.approx(float((outputs(head) - outputs(found.head)).abs().max()), abs=1e-6)


def test_twice_is_once() -> None:
    for text in SIMPLE:
        once = ablate(learned(text)[0], rule_of(text))
        twice = ablate(once.head, rule_of(text))
        assert twice.removed == pytest.approx(0, abs=1e-9)
        assert twice.farthest < 1e-5


@given(st.integers(0, 10**6))
@few_examples
def test_noise_across_subspaces_is_taken_out(seed: int) -> None:
    """Content that a positional rule was given on top is gone after: the hand-made head is back."""
    of = hand("previous")
    rows, size = of.W_Q.shape
    w_q = torch.cat([of.W_Q.detach().double(), torch.zeros(rows, 2)], 1)
    w_k = torch.cat([of.W_K.detach().double(), torch.zeros(rows, 2)], 1)
    w_q[:, -2:], w_k[1:4, -2:] = normal(rows, 2, seed=seed), normal(3, 2, seed=seed + 1)  # keys by content
    w_k[1:4, -2:] -= w_k[1:4, -2:].mean(0)
    w_q *= ((size + 2) / size) ** 0.5
    head = made_of(of, w_q, w_k, of.W_V.detach().double())
    found = ablate(head, rule_of("previous"))
    assert found.removed > 0
    assert float((qk_table(found.head) - qk_table(of)).abs().max()) < 1e-3
    assert compare(found.head, of, draws=2).score == pytest.approx(1, abs=1e-6)


def test_what_a_rule_needs_would_be_missed() -> None:
    """Taking out by another rule: a head that looks at contents, ablated for one that looks at places."""
    found = ablate(learned("same & not_self")[0], rule_of("previous"))
    assert not verify(found.head, rule_of("same & not_self")).holds
    assert found.removed > 0.1
    assert found.farthest > 0.5


def test_harmless_is_about_the_rule() -> None:
    wrong = ablate(hand("first"), rule_of("last"))
    assert not wrong.before.holds
    assert wrong.harmless  # it did not hold before


@pytest.mark.slow
@pytest.mark.parametrize("text", [*SIMPLE, "~first", "token('A')", "at(1)", "not_self"])
def test_entries_outside_can_go_from_nearly_every_learned_head(text: str) -> None:
    found = [ablate(head, rule_of(text)) for head in learned(text, seeds=20)]
    assert sum(x.harmless for x in found) >= 19
