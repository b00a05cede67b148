"""The alarm for a network that makes one point of all faces: real trainings that do, and those that do not."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shoal.errors import ShoalError
from shoal.faces.losses import TripletLoss
from shoal.faces.monitors import CollapseWatch, Monitor

COLLAPSED = Monitor(0.2003, 90, 0.0, 0.4, 0.6, 1e-4, 1e-5, 1e-4, 1e-4, 1.0, 0.2)
HEALTHY = replace(COLLAPSED, loss=0.15, mean_positive=1.5, mean_negative=1.6, mean_same=1.5, mean_different=1.9)


def images(likeness: float, step: int) -> tuple[Tensor, Tensor]:
    """New ones of 8 people: noise around a centre for each; without likeness nobody can be told from anybody."""
    labels = torch.arange(64) % 8
    centres = torch.randn(8, 16, generator=torch.Generator().manual_seed(99))
    return likeness * centres[labels] + torch.randn(64, 16, generator=torch.Generator().manual_seed(step)), labels


def train(mining: str, likeness: float, steps: int) -> Monitor:
    """A small network; raises where the watch does."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8))
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    loss, watch = TripletLoss(mining=mining), CollapseWatch(patience=30)
    for step in range(steps):
        optimizer.zero_grad()
        x, labels = images(likeness, step)
        loss(F.normalize(net(x)), labels).backward()
        optimizer.step()
        watch.see(loss.monitor)
    assert loss.monitor is not None
    return loss.monitor


def test_training_that_collapses_is_stopped() -> None:
    """Hardest negatives among people who cannot be told apart: all on one point is least bad."""
    with pytest.raises(ShoalError, match=r"training has collapsed: over the last 30 batches .* mining='semi-hard'"):
        train("hardest", 0.0, 1000)


@pytest.mark.parametrize("mining", ["semi-hard", "random", "all"])
def test_training_that_learns_is_not_stopped(mining: str) -> None:
    monitor = train(mining, 2.0, 200)
    assert monitor.loss < 0.1
    assert monitor.mean_different > 0.3


def see_all(watch: CollapseWatch, monitors: list[Monitor]) -> None:
    for monitor in monitors:
        watch.see(monitor)


def test_it_takes_patience() -> None:
    see_all(CollapseWatch(patience=10), [COLLAPSED] * 9)
    with pytest.raises(ShoalError):
        see_all(CollapseWatch(patience=10), [COLLAPSED] * 10)


def test_one_good_batch_starts_the_count_anew() -> None:
    see_all(CollapseWatch(patience=10), [*[COLLAPSED] * 9, HEALTHY] * 5)


def test_training_that_starts_at_one_point_and_gets_out_is_let_go() -> None:
    """A deep network at its start gives all images nearly the same embedding: that alone is no collapse."""
    growing = [replace(COLLAPSED, mean_different=1e-5 * 1.05**step) for step in range(120)]
    assert growing[-1].mean_different < 0.02 * 0.2
    see_all(CollapseWatch(patience=10), growing)
    with pytest.raises(ShoalError):
        see_all(CollapseWatch(patience=10), growing[::-1])


def test_batches_without_triplets_are_passed_over() -> None:
    watch = CollapseWatch(patience=3)
    nothing = replace(COLLAPSED, triplets=0, loss=0.0)
    see_all(watch, [COLLAPSED, nothing, COLLAPSED, nothing])
    watch.see(None)
    with pytest.raises(ShoalError):
        watch.see(COLLAPSED)


def test_a_small_loss_is_no_collapse() -> None:
    """People told apart within a small part of the sphere, as by a large margin: nothing to stop."""
    see_all(CollapseWatch(patience=3), [replace(COLLAPSED, loss=0.05)] * 10)
