"""What a training step costs: with and without exits, by batch and side, and what pooling for the exits takes.

    python benchmarks/steps.py

The study's network (ResNet-18 of width 32, whitened) in bfloat16 with channels last, medians over steps taken in turn.
Prints a line per case and writes benchmarks/records/steps.json.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from shoal.engine import classification, describe_environment, precision_named
from shoal.engine.precision import training_step
from shoal.exits import EarlyExit, joint_objective
from shoal.files import write_json
from shoal.nets import create_model
from shoal.studies.exits_config import ExitsConfig

RECORD = Path(__file__).parent / "records" / "steps.json"
PRECISION, DEVICE = precision_named("bf16+channels_last"), torch.device("cpu")
REPEATS = 7


def medians(cases: dict[str, Callable[[], None]]) -> dict[str, dict[str, float]]:
    """Milliseconds of each case, taken in turn after an untimed round: median and quartiles."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(REPEATS + 1):
        for name, run in cases.items():
            start = time.perf_counter()
            run()
            times[name].append(1e3 * (time.perf_counter() - start))
    quartiles = {name: statistics.quantiles(values[1:], n=4) for name, values in times.items()}
    return {name: dict(zip(("low", "median", "high"), q, strict=True)) for name, q in quartiles.items()}


def steps() -> list[dict[str, Any]]:
    """A step of the plain network and of the one with exits."""
    plain = create_model("cifar_resnet18", width=32, whitened=True, seed=0)
    early = EarlyExit(create_model("cifar_resnet18", width=32, whitened=True, seed=0), ExitsConfig().at, 10)
    joint = joint_objective([0.3] * len(early.at) + [1.0])
    networks = {"plain": (plain, classification()), "with exits": (early, joint)}
    for network, _ in networks.values():
        PRECISION.place_model(network, DEVICE)
    rows = []
    for side, batch in ((24, 256), (32, 256), (32, 512), (32, 1024)):
        x, y = torch.randn(batch, 3, side, side), torch.randint(10, (batch,))

        def step(network: nn.Module, objective: Any, x: Tensor = x, y: Tensor = y) -> None:
            training_step(network, x, y, lambda m, a, b: objective(m, a, b)[0], PRECISION, DEVICE)
            network.zero_grad()

        cases = {name: lambda pair=pair, step=step: step(*pair) for name, pair in networks.items()}
        for name, ms in medians(cases).items():
            rows.append({"what": name, "side": side, "batch": batch, "ms": ms, "ms_per_image": ms["median"] / batch})
    return rows


def poolings() -> list[dict[str, Any]]:
    """Forward and backward of what an exit's head pools, at the sizes of the study's exits."""
    rows = []
    for channels, side in ((32, 32), (64, 16), (128, 8), (256, 4)):
        x = torch.randn(256, channels, side, side).to(memory_format=torch.channels_last).bfloat16().requires_grad_()
        cases = {
            "quadrant means": lambda x=x: F.adaptive_avg_pool2d(x, 2).float().sum().backward(),
            "overall maximum": lambda x=x: F.adaptive_max_pool2d(x, 1).float().sum().backward(),
        }
        rows += [{"what": name, "channels": channels, "side": side, "ms": ms} for name, ms in medians(cases).items()]
    return rows


def main() -> None:
    """Measure and keep the record."""
    rows = [*steps(), *poolings()]
    for row in rows:
        print({**row, "ms": round(row["ms"]["median"], 2)})
    environment = describe_environment(seed=0, device="cpu", why="benchmark")
    write_json(RECORD, {"environment": environment, "repeats": REPEATS, "rows": rows})


if __name__ == "__main__":
    main()
