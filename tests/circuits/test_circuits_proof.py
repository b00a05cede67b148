"""Proofs: every input is looked at, a broken head gives a true counterexample, and numbers are what they say."""

import copy
import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from shoal.circuits import Head, Rule, at, expected_output, first, parse_rule, previous, same, token, unique, verify
from shoal.circuits.rules import AnyRule
from shoal.circuits.sequences import Sequences, padded
from shoal.errors import InputError
from tests.circuits.examples import FOLLOWED, few_examples, hand, learned, made_of, normal, rule_of, sequences


def distances(head: Head, rule: AnyRule) -> dict[str, list[float]]:
    """By sequence, how much farther than the right output the nearest wrong one is at every place; with loops."""
    vocabulary = "".join(head.layout.vocabulary)
    inputs = sequences(vocabulary, head.layout.max_len)
    expected = {x: expected_output(rule, x, vocabulary) for x in inputs}
    readings = {tuple(round(v, 9) for v in out) for rows in expected.values() for out in rows}
    found = {}
    for x in inputs:
        margins = []
        for out, right in zip(head.run(x), expected[x], strict=True):
            wrong = [math.dist(out, other) for other in readings if math.dist(other, right) > 1e-5]
            margins.append(min(wrong) - math.dist(out, right))
        found[x] = margins
    return found


@pytest.mark.parametrize("text", [*FOLLOWED, "unique"])
def test_every_compiled_rule_is_proved(text: str) -> None:
    proof = verify(hand(text), parse_rule(text))
    assert proof.holds
    assert proof.exhaustive
    assert proof.counterexample is None
    assert (proof.inputs, proof.accuracy, proof.complete_up_to, proof.max_len) == (120, 1.0, 4, 4)
    assert proof.worst_margin > 0
    assert proof.leak < 1e-6
    assert str(proof).startswith("holds on 120 inputs: every input up to 4 tokens; margin ")


@pytest.mark.parametrize(
    ("text", "other"), [*itertools.permutations(["same", "first", "last", "previous", "at(1)"], 2)]
)
def test_no_rule_passes_for_another(text: str, other: str) -> None:
    proof = verify(hand(text), rule_of(other))
    assert not proof.holds
    assert proof.worst_margin <= 0


@given(st.integers(0, 10**6), st.sampled_from(["same", "~first", "previous", "same & not_self", "unique"]))
@few_examples
def test_a_proof_is_what_loops_find(seed: int, text: str) -> None:
    of, rule = hand(text, "AB", 3), parse_rule(text)
    noise = 40 * torch.rand(1, generator=torch.Generator().manual_seed(seed)).item() ** 2
    weights = [w.detach() + noise * normal(*w.shape, seed=seed + i).float() for i, w in enumerate(of.parameters())]
    head = made_of(of, weights[0], weights[1], of.W_V.detach() + 0.01 * noise * (weights[2] - of.W_V.detach()))
    proof, margins = verify(head, rule), distances(head, rule)
    right = [all(m > 0 for m in row) for row in margins.values()]
    assert proof.inputs == len(margins) == 14
    assert proof.accuracy == pytest.approx(sum(right) / 14)
    assert proof.holds == all(right)
    assert proof.worst_margin == pytest.approx(min(map(min, margins.values())), abs=1e-5)
    assert (proof.counterexample is None) == proof.holds


@pytest.mark.parametrize("text", ["same", "first", "previous", "same & not_self", "unique", "last"])
def test_a_broken_head_gives_a_counterexample_that_is_one(text: str) -> None:
    rule = parse_rule(text)
    broken = copy.deepcopy(hand(text, "AB", 3))
    broken.W_K.data[-1] += 300  # one key wins where it should not
    broken.W_K.data[int(broken.layout.null)] -= 300
    proof = verify(broken, rule)
    assert not proof.holds
    assert proof.accuracy < 1
    example = proof.counterexample
    assert example is not None
    assert list(example.got) == pytest.approx(broken.run(example.sequence)[example.place], abs=1e-5)
    assert list(example.expected) == pytest.approx(expected_output(rule, example.sequence, "AB")[example.place])
    assert math.dist(example.got, example.expected) > 0.1
    margins = distances(broken, rule)
    assert margins["".join(example.sequence)][example.place] <= 0
    assert all(min(row) > 0 for x, row in margins.items() if len(x) < len(example.sequence))  # it is a shortest
    assert str(proof).startswith(f"fails ({' '.join(example.sequence)}, place {example.place}: expected [")


def test_the_margin_of_a_perfect_head_is_what_lies_between_two_outputs() -> None:
    assert verify(hand("first"), first()).worst_margin == pytest.approx(2**0.5, abs=1e-4)
    assert verify(hand("unique"), unique()).worst_margin == pytest.approx(2, abs=1e-4)
    assert verify(hand("same & not_self"), rule_of("same & not_self")).worst_margin == pytest.approx(1, abs=1e-4)


