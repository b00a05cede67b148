"""Batches hold every row once an epoch, about as many tokens each, and are functions of the step."""

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shoal.engine.device import World
from shoal.errors import InputError
from shoal.summarize.token_batches import Encoded, TokenBatches, encode_pairs, in_order_of_length, pad
from shoal.summarize.tokenizer import END, PAD, START

ALONE = World.current()


def data(rows: int, seed: int = 0) -> Encoded:
    chance = random.Random(seed)
    sources = [[3 + row] * chance.randint(1, 90) for row in range(rows)]  # a row's number is in its tokens
    return encode_pairs(sources, [[5] * chance.randint(1, 9) for _ in range(rows)], 90, 12)


def rows_of(source: torch.Tensor) -> list[int]:
    return [int(row[0]) - 3 for row in source]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 200), st.integers(1, 2000), st.integers(0, 5))
def test_an_epoch_holds_every_row_once(rows: int, tokens: int, epoch: int) -> None:
    batches = TokenBatches(data(rows, seed=rows), tokens=tokens)
    seen: list[int] = []
    for step in range(epoch * batches.steps_per_epoch, (epoch + 1) * batches.steps_per_epoch):
        source, target = batches.batch(step, "full", ALONE)
        assert len(source) == 1 or source.numel() <= tokens
        assert bool((target[:, 0] == START).all())
        seen += rows_of(source)
    assert sorted(seen) == list(range(rows))


def test_little_of_a_batch_is_padding() -> None:
    batches = TokenBatches(data(2000), tokens=1000)
    found = [batches.batch(step, "full", ALONE) for step in range(batches.steps_per_epoch)]
    for part, share in ((0, 0.1), (1, 0.25)):  # documents; summaries, of which a third would be by chance
        padding = sum(int((batch[part] == PAD).sum()) for batch in found)
        assert padding < share * sum(batch[part].numel() for batch in found)


def test_epochs_differ_in_order_and_in_company() -> None:
    batches = TokenBatches(data(400), tokens=600)
    first, second = (
        [frozenset(rows_of(batches.batch(epoch * batches.steps_per_epoch + step, "full", ALONE)[0]))
         for step in range(batches.steps_per_epoch)]
        for epoch in (0, 1)
    )  # fmt: skip
    assert first != second
    assert set(first) != set(second)


def test_a_batch_is_a_function_of_its_step() -> None:
    one, other = (TokenBatches(data(200), tokens=500, seed=3) for _ in range(2))
    order = list(range(2 * one.steps_per_epoch))
    random.Random(0).shuffle(order)
    found = {step: one.batch(step, "full", ALONE) for step in order}
    for step in sorted(order):
        for a, b in zip(found[step], other.batch(step, "full", ALONE), strict=True):
            assert torch.equal(a, b)


def test_texts_are_cut_and_counted() -> None:
    found = encode_pairs([[4] * 9, [4] * 3, []], [[5] * 9, [5], [5]], 5, 4)
    assert [len(source) for source in found.sources] == [5, 3, 1]
    assert found.targets[0] == [START, 5, 5, 5, END]
    assert (found.cut, found.cut_summaries) == (1, 1)
    assert found.sources[2] == [END]


def test_all_rows_come_once_in_order_of_length() -> None:
    every = data(100)
    lengths, seen = [], []
    for rows, source, target in in_order_of_length(every, 300):
        assert torch.equal(source, pad([every.sources[row] for row in rows]))
        assert len(target) == len(rows)
        lengths += [len(every.sources[row]) for row in rows]
        seen += rows
    assert lengths == sorted(lengths)
    assert sorted(seen) == list(range(100))


def test_no_rows_are_refused() -> None:
    with pytest.raises(InputError, match="training data: expected at least one pair, got none"):
        TokenBatches(Encoded([], []), tokens=100)
