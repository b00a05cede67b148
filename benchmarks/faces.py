"""Triplet mining and loss, forward and backward, on one thread: ours beside pytorch-metric-learning's.

    python -m benchmarks.faces [agreement|mining|all] [--turns 5] [--sizes "512x32 1800x40 4096x40"]

First it proves that every backend finds the indices of brute force on the same matrix of distances, and that
losses agree; only then it times. Cases of one size take turns, so that a busy moment of the machine hits all of
them: read the ratios. Peak memory is that of processes of their own, beyond the embeddings. Sizes are rows of a
batch x images of each person.

The rules differ, and both are compared. FaceNet's, ours: one negative for each anchor-positive pair. What
pytorch-metric-learning calls semi-hard: every triplet whose negative is beyond the positive and within the
margin. Rows of the record say which rule they follow; "one a pair" of theirs is its loss alone on triplets that
we mined, "all semi-hard" of ours is TripletLoss(mining="all-semi-hard"). Distances are squared ones everywhere.
Writes benchmarks/records/faces-mining.json.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.parts import run_parts, say
from shoal.faces import mining_numba
from shoal.faces.losses import TripletLoss, triplet_loss
from shoal.faces.mining import mine_semi_hard
from shoal.faces.mining_distances import squared_distances
from shoal.faces.triplets import Identities, Triplets

RECORD = Path(__file__).parent / "records" / "faces-mining.json"
SIZES = "512x32 1800x40 4096x40"
DIM, MARGIN = 128, 0.2
LIKENESS = 0.6  # weight of a person's centre beside noise of 1: about 1 in 14 triplets is semi-hard
PEERS_BYTES = 60  # for each of all triplets: a batch that does not fit is left out
PEER = "pytorch-metric-learning"
WHOLE = f"{PEER}, miner and loss"  # what its users run
PAIRS, EVERY = "one a pair", "all semi-hard"
Case = Callable[[], Tensor]


def inputs(batch: int, images: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Rows of length 1 around a centre for each person, and who they are."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(batch) // images
    centres = torch.randn(int(labels[-1]) + 1, DIM, generator=generator)
    rows = LIKENESS * centres[labels] + torch.randn(batch, DIM, generator=generator)
    return F.normalize(rows), labels


def backends() -> list[str]:
    """Those that work here."""
    return ["torch", *(["numba"] if not mining_numba.why_not() else [])]


def cases(rows: Tensor, labels: Tensor) -> dict[str, tuple[str, Case]]:
    """What is timed: name to (rule, forward); the last ones are the peer's, where it is installed."""
    found: dict[str, tuple[str, Case]] = {}
    for backend in backends():
        loss = TripletLoss(MARGIN, backend=backend)
        found[f"shoal, {backend}"] = (PAIRS, lambda loss=loss: loss(rows, labels))
    every = TripletLoss(MARGIN, "all-semi-hard")
    found["shoal, torch, all semi-hard"] = (EVERY, lambda: every(rows, labels))
    if (peer := create_peer(labels)) is not None:
        miner, loss = peer
        given = mine_semi_hard(rows, labels)
        triplets = (given.anchor, given.positive, given.negative)
        found[WHOLE] = (EVERY, lambda: loss(rows, labels, miner(rows, labels)))
        found[f"{PEER}, loss alone, our triplets"] = (PAIRS, lambda: loss(rows, labels, triplets))
    return found


def create_peer(labels: Tensor) -> tuple[Any, Any] | None:
    """Its miner and loss on squared distances of rows as they are, with a plain mean.

    Returns:
        None where it is not installed, or memory does not suffice.
    """
    if Identities.of(labels).count_triplets() * PEERS_BYTES > 1024 * _read("/proc/meminfo", "MemAvailable"):
        return None
    try:  # by name: types are checked where no peer is installed
        miners, losses, distances, reducers = (
            import_module(f"pytorch_metric_learning.{name}") for name in ("miners", "losses", "distances", "reducers")
        )
    except ImportError:
        return None
    squared = {"distance": distances.LpDistance(normalize_embeddings=False, p=2, power=2)}
    miner = miners.TripletMarginMiner(margin=MARGIN, type_of_triplets="semihard", **squared)
    return miner, losses.TripletMarginLoss(margin=MARGIN, reducer=reducers.MeanReducer(), **squared)


# Agreement