def test_a_rule_with_one_output_only_has_a_margin_too() -> None:
    """`token` gives its token wherever it is, else nothing; with one token in the vocabulary there is no else."""
    proof = verify(hand("token('A')", "A", 3), token("A"))
    assert proof.holds
    assert proof.worst_margin == pytest.approx(0.5, abs=1e-4)
    silent = copy.deepcopy(hand("token('A')", "A", 3))
    silent.W_V.data.zero_()
    assert not verify(silent, token("A")).holds


def test_the_leak_is_the_most_attention_on_other_keys() -> None:
    """Scores of ln 4 against 0: three keys, one of them wanted, share 4 : 1 : 1."""
    head = copy.deepcopy(hand("first", "AB", 3))
    head.W_Q.data.fill_(0)
    head.W_Q.data[head.layout.position] = math.log(4)
    assert head.trace("AAA").attention[0, 0].tolist() == pytest.approx([4 / 6, 1 / 6, 1 / 6])
    assert verify(head, first()).leak == pytest.approx(2 / 6)
    assert verify(head, first(), max_len=2).leak == pytest.approx(1 / 5)
    assert verify(head, first(), max_len=1).leak == 0


def test_a_leak_to_and_from_the_null_key_counts() -> None:
    head = copy.deepcopy(hand("previous", "AB", 3))
    head.W_Q.data.zero_()
    assert verify(head, previous()).leak == pytest.approx(3 / 4)  # the null key is wanted, and has 1 of 4


@pytest.mark.parametrize("text", ["same", "first", "previous", "same & not_self"])
def test_learned_heads_are_read_right_and_leak_a_little(text: str) -> None:
    for head in learned(text):
        proof = verify(head, rule_of(text))
        assert proof.holds
        assert 1e-6 < proof.leak < 0.5


# ---------------------------------------------------------------------- which inputs


@given(st.integers(1, 4), st.integers(1, 5))
def test_every_sequence_is_there_once_the_shortest_first(tokens: int, max_len: int) -> None:
    found = [tuple(row) for batch in Sequences(tokens, max_len) for row in batch.tolist()]
    assert found == [x for n in range(1, max_len + 1) for x in itertools.product(range(tokens), repeat=n)]
    rows = [tuple(i for i in row if i >= 0) for row in padded(tokens, max_len, -1).tolist()]
    assert rows == found


def test_long_lengths_come_in_parts() -> None:
    batches = list(Sequences(2, 14))
    assert max(len(batch) for batch in batches) < 2**14
    assert sum(len(batch) for batch in batches) == 2**15 - 2


def test_what_is_too_much_is_a_seeded_sample_and_says_so() -> None:
    head, rule = hand("same & not_self"), rule_of("same & not_self")
    proof = verify(head, rule, most=30)
    assert proof.holds
    assert not proof.exhaustive
    assert (proof.complete_up_to, proof.inputs) == (3, 3 + 9 + 27 + 30)
    assert "every input up to 3 tokens and a sample of longer ones up to 4" in str(proof)
    assert verify(head, rule, most=81).exhaustive
    drawn = lambda seed: [x.tolist() for x in Sequences(3, 4, most=30, seed=seed)][3]  # noqa: E731
    assert drawn(0) == drawn(0) != drawn(1)


def test_a_sample_finds_what_is_wrong_in_it() -> None:
    proof = verify(hand("first"), at(0) | at(3), most=10)
    assert proof.counterexample is not None
    assert len(proof.counterexample.sequence) == 4


def test_up_to_a_shorter_length() -> None:
    head = hand("first")
    assert [verify(head, first(), n).inputs for n in (1, 2, 3, 4)] == [3, 12, 39, 120]
    assert verify(head, first(), 2).exhaustive
    assert verify(head, first() | at(3), 3).holds  # which differ at length 4 only
    assert not verify(head, first() | at(3)).holds
    for length in (0, 5):
        with pytest.raises(InputError, match=f"max_len: expected 1 to the head's 4, got {length}"):
            verify(head, first(), length)


# ---------------------------------------------------------------------- what has no proof


@pytest.mark.parametrize("name", ["W_Q", "W_K", "W_V"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_weights_that_are_no_numbers_are_refused(name: str, value: float) -> None:
    head = copy.deepcopy(hand("same"))
    head.get_parameter(name).data[0, 0] = value
    with pytest.raises(InputError, match=f"{name}: expected finite numbers, got NaN or infinity"):
        verify(head, same())


@pytest.mark.parametrize("rule", [same(), unique()], ids=str)
def test_another_number_of_outputs_is_refused(rule: AnyRule) -> None:
    head = hand("unique" if isinstance(rule, Rule) else "same")
    with pytest.raises(InputError, match=r"head: expected \d outputs for"):
        verify(head, rule)


def test_a_proof_changes_nothing() -> None:
    head = copy.deepcopy(hand("same")).train()
    before = torch.get_rng_state()
    verify(head, same(), most=5)
    assert head.training
    assert torch.equal(before, torch.get_rng_state())
    assert all(w.grad is None for w in head.parameters())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("text", ["same & not_self", "last", "unique"])
def test_a_proof_on_a_gpu(text: str) -> None:
    assert verify(copy.deepcopy(hand(text)).to("cuda"), parse_rule(text)).holds
