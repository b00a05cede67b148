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

Run = tuple[Callable[[Tensor], object], Precision]  # what answers a batch, and how to run it


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
    device: torch.device,
    batch_size: int = 128,
) -> Timing:
    """Time networks on the same inputs, in turn, after one untimed round.

    Args:
        runs: by name; in evaluation mode.
        inputs: [n, ...], floats.
        device: where to run all.
        batch_size: rows at a time.
    """
    together = _in_turn(runs, batch_size, inputs, device)
    return Timing(batch_size, together, _in_turn(runs, 1, inputs[:ALONE], device))


def _in_turn(
    runs: dict[str, Run], size: int, rows: Tensor, device: torch.device
) -> dict[str, Float[Tensor, " repeats"]]:
    """Milliseconds per image."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    placed = {name: precision.place(rows, device).split(size) for name, (_, precision) in runs.items()}
    for repeat in range(REPEATS + 1):
        for name, (run, precision) in runs.items():
            began = time.perf_counter()
            with precision.autocast(device):
                for part in placed[name]:
                    run(part)
            if device.type == "cuda":
                torch.cuda.synchronize()
            if repeat:
                found[name].append(1e3 * (time.perf_counter() - began) / len(rows))
    return {name: torch.tensor(times, dtype=torch.float64) for name, times in found.items()}
