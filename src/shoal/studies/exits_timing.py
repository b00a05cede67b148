"""Time a plain network and one with exits beside each other, so that a busy machine disturbs both alike."""

import statistics
import time
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from shoal.engine import Precision
from shoal.exits import EarlyExit, Policy

REPEATS = 9


@dataclass(frozen=True)
class Timing:
    """Milliseconds per image, and paired ratios.

    Attributes:
        batch_size: rows at a time.
        plain_ms: of the plain network, median.
        early_ms: of the early-exit network under its policy, median.
        speed_ups: [repeats], plain over early, each pair timed one after the other.
        single_plain_ms: of the plain network at batch 1, median.
        single_early_ms: of the early-exit network at batch 1, median.
    """

    batch_size: int
    plain_ms: float
    early_ms: float
    speed_ups: Float[Tensor, "repeats"]
    single_plain_ms: float
    single_early_ms: float


@torch.no_grad()
def time_both(
    plain: nn.Module,
    early: EarlyExit,
    policy: Policy,
    inputs: Tensor,
    *,
    precision: Precision,
    device: torch.device,
    batch_size: int = 128,
) -> Timing:
    """Time both networks on the same inputs, alternately.

    Args:
        plain: the plain network.
        early: the network with exits.
        policy: when it exits.
        inputs: [n, ...], floats.
        precision: how to run both.
        device: where to run both.
        batch_size: rows at a time.
    """
    inputs = precision.place(inputs, device)
    plain.eval()
    early.eval()

    def run_plain(size: int, rows: Tensor) -> None:
        for part in rows.split(size):
            plain(part)

    def run_early(size: int, rows: Tensor) -> None:
        for part in rows.split(size):
            early.predict(part, policy)

    with precision.autocast(device):
        pairs = _alternate(run_plain, run_early, batch_size, inputs)
        singles = _alternate(run_plain, run_early, 1, inputs[:32])
    times = torch.tensor(pairs, dtype=torch.float64)  # [repeats, 2]
    per_image = 1e3 * times.median(0).values / len(inputs)
    single = [1e3 * statistics.median(column) / min(32, len(inputs)) for column in zip(*singles, strict=True)]
    speed_ups = times[:, 0] / times[:, 1]
    return Timing(batch_size, float(per_image[0]), float(per_image[1]), speed_ups, single[0], single[1])


def _alternate(first, second, size: int, rows: Tensor) -> list[tuple[float, float]]:
    """Seconds of both, in turn, after one untimed round."""
    found = []
    for _ in range(REPEATS + 1):
        marks = [time.perf_counter()]
        for run in (first, second):
            run(size, rows)
            if rows.is_cuda:
                torch.cuda.synchronize()
            marks.append(time.perf_counter())
        found.append((marks[1] - marks[0], marks[2] - marks[1]))
    return found[1:]
