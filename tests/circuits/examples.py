"""Rules, the plain-Python reference, and learned heads that the tests of circuits share."""

import itertools
from functools import cache

import numpy as np
import torch
from hypothesis import settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from torch import Tensor

from shoal.circuits import (
    Head,
    Rule,
    Training,
    compile_rule,
    expected_output,
    learn,
    parse_rule,
    selected,
)
from shoal.circuits.layout import PADDING
from shoal.circuits.rules import AnyRule, At, Both, Either, Last, Not, NotSelf, Previous, Same, Token

few_examples = settings(max_examples=settings().max_examples // 10)  # every one of them compares heads

# rules that one head follows, at any vocabulary with an A and a B and any length from 3
FOLLOWED = [
    # by content
    "same", "~same", "token('A')", "~token('A')", "token('A') | same", "~same & ~token('A')", "same & token('B')",
    "same | ~same",
    # by position
    "first", "~first", "last", "previous", "~previous", "not_self", "~not_self", "at(1)", "~at(2)", "first | previous",
    "first | at(2)", "previous | ~not_self", "~first & not_self", "~first & ~previous", "last & not_self",
    "last & ~first", "last & ~previous", "first | ~first", "~previous & ~at(1) & not_self",
    # by both
    "same & not_self", "~same & not_self", "same & previous", "same & first", "token('A') & previous",
    "~token('A') & ~first", "token('B') & ~not_self", "same & ~previous & ~first", "(token('A') | same) & not_self",
    "previous & ~last", "~same & at(1)", "~(same | first)", "~(~same | ~previous)",
]  # fmt: skip

SOME = FOLLOWED[::4]  # where one of every kind will do

# rules that no single head follows
IMPOSSIBLE = [
    "same | first", "same | previous", "token('A') | first", "~same | first", "token('A') & first | token('B') & at(1)",
    "~(same & previous)", "same & last", "token('A') & last", "token('A') | last", "~same & last", "~last",
    "first | last", "first & last", "same & ~last", "~(last & not_self)", "~first & ~last",
]  # fmt: skip


def rules(names: str = "AB", places: int = 3, leaves: int = 4) -> st.SearchStrategy[Rule]:
    """Random trees of rules."""
    bare: list[Rule] = [Same(), Last(), Previous(), NotSelf(), *(At(place) for place in range(places))]
    leaf = st.sampled_from(bare + [Token(name) for name in names])
    grown = lambda inner: st.builds(Not, inner) | st.builds(Both, inner, inner) | st.builds(Either, inner, inner)  # noqa: E731
    return st.recursive(leaf, grown, max_leaves=leaves)


def rule_of(text: str) -> Rule:
    """The selection rule that a text says."""
    rule = parse_rule(text)
    assert isinstance(rule, Rule)
    return rule


def sequences(vocabulary: str, max_len: int) -> list[str]:
    """Every input up to a length, made without the library."""
    return ["".join(x) for n in range(1, max_len + 1) for x in itertools.product(vocabulary, repeat=n)]


def as_tokens(found: list[str], vocabulary: str, max_len: int) -> Tensor:
    """Inputs as one padded tensor."""
    rows = [[vocabulary.index(name) for name in x] + [PADDING] * (max_len - len(x)) for x in found]
    return torch.tensor(rows)


def farthest(head: Head, rule: AnyRule) -> float:
    """The largest difference of any output on any input from what the reference asks for."""
    vocabulary, worst = "".join(head.layout.vocabulary), 0.0
    inputs = sequences(vocabulary, head.layout.max_len)
    with torch.no_grad():
        outputs = head(as_tokens(inputs, vocabulary, head.layout.max_len)).double()
    for sequence, output in zip(inputs, outputs, strict=True):
        expected = torch.tensor(expected_output(rule, sequence, vocabulary), dtype=torch.float64)
        worst = max(worst, float((output[: len(sequence)] - expected).abs().max()))
    return worst


def one_head_can(rule: Rule, vocabulary: str, max_len: int) -> bool:
    """Whether there are scores that make a head follow a rule: a linear program, no argument about the rule.

    A score is the sum of four free tables: query token or place by key token or place. A null key has a free score for
    every query token and place. Selected keys must share one score, all others, the null key among them, lie below.
    """
    tokens, null = len(vocabulary), len(vocabulary) + max_len  # keys: tokens, places, the null key
    wide = null + 1

    def score(sequence: str, query: int, key: int | None) -> np.ndarray:
        found = np.zeros((null, wide))
        rows = [vocabulary.index(sequence[query]), tokens + query]
        found[np.ix_(rows, [null] if key is None else [vocabulary.index(sequence[key]), tokens + key])] = 1
        return found.ravel()

    equal, above = set(), set()
    for sequence in sequences(vocabulary, max_len):
        for query in range(len(sequence)):
            chosen: list[int | None] = [*selected(rule, sequence, query)] or [None]
            top = score(sequence, query, chosen[0])
            equal |= {tuple(score(sequence, query, key) - top) for key in chosen[1:]}
            rest = [key for key in [None, *range(len(sequence))] if key not in chosen]
            above |= {tuple(score(sequence, query, key) - top) for key in rest}  # at most -1
    found = linprog(
        np.zeros(null * wide),
        A_ub=np.array(sorted(above)) if above else None,
        b_ub=-np.ones(len(above)) if above else None,
        A_eq=np.array(sorted(equal)) if equal else None,
        b_eq=np.zeros(len(equal)) if equal else None,
        bounds=(None, None),
    )
    assert found.status in (0, 2), found.message  # solved, or cannot be solved
    return found.status == 0


@cache
def hand(text: str, vocabulary: str = "ABC", max_len: int = 4) -> Head:
    """A compiled head; not to be changed."""
    return compile_rule(parse_rule(text), vocabulary, max_len)


@cache
def learned(text: str, vocabulary: str = "ABC", max_len: int = 4, seeds: int = 5) -> tuple[Head, ...]:
    """Learned heads; not to be changed."""
    return tuple(learn(parse_rule(text), vocabulary, max_len, seeds=seeds))


def trained_for(text: str, steps: int, *, seeds: int = 5, vocabulary: str = "ABC", max_len: int = 4) -> list[Head]:
    """Heads whose training ends early."""
    return learn(parse_rule(text), vocabulary, max_len, seeds=seeds, training=Training(steps=steps))


def made_of(layout_of: Head, w_q: Tensor, w_k: Tensor, w_v: Tensor) -> Head:
    """A head with these weights and another head's inputs."""
    found = Head(layout_of.layout, w_q.shape[1], w_v.shape[1]).to(w_q.dtype)
    with torch.no_grad():
        for parameter, weights in zip(found.parameters(), (w_q, w_k, w_v), strict=True):
            parameter.copy_(weights)
    return found


def normal(*shape: int, seed: int) -> Tensor:
    """Float64 noise."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