def by_definition(far: np.ndarray, labels: np.ndarray) -> list[int]:
    """The closest negative beyond each positive, else the farthest, a pair at a time; the first of equals."""
    chosen = []
    for anchor in range(len(labels)):
        negatives = np.flatnonzero(labels != labels[anchor])
        distances = far[anchor, negatives]
        for positive in np.flatnonzero(labels == labels[anchor]):
            if positive == anchor:
                continue
            beyond = np.flatnonzero(distances > far[anchor, positive])
            at = beyond[distances[beyond].argmin()] if len(beyond) else distances.argmax()
            chosen.append(int(negatives[at]))
    return chosen


def agreement(args: argparse.Namespace) -> dict[str, Any]:
    """How far the ways are from each other, at every size."""
    return {**_setting(), "sizes": _agreements(args.sizes)}


@cache
def _agreements(sizes: str) -> dict[str, Any]:
    """The same; once, where it is asked for by itself and before the timing."""
    found = {f"{batch}x{images}": _agreement(batch, images) for batch, images in _parsed(sizes)}
    say("indices are those of brute force; losses and gradients agree")
    return found


def _agreement(batch: int, images: int) -> dict[str, Any]:
    """How far the ways are from each other, relative to the largest number.

    Raises:
        SystemExit: if an index differs from brute force, or a loss or gradient from its slow or other version.
    """
    rows, labels = inputs(batch, images)
    truth = by_definition(squared_distances(rows).numpy(), labels.numpy())
    for backend in backends():
        if mine_semi_hard(rows, labels, backend=backend).negative.tolist() != truth:
            raise SystemExit(f"{batch}x{images}, {backend}: indices differ from brute force; nothing is timed")
    found: dict[str, Any] = {"pairs": len(truth), "indices": "those of brute force, every backend"}
    slow = _by_gathers(rows.double(), mine_semi_hard(rows, labels))
    for backend in backends():
        fast = _loss_and_gradient(lambda x, b=backend: TripletLoss(MARGIN, backend=b)(x, labels), rows)
        found[f"shoal, {backend}, and gathered rows in float64"] = _apart(fast, slow)
    if (peer := create_peer(labels)) is not None:
        found |= _agreement_with_peer(peer, rows, labels)
    worst = max(value for value in found.values() if isinstance(value, float))
    if worst > 1e-3:
        raise SystemExit(f"{batch}x{images}: losses or gradients disagree, nothing is timed: {found}")
    return found


def _agreement_with_peer(peer: tuple[Any, Any], rows: Tensor, labels: Tensor) -> dict[str, Any]:
    """Its rule, and our triplets."""
    miner, loss = peer
    every = TripletLoss(MARGIN, "all-semi-hard")
    ours = _loss_and_gradient(lambda x: every(x, labels), rows)
    theirs = _loss_and_gradient(lambda x: loss(x, labels, miner(x, labels)), rows)
    assert every.monitor is not None
    counts = every.monitor.triplets, len(miner(rows, labels)[0])
    given = mine_semi_hard(rows, labels)
    triplets = (given.anchor, given.positive, given.negative)
    one = _loss_and_gradient(lambda x: triplet_loss(x, given, MARGIN), rows)
    other = _loss_and_gradient(lambda x: loss(x, labels, triplets), rows)
    return {
        "all semi-hard triplets": {"shoal": counts[0], PEER: counts[1]},
        "number of all semi-hard triplets": abs(counts[0] - counts[1]) / counts[1],  # rounding at the margin
        f"all semi-hard, shoal and {PEER}": _apart(ours, theirs),
        f"one a pair, shoal and {PEER}": _apart(one, other),
    }


def _by_gathers(rows: Tensor, triplets: Triplets) -> tuple[Tensor, Tensor]:
    """The sum as it is written, and its gradient by autograd, some triplets at a time."""
    leaf, total = rows.clone().requires_grad_(), rows.new_zeros(())
    for some in torch.arange(len(triplets)).split(10_000):
        block = triplets.select(some)
        a, p, n = leaf[block.anchor], leaf[block.positive], leaf[block.negative]
        losses = ((a - p).square().sum(1) - (a - n).square().sum(1) + MARGIN).clamp(min=0)
        value = losses.sum() / len(triplets)
        value.backward()
        total += value.detach()
    assert leaf.grad is not None
    return total, leaf.grad


def _loss_and_gradient(forward: Callable[[Tensor], Tensor], rows: Tensor) -> tuple[Tensor, Tensor]:
    leaf = rows.detach().clone().requires_grad_()
    value = forward(leaf)
    return value.detach(), torch.autograd.grad(value, leaf)[0]


