"""Certificates: how many rows a test needs, how often a promise is broken, and what one shared threshold would give.

    python -m benchmarks.guarantee [rows|promises|all] [--draws 1000] [--minutes 3]

`rows`: the power of our exact test, of betting (Waudby-Smith & Ramdas 2024) and of Hoeffding's inequality, on made-up
losses whose shares are known. `promises`: a network with exits is trained on CIFAR-10 (on digits where there is none)
for some minutes; its answers to all other images are taken for the whole world, from which calibration sets are drawn
with replacement, so that what a policy really loses is known. Each set is calibrated by `shoal.exits.calibrate` and, by
the same test and with all of its rows, with one threshold that all exits share.

Writes benchmarks/records/guarantee.json.
"""

import argparse
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.parts import Parts, run_parts, say
from shoal.data import load, locate
from shoal.engine import Silent
from shoal.errors import ShoalError
from shoal.exits import Confidence, ExitOutputs, Policy, calibrate_outputs, certify, exit_outputs
from shoal.exits.guarantee import passes
from shoal.measure import proportion_interval
from shoal.studies.exits_config import ExitsConfig, resolve
from shoal.studies.exits_training import train_early

RECORD = Path(__file__).parent / "records" / "guarantee.json"
PROMISES = ((0.01, 0.9), (0.01, 0.95), (0.02, 0.9))  # points that may be lost, and with what confidence
ROWS = 2000  # of a calibration set
SHARED = np.concatenate([np.linspace(1, 0.99, 11), np.linspace(0.985, 0.3, 69)])  # from safe to bold


def betting_passes(losses: NDArray[np.float64], max_drop: float, level: float) -> bool:
    """Whether capital that is bet row by row on "less is lost than that" grows by 1 / level at any time.

    Args:
        losses: [n] in {−1, 0, 1}, in the order of the draw.
        max_drop: share that may be lost.
        level: chance that may be taken.

    Source: Waudby-Smith & Ramdas 2024, "Estimating means of bounded random variables by betting", JRSS B 86, section 4.
    """
    x, mean = (losses + 1) / 2, (1 + max_drop) / 2  # in [0, 1]
    count = np.arange(1, len(x) + 1)
    running = (0.5 + np.cumsum(x)) / (count + 1)
    variance = (0.25 + np.cumsum((x - running) ** 2)) / (count + 1)
    before = np.concatenate([[0.25], variance[:-1]])  # of the rows before: a bet must not know its outcome
    bets = np.minimum(np.sqrt(2 * np.log(1 / level) / (len(x) * before)), 0.75 / (1 - mean))
    capital = np.cumsum(np.log1p(bets * (mean - x)))
    return bool(capital.max() >= np.log(1 / level))


def hoeffding_passes(losses: NDArray[np.float64], max_drop: float, level: float) -> bool:
    """Whether the mean is below by what Hoeffding's inequality allows for."""
    return bool(losses.mean() + np.sqrt(2 * np.log(1 / level) / len(losses)) <= max_drop)


def exact_passes(losses: NDArray[np.float64], max_drop: float, level: float) -> bool:
    """Ours."""
    return passes(len(losses), int((losses > 0).sum()), int((losses < 0).sum()), max_drop, level)


TESTS = {"exact": exact_passes, "betting": betting_passes, "Hoeffding": hoeffding_passes}


def power(test: Any, rows: int, shares: tuple[float, float], draws: int, rng: np.random.Generator) -> float:
    """How often a test of 1 point at 95 % is passed."""
    lost, won = shares
    found = rng.choice([1.0, -1.0, 0.0], (draws, rows), p=[lost, won, 1 - lost - won])
    return float(np.mean([test(row, 0.01, 0.05) for row in found]))


