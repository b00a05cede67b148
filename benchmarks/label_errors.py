"""Finding wrong labels: one training and its neighbours against cleanlab's scores from five folds.

    python -m benchmarks.label_errors [digits|fashion-mnist|cifar10n] [--seeds 5] [--first 0]

Labels are made wrong in three ways at 5, 10 and 40 % (see benchmarks/label_noise.py), or are those that people gave
(CIFAR-10N: "aggre", the majority of three, and "worse"); the measure is the average precision of the ranking. Ours
trains one network on all examples with their wrong labels; cleanlab gets probabilities of five networks of the same
kind, each of which trained for as many epochs on four fifths, or for four fifths of the time. Of its three scores the
one that is best in a cell counts there. Rows that are in the record are not measured again, and two
processes may share the seeds. Writes benchmarks/records/label-errors.json.
"""

import argparse
import itertools
import json
import time
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold
from torch import Tensor, nn

from benchmarks.label_noise import KINDS, spoil
from benchmarks.parts import say
from shoal.data import load, locate, stratified_sample
from shoal.data.votes import find_votes
from shoal.difficulty import PredictionHistory, find_label_errors, prediction_depth
from shoal.engine import FitConfig, Precision, as_batches, describe_environment, fit, in_order, seed_everything
from shoal.files import write_json

RECORD = Path(__file__).parent / "records" / "label-errors.json"
RATES = (0.05, 0.1, 0.4)
FOLDS = 5
ROWS = {"digits": 1797, "fashion-mnist": 10_000}
PEOPLE = ("aggre", "worse")
CLEANLAB = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")


@dataclass(frozen=True)
class Recipe:
    """How every network is trained, for both ways alike; one of epochs and minutes is 0."""

    epochs: float = 0.0
    minutes: float = 0.0
    arithmetic: str = "fp32"

    def of_a_fold(self) -> "Recipe":
        """For a training on all folds but one."""
        return replace(self, minutes=self.minutes * (1 - 1 / FOLDS))


RECIPES = {
    "digits": Recipe(epochs=20),
    "fashion-mnist": Recipe(epochs=8, arithmetic="bf16+channels_last"),  # three times as fast on the CPU measured on
    "cifar10n": Recipe(minutes=2.0),
}


def network(channels: int, classes: int, side: int) -> nn.Module:
    """Three stages of convolution, normalisation and activation."""
    widths, parts = (channels, 16, 32, 64), []
    for before, after in itertools.pairwise(widths):
        stage = [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        parts.append(nn.Sequential(*stage, nn.MaxPool2d(2)) if side >= 4 else nn.Sequential(*stage))
        side //= 2
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], classes))


def train(images: Tensor, labels: Tensor, prepare: Any, recipe: Recipe, seed: int, watch: Any = None) -> nn.Module:
    """One network on these labels."""
    seed_everything(seed)
    classes = int(labels.max()) + 1
    model = network(images.shape[1], classes, images.shape[2])
    config = FitConfig(
        epochs=recipe.epochs,
        minutes=recipe.minutes,
        learning_rate=0.05,
        precision=recipe.arithmetic,
        seed=seed,
        label_smoothing=0.0,
    )
    batches = as_batches((images, labels), batch_size=128, prepare=prepare, seed=seed)
    fit(model, batches, config=config, validate=watch)
    return model


@torch.no_grad()
def probabilities(model: nn.Module, images: Tensor, prepare: Any) -> Tensor:
    """Of the classes."""
    model.eval()
    pairs = in_order((images, torch.zeros(len(images), dtype=torch.long)), prepare=prepare)
    return torch.cat([model(Precision().place(x, torch.device("cpu"))).softmax(1) for x, _ in pairs])


def ours(images: Tensor, labels: Tensor, prepare: Any, recipe: Recipe, seed: int) -> dict[str, np.ndarray]:
    """Scores from one training: what `find_label_errors` says, and what else could have been said, beside it."""
    watch = PredictionHistory.recorder((images, labels), prepare=prepare)
    model = train(images, labels, prepare, recipe, seed, watch)
    depth = prediction_depth(model, (images, labels), prepare=prepare)
    history = watch.history()
    own = depth.votes.gather(2, labels[:, None, None].expand(-1, len(depth.layers), 1))[..., 0]
    return {
        "shoal": find_label_errors(depth, history=history).score.numpy(),
        "shoal without a history": find_label_errors(depth).score.numpy(),
        "mean vote": own.mean(1).numpy(),
        "votes, last layer": own[:, -2].numpy(),
        "confidence in training": history.confidence().numpy(),
        "prediction depth": -depth.depth.numpy(),
    }


