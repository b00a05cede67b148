"""Batches, schedules and random streams: pure functions of the step."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, TensorDataset

from shoal.engine import World, as_batches, in_order, stream
from shoal.engine.schedule import FINAL_SHARE, SCHEDULES, TAIL_FROM, Pace, rate_at
from shoal.errors import InputError
from tests.engine.toy import flip, toy_data


@given(n=st.integers(1, 40), batch_size=st.integers(1, 50), seed=st.integers(0, 5))
def test_an_epoch_shows_every_row_at_most_once(n: int, batch_size: int, seed: int) -> None:
    rows = torch.arange(n)
    batches = as_batches((rows.float()[:, None], rows), batch_size=batch_size, seed=seed)
    for epoch in range(2):
        steps = range(epoch * batches.steps_per_epoch, (epoch + 1) * batches.steps_per_epoch)
        seen = torch.cat([batches.batch(step, "full", World())[1] for step in steps])
        assert len(seen) == len(seen.unique()) == batches.steps_per_epoch * min(batch_size, n)


def test_a_batch_is_a_pure_function_of_its_step() -> None:
    one, other = (as_batches(toy_data(), batch_size=16, seed=1, augment=flip) for _ in range(2))
    later = [one.batch(step, "full", World())[0] for step in range(15)]
    for step in (14, 3, 7):
        assert torch.equal(other.batch(step, "full", World())[0], later[step])
    assert not torch.equal(later[0], later[6])


@pytest.mark.parametrize("size", [2, 3])
def test_the_processes_of_a_world_share_a_batch(size: int) -> None:
    batches = as_batches(toy_data(), batch_size=16, seed=1)
    whole = batches.batch(2, "full", World())[1]
    parts = [batches.batch(2, "full", World(rank, size))[1] for rank in range(size)]
    assert sorted(torch.cat(parts).tolist()) == sorted(whole.tolist())
    assert torch.equal(parts[1], whole[1::size])


def test_small_images_come_first() -> None:
    batches = as_batches(toy_data(), batch_size=16, small_until=0.5)
    assert [batches.size_at(p) for p in (0, 0.49, 0.5, 1)] == ["small", "small", "full", "full"]
    assert batches.batch(0, "small", World())[0].shape == (16, 3, 6, 6)


def test_a_loader_goes_on_in_mid_epoch() -> None:
    images, labels = toy_data()
    loader = DataLoader(TensorDataset(images, labels), batch_size=20)
    one, other = as_batches(loader, batch_size=1), as_batches(loader, batch_size=1)
    all_steps = [one.batch(step, "full", World())[1] for step in range(10)]
    assert torch.equal(other.batch(7, "full", World())[1], all_steps[7])
    assert torch.equal(other.batch(8, "full", World())[1], all_steps[8])
    assert torch.equal(torch.cat([y for _, y in in_order(loader)]), labels)


def test_wrong_data_are_refused() -> None:
    images, labels = toy_data()
    with pytest.raises(InputError, match="got 96 and 95"):
        as_batches((images, labels[:-1]), batch_size=4)
    with pytest.raises(InputError, match="a loader with a length"):
        as_batches(iter([(images, labels)]), batch_size=4)


@pytest.mark.parametrize("name", SCHEDULES)
@given(progress=st.floats(0, 1), warmup=st.floats(0.01, 0.9))
def test_schedules_stay_between_nothing_and_the_peak(name: str, progress: float, warmup: float) -> None:
    assert 0 <= rate_at(name, progress, warmup) <= 1
    assert rate_at(name, warmup, warmup) == pytest.approx(1)


@given(progress=st.floats(TAIL_FROM, 1), warmup=st.floats(0.01, TAIL_FROM - 0.01))
def test_a_cosine_with_a_tail_is_a_cosine_of_three_quarters_and_then_small(progress: float, warmup: float) -> None:
    assert rate_at("cosine-tail", progress, warmup) == pytest.approx(FINAL_SHARE)
    earlier = TAIL_FROM * (progress - TAIL_FROM) / (1 - TAIL_FROM)
    shorter = rate_at("cosine", earlier / TAIL_FROM, warmup / TAIL_FROM)
    assert rate_at("cosine-tail", earlier, warmup) == pytest.approx(shorter)


@given(
    seconds=st.floats(0.2, 3),
    truth=st.floats(0.3, 3),
    small=st.floats(0.2, 1),
)
def test_a_time_plan_ends_near_its_budget_though_the_first_measurement_was_wrong(
    seconds: float, truth: float, small: float
) -> None:
    """Simulated clock: steps really take `truth` times what was measured at the start."""
    pace = Pace.in_minutes(10, {"small": seconds * small, "full": seconds})
    clock = 0.0
    while not pace.finished:
        size = "small" if pace.progress < 0.5 else "full"
        pace.advance(size)
        clock += truth * seconds * (small if size == "small" else 1)
        if pace.progress - pace.checked_at[1] >= 0.04:
            pace.correct(clock)
    assert clock == pytest.approx(600, rel=0.12)


def test_streams_differ_by_purpose_and_repeat_by_seed() -> None:
    draw = lambda *key: torch.randint(1 << 30, (4,), generator=stream(*key)).tolist()  # noqa: E731
    assert draw(0, "shuffle", 1) == draw(0, "shuffle", 1)
    assert (
        len({tuple(draw(*key)) for key in [(0, "shuffle", 1), (0, "shuffle", 2), (1, "shuffle", 1), (0, "a", 1)]}) == 4
    )
