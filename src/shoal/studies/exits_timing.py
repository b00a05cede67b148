"""Time networks beside each other, in turn, so that a busy machine disturbs all alike."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from shoal.engine import Precision

REPEATS = 9
ALONE = 32  # images that are timed one at a time

Run = Callable[[Tensor], object]


@dataclass(frozen=True)
class Timing:
    """Milliseconds per image of several networks, each repeat timed one after the other.

    Attributes:
        batch_size: rows at a time.
        together: by name, [repeats], at that batch size.
        alone: by name, [repeats], one image at a time.
    """

    batch_size: int
    together: dict[str, Float[Tensor, " repeats"]]
    alone: dict[str, Float[Tensor, " repeats"]]

    def ms(self, name: str) -> float:
        """Of a network at the batch size, median."""
        return float(self.together[name].median())

    def ms_alone(self, name: str) -> float:
        """Of a network at batch 1, median."""
        return float(self.alone[name].median())

    def speed_ups(self, slow: str, fast: str) -> Float[Tensor, " repeats"]:
        """How many times as fast one network is as another, repeat by repeat."""
        return self.together[slow] / self.together[fast]


@torch.no_grad()
def time_all(
    runs: dict[str, Run],
    inputs: Tensor,
    *,
    precision: Precision,
    device: torch.device,
    batch_size: int = 128,
) -> Timing:
    """Time networks on the same inputs, in turn, after one untimed round.

    Args:
        runs: by name, what answers a batch; in evaluation mode.
        inputs: [n, ...], floats.
        precision: how to run all.
        device: where to run all.
        batch_size: rows at a time.
    """
    inputs = precision.place(inputs, device)
    with precision.autocast(device):
        together = _in_turn(runs, batch_size, inputs)
        alone = _in_turn(runs, 1, inputs[:ALONE])
    return Timing(batch_size, together, alone)


def _in_turn(runs: dict[str, Run], size: int, rows: Tensor) -> dict[str, Float[Tensor, " repeats"]]:
    """Milliseconds per image."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(REPEATS + 1):
        for name, run in runs.items():
            began = time.perf_counter()
            for part in rows.split(size):
                run(part)
            if rows.is_cuda:
                torch.cuda.synchronize()
            if repeat:
                found[name].append(1e3 * (time.perf_counter() - began) / len(rows))
    return {name: torch.tensor(times, dtype=torch.float64) for name, times in found.items()}