def cleanlab(images: Tensor, labels: Tensor, prepare: Any, recipe: Recipe, seed: int) -> dict[str, np.ndarray]:
    """Scores from five folds."""
    get_label_quality_scores = import_module("cleanlab.rank").get_label_quality_scores
    found = torch.zeros(len(labels), int(labels.max()) + 1)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(images, labels)
    for number, (kept, left) in enumerate(folds):
        model = train(images[kept], labels[kept], prepare, recipe.of_a_fold(), 100 * seed + number)
        found[left] = probabilities(model, images[left], prepare)
    given, table = labels.numpy(), found.double().numpy()
    table /= table.sum(1, keepdims=True)
    return {
        f"cleanlab {name}": get_label_quality_scores(given, table, method=name, adjust_pred_probs=False)
        for name in CLEANLAB
    }


def measure(data: str, kind: str, rate: float, seed: int) -> dict[str, Any]:
    """Average precision of every score, and seconds of both ways."""
    if data == "cifar10n":
        splits = load("cifar10", validation=0)
        images, truth = splits.train.pair
        labels = find_votes(locate("cifar10")).labels[kind][splits.train.rows]
    else:
        splits = load(data)
        parts = [part.pair for part in (splits.train, splits.validation, splits.test) if len(part)]
        images, truth = (torch.cat(part) for part in zip(*parts, strict=True))
        if len(truth) > ROWS[data]:
            images, truth = stratified_sample(splits.train, ROWS[data]).pair
        labels = spoil(images, truth, kind, rate, seed)
    wrong = (labels != truth).numpy()
    row: dict[str, Any] = {"data": data, "kind": kind, "rate": rate or float(wrong.mean()), "seed": seed}
    row |= asdict(RECIPES[data]) | {"n": len(truth), "precision": {}, "seconds": {}}
    for name, way in (("shoal", ours), ("cleanlab", cleanlab)):
        began = time.perf_counter()
        scores = way(images, labels, splits.normalise, RECIPES[data], seed)
        row["seconds"][name] = time.perf_counter() - began
        row["precision"] |= {key: float(average_precision_score(wrong, -score)) for key, score in scores.items()}
    return row


def read_record() -> dict[str, Any]:
    """What was measured before."""
    return json.loads(RECORD.read_text()) if RECORD.exists() else {"rows": []}


def main() -> None:
    """Measure the rows that are missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", choices=(*ROWS, "cifar10n"))
    parser.add_argument("--seeds", type=int, default=0, help="5 unless given, for labels that people gave 1")
    parser.add_argument("--first", type=int, default=0, help="the first of the seeds")
    parser.add_argument("--kind", choices=KINDS, help="of noise; all unless given")
    args = parser.parse_args()
    record = read_record()
    people = args.data == "cifar10n"
    kinds = (args.kind,) if args.kind else KINDS
    cells = [(kind, 0.0) for kind in PEOPLE] if people else list(itertools.product(kinds, RATES))
    known = {(r["data"], r["kind"], 0.0 if people else r["rate"], r["seed"]) for r in record["rows"]}
    for seed in range(args.first, args.first + (args.seeds or (1 if people else 5))):
        for kind, rate in cells:
            if (args.data, kind, rate, seed) in known:
                continue
            row = measure(args.data, kind, rate, seed)
            record = read_record()  # another process may have added rows
            record["rows"].append(row)
            record.setdefault("environments", {})[args.data] = describe_environment(
                seed=0, device="cpu", why="benchmark"
            )
            write_json(RECORD, record)
            best = max(value for key, value in row["precision"].items() if key.startswith("cleanlab"))
            own = ", ".join(f"{key} {x:.4f}" for key, x in row["precision"].items() if "cleanlab" not in key)
            times = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in row["seconds"].items())
            say(f"{kind} {row['rate']:.0%} seed {seed}: {own}; cleanlab {best:.4f}; {times}")


if __name__ == "__main__":
    main()
