"""Slips that the shape checker of the other tests would catch first: what a user without it is told."""

from functools import cache

import pytest

from tests.slips import check, messages

SETUP = """
import copy, torch
from torch import nn
from shoal.circuits import *
from shoal.circuits.learning import Training
head = compile_rule(same() & not_self(), "ABC", 4)
plain = compile_rule(same(), "ABC", 4)

def spoiled(**weights):
    found = copy.deepcopy(head)
    for name, value in weights.items():
        if isinstance(value, torch.Tensor):
            setattr(found, name, nn.Parameter(value))
        else:
            getattr(found, name).data[0, 0] = value
    return found

nan, inf = float("nan"), float("inf")
maps = torch.full((2, 5, 5), 0.2)
q = torch.randn(2, 3, 5, 4)
"""

SLIPS = {
    # sequences
    "head.run('ABX')": "token: expected one of A, B, C, got 'X'",
    "head.run('abc')": "token: expected one of A, B, C, got 'a'",
    "head.run(['AB'])": "token: expected one of A, B, C, got 'AB'",
    "head.run([0, 1])": "token: expected one of A, B, C, got 0",
    "head.run('ABCAB')": "sequence: expected at most 4 tokens, got 5",
    "head.run('')": "sequence: expected at least one token, got none",
    "head.trace([])": "sequence: expected at least one token, got none",
    "head(torch.tensor([[0, 3]]))": "tokens: expected -1 for padding, or 0 to 2 for A, B, C, got 3",
    "head(torch.tensor([[-2, 0]]))": "tokens: expected -1 for padding, or 0 to 2 for A, B, C, got -2",
    "plain(torch.zeros(1, 5, dtype=torch.long))": "tokens: expected 1 to 4 places, got 5",
    "plain(torch.zeros(2, 0, dtype=torch.long))": "tokens: expected 1 to 4 places, got 0",
    "plain(torch.zeros(1, 3))": "tokens: expected whole numbers, [batch, n], got torch.float32 [1, 3]",
    "plain(torch.tensor([0, 1]))": "tokens: expected whole numbers, [batch, n], got torch.int64 [2]",
    "Training(rate='x')": "rate: expected a number > 0, got x",
    # rules
    "compile_rule(token('X'), 'ABC', 4)": "token: expected one of A, B, C, got 'X'",
    "compile_rule(same() & ~token('X'), 'ABC', 4)": "token: expected one of A, B, C, got 'X'",
    "compile_rule(token('A') & token('B'), 'ABC', 4)": "rule token('A') & token('B'): expected one that selects a key of some sequence, got one that never does",  # noqa: E501
    "compile_rule(same() & ~same(), 'ABC', 4)": "expected one that selects a key of some sequence",
    "compile_rule(at(4), 'ABC', 4)": "rule at(4): expected one that selects a key of some sequence",
    "compile_rule(previous(), 'ABC', 1)": "rule previous(): expected one that selects a key of some sequence",
    "compile_rule(~same(), 'A', 4)": "expected one that selects a key of some sequence",
    "compile_rule(same() | first(), 'ABC', 4)": "rule same() | first(): expected one that asks one thing of the contents and one of the places",  # noqa: E501
    "compile_rule(same() & last(), 'ABC', 4)": "expected `last` with rules by position only",
    "compile_rule(~last(), 'ABC', 4)": "a key cannot know how long the sequence is",
    "compile_rule('same', 'ABC', 4)": "rule: expected a rule, as same() & not_self(), got 'same'",
    "compile_rule(same, 'ABC', 4)": "rule: expected a rule",
    "compile_rule(unique(), 'ABC', 1)": "max_len: expected at least 2 for unique(), got 1",
    "same() & unique()": "what stands beside &: expected a selection rule, got unique(), which is a rule for the output",  # noqa: E501
    "same() | 'first'": "what stands beside |: expected a selection rule, got 'first'",
    "token('')": "token: expected the name of a token, got ''",
    "token(3)": "token: expected the name of a token, got 3",
    "at(-1)": "at: expected a place, counted from 0, got -1",
    "at(1.0)": "at: expected a place, counted from 0, got 1.0",
    "at(True)": "at: expected a place, counted from 0, got True",
    "parse_rule('')": "rule: expected token('A'), same, first, last, previous, at(2), not_self, joined by &, | and ~, or unique, got ''",  # noqa: E501
    "parse_rule('same &')": "rule: expected token('A')",
    "parse_rule('same first')": "got 'same first'",
    "parse_rule('second')": "got 'second'",
    "parse_rule('same + first')": "got 'same + first'",
    "parse_rule('-first')": "got '-first'",
    "parse_rule('same\\n& first')": r"got 'same\n& first'",
    "parse_rule('token(A)')": "got 'token(A)'",
    "parse_rule('at()')": "got 'at()'",
    "parse_rule('same(1)')": "got 'same(1)'",
    "parse_rule('at(-1)')": "got 'at(-1)'",
    "parse_rule('at(\"1\")')": "at: expected a place, counted from 0, got '1'",
    "parse_rule('same & unique')": "what stands beside &: expected a selection rule",
    "parse_rule('~unique')": "what stands beside ~: expected a selection rule",
    "parse_rule('__import__(\"os\")')": "rule: expected token('A')",
    "parse_rule('same\\0')": "rule: expected token('A')",
    "parse_rule('(' * 300 + 'same' + ')' * 300)": "rule: expected",
    # vocabularies and sizes
    "compile_rule(same(), '', 4)": "vocabulary: expected at least one name of a token, got []",
    "compile_rule(same(), ['A', ''], 4)": "vocabulary: expected at least one name of a token",
    "compile_rule(same(), [1, 2], 4)": "vocabulary: expected at least one name of a token, got [1, 2]",
    "compile_rule(same(), 'ABA', 4)": "vocabulary: expected different names, got ['A', 'B', 'A']",
    "compile_rule(same(), 'A∅', 4)": "vocabulary: expected names other than ∅, which is the null key's",
    "compile_rule(same(), 'AB', 0)": "max_len: expected a whole number >= 1, got 0",
    "compile_rule(same(), 'AB', 2.0)": "max_len: expected a whole number >= 1, got 2.0",
    "compile_rule(same(), 'AB', True)": "max_len: expected a whole number >= 1, got True",
    "compile_rule(same(), 'ABC', 4, qk_dim=2)": "qk_dim: expected at least 3 for same(), got 2",
    # weights
    "verify(spoiled(W_Q=nan), same() & not_self())": "W_Q: expected finite numbers, got NaN or infinity",
    "verify(spoiled(W_V=-inf), same() & not_self())": "W_V: expected finite numbers, got NaN or infinity",
    "compare(head, spoiled(W_K=nan))": "W_K: expected finite numbers, got NaN or infinity",
    "decompile(spoiled(W_K=inf))": "W_K: expected finite numbers, got NaN or infinity",
    "ablate(spoiled(W_Q=nan), same() & not_self())": "W_Q: expected finite numbers, got NaN or infinity",
    "verify(spoiled(W_K=torch.zeros(8, 2)), same() & not_self())": "W_K: expected [8, 7], got [8, 2]",
    "verify(spoiled(W_Q=torch.zeros(5, 7)), same() & not_self())": "W_Q: expected [8, 7], got [5, 7]",
    "verify(spoiled(W_V=torch.zeros(5, 3)), same() & not_self())": "W_V: expected [8, 3], got [5, 3]",
    "compare(spoiled(W_K=torch.zeros(8, 2)), head)": "W_K: expected [8, 7], got [8, 2]",
    "compare(head, spoiled(W_V=torch.zeros(5, 3)))": "W_V: expected [8, 3], got [5, 3]",
    "decompile(spoiled(W_Q=torch.zeros(5, 7)))": "W_Q: expected [8, 7], got [5, 7]",
    "spoiled(W_K=torch.zeros(8, 2)).run('AB')": "W_K: expected [8, 7], got [8, 2]",
    # proofs and comparisons
    "verify(head, same() & not_self(), max_len=5)": "max_len: expected 1 to the head's 4, got 5",
    "verify(head, same() & not_self(), max_len=0)": "max_len: expected 1 to the head's 4, got 0",
    "verify(head, unique())": "head: expected 1 outputs for unique(), got 3",
    "verify(head, token('X'))": "token: expected one of A, B, C, got 'X'",
    "verify(head, 'same')": "rule: expected a rule",
    "verify(head, same(), most=0)": "most: expected",
    "compare(head, compile_rule(same(), 'AB', 4))": "heads: expected one vocabulary, got ('A', 'B', 'C') and ('A', 'B')",  # noqa: E501
    "compare(head, compile_rule(same(), 'ABC', 5))": "heads: expected one max_len, got 4 and 5",
    "compare(head, plain, draws=0)": "draws: expected",
    "decompile(compile_rule(first(), 'ABCDEFGH', 6))": "head: expected one with at most 20,000 different inputs, got",
    # learning
    "learn('same', 'ABC', 4)": "rule: expected a rule",
    "learn(token('A') & token('B'), 'ABC', 4)": "expected one that selects a key of some sequence",
    "learn(same() | first(), 'ABC', 4)": "expected one that asks one thing of the contents",
    "learn(same(), 'ABC', 4, seeds=0)": "seeds: expected a whole number >= 1, got 0",
    "learn(same(), 'ABC', 4, seeds=2.0)": "seeds: expected a whole number >= 1, got 2.0",
    "learn(same(), 'ABC', 4, qk_dim=1)": "qk_dim: expected at least 3 for same(), got 1",
    "Training(steps=-1)": "steps: expected a whole number >= 0, got -1",
    "Training(steps=1.5)": "steps: expected a whole number >= 0, got 1.5",
    "Training(batch=0)": "batch: expected a whole number >= 1, got 0",
    "Training(rate=0)": "rate: expected a number > 0, got 0",
    "Training(rate=nan)": "rate: expected a number > 0, got nan",
    "Training(spread=inf)": "spread: expected a number > 0, got inf",
    # maps of other models
    "recorded_attention(q[0], q[0])": "q and k: expected one shape [batch, heads, n, dim], got [3, 5, 4] and [3, 5, 4]",
    "recorded_attention(q, q[:, :2])": "q and k: expected one shape [batch, heads, n, dim], got [2, 3, 5, 4] and [2, 2",
    "recorded_attention(q, q[:, :, :3])": "q and k: expected one shape",
    "recorded_attention(q[:0], q[:0])": "q and k: expected one shape [batch, heads, n, dim], got [0, 3, 5, 4]",
    "recorded_attention(q / 0, q)": "q and k: expected finite numbers, got NaN or infinity",
    "describe_pattern(maps[0])": "attention: expected maps [maps, n, n], got [5, 5]",
    "describe_pattern(maps[:, :3])": "attention: expected maps [maps, n, n], got [2, 3, 5]",
    "describe_pattern(maps[:0])": "attention: expected maps [maps, n, n], got [0, 5, 5]",
    "measure_pattern(maps[0])": "attention: expected maps [maps, n, n], got [5, 5]",
    "measure_pattern(maps, draws=1)": "draws: expected a whole number >= 2, got 1",
    "measure_pattern(maps, draws=2.5)": "draws: expected a whole number >= 2, got 2.5",
    "measure_redundancy(maps)": "attention: expected maps [heads, batch, n, n], got [2, 5, 5]",
    "measure_redundancy(maps[None], draws=1)": "draws: expected a whole number >= 2, got 1",
    "measure_shares(head, draws=1)": "draws: expected a whole number >= 2, got 1",
    "match_heads(maps)": "likeness: expected a table [ours, theirs], got [2, 5, 5]",
    "match_heads(maps[0, :0])": "likeness: expected a table [ours, theirs], got [0, 5]",
    "match_heads(maps[0] * nan)": "likeness: expected finite numbers, got NaN or infinity",
    "measure_matching(maps[0], draws=1)": "draws: expected a whole number >= 2, got 1",
    "measure_matching(maps[0, 0])": "likeness: expected a table [ours, theirs], got [5]",
    "record_queries_and_keys(nn.Linear(4, 4), torch.zeros(2, 4))": "model: expected an nn.MultiheadAttention that the run uses, got none",  # noqa: E501
}


@cache
def found() -> dict[str, str]:
    return messages(SETUP, SLIPS)


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_one_line(slip: str) -> None:
    check(found()[slip], SLIPS[slip])
