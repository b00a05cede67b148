"""Writing: cached equals uncached, beams equal a slow search, rules always hold."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from shoal.errors import InputError
from shoal.summarize.model import SummaryModel
from shoal.summarize.rules import Filter, WritingRules, forbid_repeats
from shoal.summarize.search import draw, write
from shoal.summarize.tokenizer import END, START
from tests.summarize.nets import VOCABULARY, create, documents

NO_WORDS = torch.zeros(VOCABULARY, dtype=torch.bool)


def run(model: SummaryModel, source: Tensor, starts: Tensor = NO_WORDS, **changes: object) -> list[list[int]]:
    rules = WritingRules(**changes)  # pyright: ignore[reportArgumentType]
    return write(model, source, rules, Filter(rules, starts))


@pytest.mark.parametrize(
    ("attention", "copy", "norm"), [*itertools.product(["exact", "positive", "elu"], [True, False], ["pre", "post"])]
)
@torch.no_grad()
def test_one_token_at_a_time_equals_all_at_once(attention: str, copy: bool, norm: str) -> None:
    model = create(attention=attention, copy=copy, norm=norm)
    source, target = documents(), torch.randint(3, VOCABULARY, (5, 20))
    expected = model(source, target)
    writing = model.start(source, 20)
    for place in range(20):
        found = model.step(writing, target[:, place])
        assert torch.allclose(found, expected[:, place], atol=1e-4), place
        assert torch.allclose(found.exp(), expected[:, place].exp(), atol=1e-5), place


@pytest.mark.parametrize("attention", ["exact", "positive"])
@torch.no_grad()
def test_beams_go_on_where_they_are_told_to(attention: str) -> None:
    model, source = create(attention=attention), documents(rows=3)
    rows, left = torch.tensor([3, 3, 0, 2]), torch.tensor([0, 2])  # beams of documents 2 and 0 … of three with two each
    writing = model.start(source, 10)
    first = torch.tensor([4, 5, 6])
    model.step(writing, first)
    writing = writing.select(torch.tensor([0, 0, 1, 1, 2, 2]))  # two beams each
    second = torch.tensor([7, 8, 9, 10, 11, 12])
    model.step(writing, second)
    rows = torch.tensor([1, 0, 5, 5])
    writing = writing.select(rows, left)
    third = torch.tensor([13, 14, 15, 16])
    found = model.step(writing, third)
    target = torch.stack([first.repeat_interleave(2)[rows], second[rows], third], 1)
    expected = model(source[left].repeat_interleave(2, 0), target)[:, -1]
    assert torch.allclose(found, expected, atol=1e-4)


@torch.no_grad()
def slow_greedy(model: SummaryModel, source: Tensor, n: int) -> list[int]:
    """One document, everything computed anew for each token."""
    written = [START]
    for place in range(model.config.max_target):
        log_p = model(source, torch.tensor([written]))[0, -1]
        log_p[[0, START]] = -torch.inf
        if place == 0:
            log_p[END] = -torch.inf
        for token in range(VOCABULARY):
            if n and [*written, token][-n:] in [written[i : i + n] for i in range(len(written) - n + 1)]:
                log_p[token] = -torch.inf
        token = int(log_p.argmax()) if place < model.config.max_target - 1 else END
        if token == END:
            break
        written.append(token)
    return written[1:]


@pytest.mark.parametrize(("seed", "n"), [*itertools.product(range(4), [0, 1, 2, 3])])
def test_greedy_equals_a_slow_one(seed: int, n: int) -> None:
    model, source = create(seed), documents(rows=4, seed=seed)
    expected = [slow_greedy(model, row[row != 0][None], n) for row in source]
    assert run(model, source, num_beams=1, no_repeat_ngram=n) == expected


@torch.no_grad()
def slow_beams(model: SummaryModel, source: Tensor, beams: int, penalty: float) -> list[int]:
    """One document, beams kept in lists, until the room is full."""
    open_, ended = [([START], 0.0)], []
    for place in range(model.config.max_target):
        grown = []
        for written, total in open_:
            log_p = model(source, torch.tensor([written]))[0, -1]
            log_p[[0, START]] = -torch.inf
            if place == 0:
                log_p[END] = -torch.inf
            ended.append((written[1:], (total + float(log_p[END])) / len(written) ** penalty))
            grown += [([*written, token], total + float(log_p[token])) for token in range(3, VOCABULARY)]
        open_ = sorted(grown, key=lambda one: -one[1])[:beams]
    return max(ended, key=lambda one: one[1])[0]


@pytest.mark.parametrize(("seed", "beams", "penalty"), [*itertools.product(range(3), [2, 4], [0.0, 1.0, -0.5])])
def test_beams_equal_a_slow_search(seed: int, beams: int, penalty: float) -> None:
    model, source = create(seed, max_target=8), documents(rows=3, seed=seed)
    expected = [slow_beams(model, row[row != 0][None], beams, penalty) for row in source]
    found = run(model, source, num_beams=beams, length_penalty=penalty, no_repeat_ngram=0)
    assert found == expected


@torch.no_grad()
def likelihood_of(model: SummaryModel, source: Tensor, summary: list[int]) -> float:
    log_p = model(source, torch.tensor([[START, *summary]]))[0]
    return float(sum(log_p[place, token] for place, token in enumerate([*summary, END])))


def test_more_beams_find_what_is_at_least_as_likely_as_greedy_on_average() -> None:
    gains = []
    for seed in range(6):
        model, source = create(seed), documents(rows=3, seed=seed)
        greedy, beams = (run(model, source, num_beams=n, no_repeat_ngram=0) for n in (1, 6))
        for row, one, other in zip(source, greedy, beams, strict=True):
            alone = row[row != 0][None]
            gains.append(likelihood_of(model, alone, other) - likelihood_of(model, alone, one))
    assert sum(gains) / len(gains) > 0
    assert min(gains) > -1e-3  # the greedy summary, where a beam lost it, is rarely better


def test_a_positive_length_penalty_means_longer() -> None:
    lengths = []
    for penalty in (-1.0, 0.0, 1.0, 3.0):
        found = [
            len(summary)
            for seed in range(4)
            for summary in run(create(seed), documents(seed=seed), length_penalty=penalty, num_beams=4)
        ]
        lengths.append(sum(found))
    assert lengths == sorted(lengths)
    assert lengths[0] < lengths[-1]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(3, 6), min_size=0, max_size=12), st.integers(1, 4))
def test_a_repeat_is_forbidden_and_nothing_else(written: list[int], n: int) -> None:
    all_of_it = [START, *written]
    log_p = forbid_repeats(torch.zeros(1, VOCABULARY), torch.tensor([all_of_it]), n)[0]
    seen = [all_of_it[i : i + n] for i in range(len(all_of_it) - n + 1)]
    for token in range(VOCABULARY):
        repeats = [*all_of_it, token][-n:] in seen
        assert (log_p[token] == -math.inf) == repeats


@pytest.mark.parametrize(("beams", "n", "temperature"), [(1, 1, 0.0), (4, 1, 0.0), (4, 2, 0.0), (1, 2, 1.0)])
def test_nothing_repeats_and_no_beam_is_left_empty(beams: int, n: int, temperature: float) -> None:
    for seed in range(3):
        model = create(seed)
        with torch.no_grad():
            model.embedding.weight[6:] *= 0.01  # few tokens to choose from, which it would repeat
        for summary in run(model, documents(), num_beams=beams, no_repeat_ngram=n, temperature=temperature):
            grams = [tuple(summary[i : i + n]) for i in range(len(summary) - n + 1)]
            assert len(set(grams)) == len(grams)
            assert 1 <= len(summary) < model.config.max_target


@pytest.mark.parametrize("beams", [1, 3])
def test_no_more_words_than_asked_for(beams: int) -> None:
    starts = torch.arange(VOCABULARY) % 3 == 0
    model, most = create(), 0
    for words in (1, 2, 4):
        for summary in run(model, documents(), starts, num_beams=beams, max_words=words, length_penalty=3.0):
            count = sum(bool(starts[token]) for token in summary)
            assert count <= words
            most = max(most, count)
    assert most == 4


def test_rows_do_not_disturb_each_other() -> None:
    model, source = create(1), documents(rows=5, seed=3)
    for beams in (1, 3):
        together = run(model, source, num_beams=beams)
        alone = [run(model, row[row != 0][None], num_beams=beams)[0] for row in source]
        assert together == alone


def test_draws_follow_the_probabilities() -> None:
    log_p = torch.tensor([0.5, 0.3, 0.15, 0.05]).log().repeat(20_000, 1)
    generator = torch.Generator().manual_seed(0)
    for changes, expected in [
        ({}, [0.5, 0.3, 0.15, 0.05]),
        ({"top_k": 2}, [0.625, 0.375, 0, 0]),
        ({"top_p": 0.6}, [0.625, 0.375, 0, 0]),
        ({"top_p": 0.81}, [0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95, 0]),
        ({"top_p": 1e-6}, [1, 0, 0, 0]),
    ]:
        rules = WritingRules(num_beams=1, temperature=1.0, **changes)  # pyright: ignore[reportArgumentType]
        shares = draw(log_p, rules, generator).bincount(minlength=4) / len(log_p)
        assert torch.allclose(shares, torch.tensor(expected, dtype=shares.dtype), atol=0.015)
    cold = WritingRules(num_beams=1, temperature=0.01)
    assert bool((draw(log_p, cold, generator) == 0).all())


def test_draws_repeat_by_seed() -> None:
    model, source = create(), documents()
    first, again, other = (run(model, source, num_beams=1, temperature=1.0, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_beams": 0}, "num_beams: expected a whole number >= 1, got 0"),
        ({"length_penalty": math.nan}, "0 being neutral"),
        ({"temperature": -1.0}, "temperature"),
        ({"top_p": 0.0}, "top_p: expected a share above 0"),
        ({"temperature": 1.0}, "num_beams: expected 1 where tokens are drawn"),
    ],
)
def test_wrong_rules_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        WritingRules(**changes)  # pyright: ignore[reportArgumentType]
