"""Latency: what is called how often, and what is put back. No test here depends on how long anything takes."""

import pytest
import torch

from shoal.errors import InputError
from shoal.measure import latency


def test_calls_warmup_and_repeats_and_orders_the_quartiles():
    calls: list[int] = []
    found = latency(lambda: calls.append(1), warmup=4, repeats=9)
    assert len(calls) == 13
    assert found.n == 9
    assert 0 <= found.low <= found.median <= found.high
    assert found.threads == torch.get_num_threads()


def test_one_repeat_is_all_three_numbers():
    found = latency(lambda: None, repeats=1, warmup=0)
    assert found.low == found.median == found.high > 0


def test_threads_are_set_inside_and_restored_also_after_an_error():
    before = torch.get_num_threads()
    seen: list[int] = []
    assert latency(lambda: seen.append(torch.get_num_threads()), repeats=1, threads=before + 1).threads == before + 1
    assert set(seen) == {before + 1}

    def fail() -> None:
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        latency(fail, threads=before + 1)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("wrong", [{"repeats": 0}, {"warmup": -1}, {"threads": 0}])
def test_refuses_impossible_counts(wrong: dict[str, int]):
    with pytest.raises(InputError, match=f"{next(iter(wrong))}: expected a whole number"):
        latency(lambda: None, **wrong)


def test_reads_as_one_line():
    text = str(latency(lambda: None, repeats=3, threads=1))
    assert text.endswith("n = 3, 1 thread")
    assert " ms [" in text