def rows_needed(args: argparse.Namespace) -> dict[str, Any]:
    """The fewest rows, in steps of a tenth, with which four draws in five are passed."""
    found = []
    for lost, won in ((0.0, 0.0), (0.005, 0.005), (0.01, 0.01), (0.025, 0.025), (0.005, 0.0)):
        row: dict[str, Any] = {"lost": lost, "won": won, "rows": {}}
        for name, test in TESTS.items():
            rng, rows = np.random.default_rng(0), 100
            while rows < 200_000 and power(test, rows, (lost, won), min(args.draws, 200), rng) < 0.8:
                rows = int(rows * 1.1)
            row["rows"][name] = rows if rows < 200_000 else None
        say(f"{lost:.1%} lost, {won:.1%} won: {row['rows']}")
        found.append(row)
    return {"losses": found}


def world(minutes: float) -> tuple[str, ExitOutputs]:
    """A trained network's answers to images that it was not trained on."""
    try:
        locate("cifar10")
        data, validation = "cifar10", 0.2
    except ShoalError:
        data, validation = "digits", 0.4
    splits = load(data, validation=validation)
    config = resolve(ExitsConfig(data=data, width=16, minutes=minutes))
    net, _ = train_early(config, splits, "auto", None, Silent())
    parts = [exit_outputs(net, part.pair, prepare=splits.normalise) for part in (splits.validation, splits.test)]
    logits = torch.cat([part.logits for part in parts], 1)
    return data, ExitOutputs(logits, torch.cat([part.labels for part in parts]), parts[0].costs)


def shared_threshold(outputs: ExitOutputs, max_drop: float, confidence: float) -> Policy:
    """One threshold for all exits, from a list that is fixed beforehand: every row can test."""
    policies = [Confidence([threshold] * (len(outputs.costs) - 1)) for threshold in SHARED.tolist()]
    return certify(outputs, policies, max_accuracy_drop=max_drop, confidence=confidence)


def keep_promises(
    outputs: ExitOutputs, max_drop: float, confidence: float, *, draws: int, rows: int = ROWS, seed: int = 0
) -> dict[str, Any]:
    """Draw calibration sets and see what their certified policies lose in the whole world.

    Returns:
        For "per exit" and "shared": the share of promises that were broken, and mean MACs as a share of the whole.
    """
    generator = torch.Generator().manual_seed(seed)
    whole, full = outputs.right[-1], float(outputs.costs[-1])
    broken: dict[str, list[bool]] = {"per exit": [], "shared": []}
    spent: dict[str, list[float]] = {"per exit": [], "shared": []}
    for draw in range(draws):
        drawn = outputs.take(torch.randint(len(outputs.labels), (rows,), generator=generator))
        found = {
            "per exit": calibrate_outputs(drawn, max_accuracy_drop=max_drop, confidence=confidence, seed=draw),
            "shared": shared_threshold(drawn, max_drop, confidence),
        }
        for name, policy in found.items():
            _, right, macs = outputs.replay(policy)
            lost = float((whole.double() - right.double()).mean())
            broken[name].append(lost > max_drop)
            spent[name].append(float(macs.double().mean()) / full)
    return {
        "max_drop": max_drop,
        "confidence": confidence,
        "rows": rows,
        "draws": draws,
        "broken": {name: sum(times) / draws for name, times in broken.items()},
        "interval": {
            name: [(at := proportion_interval(sum(times), draws)).low, at.high] for name, times in broken.items()
        },
        "macs": {name: statistics.fmean(shares) for name, shares in spent.items()},
        "macs_difference": statistics.fmean(a - b for a, b in zip(spent["per exit"], spent["shared"], strict=True)),
    }


def promises(args: argparse.Namespace) -> dict[str, Any]:
    """All promises, on one network."""
    say(f"training, {args.minutes:g} minutes")
    data, outputs = world(args.minutes)
    found = []
    for max_drop, confidence in PROMISES:
        found.append(keep_promises(outputs, max_drop, confidence, draws=args.draws))
        say(f"{max_drop:.0%} at {confidence:.0%}: broken {found[-1]['broken']}, MACs {found[-1]['macs']}")
    right = outputs.right[-1].double().mean()
    return {"data": data, "world": len(outputs.labels), "right": float(right), "promises": found}


PARTS: Parts = {"rows": rows_needed, "promises": promises}


if __name__ == "__main__":
    run_parts(__doc__, PARTS, RECORD, draws=1000, minutes=3.0)
