"""Exact nearest neighbours: ours, faiss, scikit-learn and torch's product with topk, and a whole probe of CIFAR-10.

    python -m benchmarks.knn [all|peers|whole] [--turns 5] [--queries 2000] [--references 50000]

First every method's answers are compared with brute force in float64; ours must be the same, of the others the recall
is recorded. Then they are timed in turn. `whole` needs CIFAR-10: 50,000 training images, each left out of its own
neighbours, and 10,000 test images, over ten probes of a ResNet-18 that trained for a minute; time and memory of its
neighbours.
Writes benchmarks/records/knn.json.
"""

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.parts import say
from shoal.data import load
from shoal.difficulty import Features, depth_of_features, nearest, probe_features
from shoal.difficulty.features import find_layers
from shoal.engine import FitConfig, as_batches, describe_environment, fit, precision_named
from shoal.files import write_json
from shoal.nets import create_model

RECORD = Path(__file__).parent / "records" / "knn.json"
K = 30
CHECKED = 200  # queries that are compared with brute force
WIDTHS = (10, 64, 512, 3072)

Search = Callable[[Tensor, Tensor], np.ndarray]


def made_up(count: int, width: int, generator: torch.Generator) -> Tensor:
    """Rows as a layer gives them: classes, spread, and no negative numbers."""
    centres = torch.randn(10, width, generator=generator)
    own = centres[torch.randint(10, (count,), generator=generator)]
    return (own + 1.5 * torch.randn(count, width, generator=generator)).relu()


def brute_force(references: Tensor, queries: Tensor) -> Tensor:
    """By definition, in float64, ties to the lower row."""
    found = []
    for query in queries.double():
        squares = torch.cat([(part.double() - query).square().sum(1) for part in references.split(5000)])
        found.append(squares.sort(stable=True).indices[:K])
    return torch.stack(found)


def ours(references: Tensor, queries: Tensor) -> np.ndarray:
    """Exact."""
    return nearest(references, queries, K).index.numpy()


def torch_topk(references: Tensor, queries: Tensor) -> np.ndarray:
    """A product and topk, 512 queries at a time."""
    squares = references.square().sum(1)
    parts = (torch.addmm(squares, some, references.T, alpha=-2) for some in queries.split(512))
    return torch.cat([part.topk(K, 1, largest=False).indices for part in parts]).numpy()


def with_faiss(references: Tensor, queries: Tensor) -> np.ndarray:
    """IndexFlatL2."""
    index = import_module("faiss").IndexFlatL2(references.shape[1])
    index.add(references.numpy())
    return index.search(queries.numpy(), K)[1]


def with_sklearn(references: Tensor, queries: Tensor) -> np.ndarray:
    """Brute force, as scikit-learn calls it."""
    from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(n_neighbors=K, algorithm="brute").fit(references.numpy())
    return found.kneighbors(queries.numpy(), return_distance=False)


SEARCHES: dict[str, Search] = {
    "shoal": ours,
    "faiss IndexFlatL2": with_faiss,
    "torch addmm + topk": torch_topk,
    "scikit-learn brute": with_sklearn,
}


def peers(references: int, queries: int, turns: int) -> list[dict[str, Any]]:
    """Recall first, then seconds in turn."""
    import_module("faiss").omp_set_num_threads(torch.get_num_threads())
    rows = []
    for width in WIDTHS:
        generator = torch.Generator().manual_seed(width)
        kept, asked = (made_up(count, width, generator) for count in (references, queries))
        truth = brute_force(kept, asked[:CHECKED])
        recalls = {}
        for name, search in SEARCHES.items():
            found = torch.from_numpy(np.ascontiguousarray(search(kept, asked[:CHECKED]))).long()
            recalls[name] = float((found[:, :, None] == truth[:, None, :]).any(2).double().mean())
            if name == "shoal" and not torch.equal(found, truth):
                raise SystemExit(f"{width} dimensions: ours differ from brute force; nothing is timed")
        seconds: dict[str, list[float]] = {name: [] for name in SEARCHES}
        for _ in range(turns):
            for name, search in SEARCHES.items():
                began = time.perf_counter()
                search(kept, asked)
                seconds[name].append(time.perf_counter() - began)
        for name, times in seconds.items():
            rows.append(
                {
                    "method": name,
                    "dimensions": width,
                    "references": references,
                    "queries": queries,
                    "recall": recalls[name],
                    "seconds": {"median": statistics.median(times), "low": min(times), "high": max(times)},
                    "turns": turns,
                }
            )
            say(f"{width:5} {name:20} recall {recalls[name]:.5f}  {statistics.median(times):.2f} s")
    return rows


def whole(minutes: float) -> dict[str, Any]:
    """All training images among each other, and the test images among them, over ten probes."""
    splits = load("cifar10", validation=0)  # all 50,000
    model = create_model("cifar_resnet18", num_classes=10, width=32, seed=0)
    batches = as_batches(splits.train.pair, batch_size=256, prepare=splits.normalise)
    history = fit(model, batches, config=FitConfig(minutes=minutes, precision="auto"))
    precision = precision_named(history.precision)
    names = find_layers(model, splits.train.pair, None, prepare=splits.normalise)
    options: dict[str, Any] = {"prepare": splits.normalise, "precision": precision}
    train, test = (probe_features(model, part.pair, names, **options) for part in (splits.train, splits.test))
    say(f"features of {len(train.layers)} probes: {train.seconds + test.seconds:.0f} s")
    del splits, model, batches, history, options  # what is measured is the neighbours' memory beside the features
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    among = depth_of_features(train)
    others = depth_of_features(train, test)
    seconds = among.seconds["neighbours"] + others.seconds["neighbours"]
    differ = _differ(train, test)
    row = {
        "probes": {name: train.values[name].shape[1] for name in train.layers},
        "training_images": len(train.labels),
        "test_images": len(test.labels),
        "seconds_features": train.seconds + test.seconds,
        "seconds_neighbours": seconds,
        "seconds_among_training": among.seconds["neighbours"],
        "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "memory_before_gb": before / 2**20,
        "checked_rows_that_differ": differ,
        "probe_accuracy_test": others.probe_accuracy.tolist(),
        "probe_accuracy_train": among.probe_accuracy.tolist(),
    }
    say(f"neighbours: {seconds:.0f} s, peak memory {row['peak_memory_gb']:.1f} GB, {differ} rows are not brute force's")
    return row


def _differ(train: Features, test: Features) -> int:
    """Queries among 20 a probe whose neighbours are not those of brute force."""
    found = 0
    for name in train.layers:
        kept, asked = train.values[name], test.values[name][:20]
        found += int((nearest(kept, asked, K).index != brute_force(kept, asked)).any(1).sum())
    return found


def main() -> None:
    """Run, and keep the parts that were not run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", default="all", choices=("all", "peers", "whole"))
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--queries", type=int, default=2000)
    parser.add_argument("--references", type=int, default=50_000)
    parser.add_argument("--minutes", type=float, default=1.0)
    args = parser.parse_args()
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    environment = describe_environment(seed=0, device="cpu", why="benchmark") | {"threads": torch.get_num_threads()}
    if args.part in ("all", "peers"):
        record["peers"] = {"environment": environment, "rows": peers(args.references, args.queries, args.turns)}
        write_json(RECORD, record)
    if args.part in ("all", "whole"):
        record["whole"] = {"environment": environment, **whole(args.minutes)}
        write_json(RECORD, record)


if __name__ == "__main__":
    main()