def _apart(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> float:
    """The larger of the deviations of loss and gradient."""
    return max(float((a.double() - b).abs().max() / b.abs().max()) for a, b in zip(one, other, strict=True))


# Time and memory


def mining(args: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds, ratios and megabytes, after everything was found to agree."""
    _agreements(args.sizes)
    rows = [row for batch, images in _parsed(args.sizes) for row in times(batch, images, args.turns)]
    return {**_setting(), "rows": rows}


def times(batch: int, images: int, turns: int) -> list[dict[str, Any]]:
    """Milliseconds of every case; of the peer's miner and loss, how many times as long as each of ours, by turn."""
    rows, labels = inputs(batch, images)
    rows.requires_grad_()
    product = rows.detach()
    every: dict[str, tuple[str, Case]] = {"one product batch x batch x dim": ("none", lambda: product @ product.T)}
    every |= cases(rows, labels)
    seconds: dict[str, list[float]] = {name: [] for name in every}
    for turn in range(turns + 1):
        for name, (rule, case) in every.items():
            began = time.perf_counter()
            value = case()
            if rule != "none":
                torch.autograd.grad(value, rows)
            if turn:
                seconds[name].append(time.perf_counter() - began)
    ours = {name: statistics.median(own) for name, own in seconds.items() if name.startswith("shoal")}
    found = []
    for name, (rule, _) in every.items():
        row: dict[str, Any] = {"case": name, "rule": rule, "batch": batch, "images": images, "turns": turns}
        row["ms"] = spread([1e3 * s for s in seconds[name]])
        if name == WHOLE:
            row["times_as_long_as"] = {
                other: spread([a / b for a, b in zip(seconds[name], seconds[other], strict=True)]) for other in ours
            }
        if rule != "none":
            row["peak_mb"] = peak(name, batch, images)
        found.append(row)
        say(f"{batch}x{images}: {name} ({rule}): {row['ms']['median']:.1f} ms, peak {row.get('peak_mb', 0):.0f} MB")
        for other, ratio in row.get("times_as_long_as", {}).items():
            say(f"    {ratio['median']:.1f} times as long as {other} ({every[other][0]})")
    return found


def spread(values: list[float]) -> dict[str, float]:
    """Median and quartiles."""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return {"median": median, "low": low, "high": high}


def peak(name: str, batch: int, images: int) -> float:
    """Megabytes of forward and backward beyond the embeddings, of a process of its own."""
    code = "import sys; from benchmarks.faces import peak_here; print(peak_here(*sys.argv[1:]))"
    words = [sys.executable, "-c", code, name, str(batch), str(images)]
    # what is freed goes back to the system at once: nothing that was kept by an earlier call hides what this one takes
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "131072", "MALLOC_TRIM_THRESHOLD_": "131072"}
    run = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
    return float(run.stdout.split()[-1])


def peak_here(name: str, batch: str, images: str) -> float:
    """Resident megabytes of this process at the highest, beyond those before; told as `peak` hands it on."""
    torch.set_num_threads(1)

    def run(batch: int) -> Case:
        rows, labels = inputs(batch, int(images))
        rows.requires_grad_()
        case = cases(rows, labels)[name][1]
        return lambda: torch.autograd.grad(case(), rows)[0]

    run(max(2 * int(images), 300))()  # code and small buffers are there before
    case = run(int(batch))
    before = _read("/proc/self/status", "VmRSS")
    with open("/proc/self/clear_refs", "w") as file:  # noqa: PTH123 - resets the peak
        file.write("5")
    case()
    return (_read("/proc/self/status", "VmHWM") - before) / 1024


def _read(file: str, field: str) -> float:
    """Kilobytes, as Linux tells them."""
    lines = (line.split() for line in Path(file).read_text().splitlines())
    return next(float(words[1]) for words in lines if words[0] == field + ":")


def _setting() -> dict[str, Any]:
    """What all numbers are for: threads, peers, rows."""
    peers = {}
    for name in ("numba", PEER):
        try:
            peers[name] = version(name)
        except PackageNotFoundError:
            peers[name] = "not installed"
    return {"threads": torch.get_num_threads(), "dim": DIM, "margin": MARGIN, "peers": peers}


def _parsed(sizes: str) -> list[tuple[int, int]]:
    """Rows of a batch, and images of each person."""
    return [(int(batch), int(images)) for batch, images in (size.split("x") for size in sizes.split())]


PARTS = {"agreement": agreement, "mining": mining}


if __name__ == "__main__":
    torch.set_num_threads(1)
    run_parts(__doc__, PARTS, RECORD, turns=5, sizes=SIZES)
