"""From a head to the rule that it follows, or to None.

Candidates are the rules of the language up to a pair of conditions: one by content, one by position, and both. Each is
tried on every input: a rule is named only where the head's output is read right everywhere and made of the keys that
the rule selects. How the head gets rid of attention, to a null key or to keys whose value is zero, does not matter. Of
several such rules the nearest is named, of equals the shortest.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from shoal.circuits.conditions import conditions_of
from shoal.circuits.head import Head
from shoal.circuits.layout import PADDING
from shoal.circuits.proof import possible_outputs, reading_margins
from shoal.circuits.rules import AnyRule, Rule
from shoal.circuits.sequences import Sequences, padded
from shoal.circuits.targets import selection, wanted_output
from shoal.circuits.writing import at, first, last, not_self, previous, same, token, unique
from shoal.errors import InputError, wrong

MOST_INPUTS = 20_000  # sequences that all candidates are tried on
FARTHEST = 0.25  # half of the mean distance between what keys contribute and what the rule wants of them


@dataclass(frozen=True)
class _Candidate:
    rule: AnyRule
    expected: Tensor  # (batch, n, m)
    contributions: Tensor | None  # of every key to every output, (batch, n, n, m); None for unique()


@torch.no_grad()
def decompile(head: Head) -> AnyRule | None:
    """Name the rule that a head follows on every input.

    Args:
        head: hand-made or learned.

    Returns:
        The rule, or None where no candidate is followed.

    Raises:
        InputError: if a weight is no number, or there are too many inputs to look at all of them.

    Example:
        >>> from shoal.circuits import compile_rule
        >>> print(decompile(compile_rule(same() & not_self(), "ABC", max_len=4)))
        same() & not_self()
    """
    head.check_weights()
    vocabulary, max_len = head.layout.vocabulary, head.layout.max_len
    tokens, candidates = _tried(vocabulary, max_len, head.W_V.shape[1])
    trace = head.trace_batch(tokens.to(head.W_Q.device))
    outputs = trace.outputs.double().cpu()
    first = int(head.layout.null)  # what the null key contributes is no token's
    contributions = (trace.attention[..., first:, None] * trace.values[:, None, first:]).double().cpu()
    real = tokens != PADDING
    found: list[tuple[float, int, AnyRule]] = []
    for candidate in candidates:
        error = (outputs - candidate.expected)[real].norm(dim=-1)
        if float(error.median()) > 0.5:  # far from it: no need to look closer
            continue
        readings = _readings(candidate.rule, vocabulary, max_len)
        margins = reading_margins(outputs[real], candidate.expected[real], readings)
        if bool((margins > 0).all()):
            wanted = candidate.contributions
            apart = 0.0 if wanted is None else float((contributions - wanted).abs().sum((2, 3))[real].mean()) / 2
            found.append((round(apart, 3), len(str(candidate.rule)), candidate.rule))
    if not found:
        return None
    apart, _, rule = min(found, key=lambda row: row[:2])
    return rule if apart <= FARTHEST else None


@lru_cache(maxsize=8)
def _tried(vocabulary: tuple[str, ...], max_len: int, outputs: int) -> tuple[Tensor, list[_Candidate]]:
    """All inputs, and the candidates with what they ask for on them."""
    count = sum(len(vocabulary) ** n for n in range(1, max_len + 1))
    if count > MOST_INPUTS:
        raise wrong("head", expected=f"one with at most {MOST_INPUTS:,} different inputs", got=f"{count:,}")
    tokens = padded(len(vocabulary), max_len, PADDING)
    candidates = []
    for rule in candidate_rules(vocabulary, max_len):
        if (1 if not isinstance(rule, Rule) else len(vocabulary)) != outputs:
            continue
        expected = wanted_output(rule, tokens, vocabulary)
        candidates.append(_Candidate(rule, expected, _contributions(rule, tokens, vocabulary)))
    return tokens, candidates


@lru_cache(maxsize=1024)
def _readings(rule: AnyRule, vocabulary: tuple[str, ...], max_len: int) -> Tensor:
    """The outputs that a rule can ask for; only made for candidates that a head comes close to."""
    return possible_outputs(rule, Sequences(len(vocabulary), max_len), vocabulary)


def _contributions(rule: AnyRule, tokens: Tensor, vocabulary: tuple[str, ...]) -> Tensor | None:
    """What a rule wants every key to contribute: its share of the attention times its token."""
    if not isinstance(rule, Rule):
        return None
    shares = selection(rule, tokens, vocabulary).double()
    shares = shares / shares.sum(-1, keepdim=True).clamp_min(1)
    return shares[..., None] * torch.nn.functional.one_hot(tokens.clamp_min(0), len(vocabulary)).double()[:, None]


def candidate_rules(vocabulary: tuple[str, ...], max_len: int) -> Iterator[AnyRule]:
    """Rules that one head can follow: simple ones first, each different from those before.

    Yields:
        Rules, by content, by position, and by both.
    """
    content: list[Rule] = [same(), ~same()]
    content += [rule for name in vocabulary for rule in (token(name), ~token(name))]
    places: list[Rule] = [first(), last(), previous(), not_self(), *(at(place) for place in range(1, max_len))]
    places += [~rule for rule in places]
    pairs = [a & b for i, a in enumerate(places) for b in places[:i]] + [
        a | b for i, a in enumerate(places) for b in places[:i]
    ]
    known: set[bytes] = set()
    for rule in (*content, *places, *pairs, *(a & b for a in content for b in places)):
        try:
            conditions_of(rule, vocabulary, max_len)
        except InputError:
            continue
        mark = _mark(rule, vocabulary, max_len)
        if mark not in known:
            known.add(mark)
            yield rule
    yield unique()


def _mark(rule: Rule, vocabulary: tuple[str, ...], max_len: int) -> bytes:
    """What a rule selects on all inputs, as something to compare."""
    longest = min(max_len, 4) if len(vocabulary) ** max_len > MOST_INPUTS else max_len
    return selection(rule, padded(len(vocabulary), longest, PADDING), vocabulary).numpy().tobytes()
