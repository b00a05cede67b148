"""Which training recipe gets furthest: variants of the early-exit study's settings, judged on validation images.

    python benchmarks/recipes.py --epochs 4 reference learning_rate=0.6 weight_decay=0.0005,batch_size=512

Every word is a variant: settings of the study, separated by commas, or "reference" for none. A variant trains the
plain network, or with `--exits` the one with exits, for so many epochs or minutes, and is judged on held-out training
images; the test images are never looked at.
Seconds are of processor time, since a shared machine's wall time says little. Prints a line per variant and writes
benchmarks/records/recipes.json.
"""

import argparse
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import torch

from shoal.data import ImageSplits
from shoal.engine import (
    as_batches,
    choose_progress,
    classification,
    describe_environment,
    evaluate,
    fit,
    precision_named,
)
from shoal.errors import unknown_name
from shoal.exits import exit_outputs, policy_path
from shoal.exits.frontier import frontier_rows
from shoal.files import write_json
from shoal.studies.exits_config import ExitsConfig, resolve
from shoal.studies.exits_data import read_data
from shoal.studies.exits_training import batch_options, create_backbone, fit_config, train_early

RECORD = Path(__file__).parent / "records" / "recipes.json"


def variant_of(config: ExitsConfig, words: str) -> ExitsConfig:
    """Change settings as in "learning_rate=0.6,width=48"."""
    types = {field.name: type(getattr(config, field.name)) for field in fields(config)}
    changes: dict[str, Any] = {}
    for word in filter(lambda word: word != "reference", words.split(",")):
        name, _, value = word.partition("=")
        if name not in types:
            raise unknown_name("setting", name, types)
        changes[name] = value == "True" if types[name] is bool else types[name](value)
    return replace(config, **changes)


def measure_exits(config: ExitsConfig, splits: ImageSplits, precision: str) -> dict[str, Any]:
    """Train the network with exits, ask every exit about the validation images, and choose policies on them."""
    began = time.process_time()
    net, _ = train_early(config, splits, precision, None, choose_progress())
    spent = time.process_time() - began
    found = exit_outputs(net, splits.validation.pair, prepare=splits.normalise, precision=precision_named(precision))
    path = frontier_rows(found, policy_path(found))
    return {
        "validation_accuracy_by_exit": [float(right.double().mean()) for right in found.right],
        "frontier": [[row.mean_macs / float(found.costs[-1]), row.accuracy] for row in path],
        "processor_seconds": round(spent),
        "images": len(splits.train),
    }


def measure(config: ExitsConfig, splits: ImageSplits, precision: str) -> dict[str, Any]:
    """Train the plain network and evaluate it on the validation images."""
    model = create_backbone(config, splits)
    batches = as_batches(splits.train.pair, seed=config.seed, **batch_options(config, splits))
    began = time.process_time()
    history = fit(model, batches, config=fit_config(config, precision), progress=choose_progress())
    spent = time.process_time() - began
    found = evaluate(
        model,
        splits.validation.pair,
        classification(),
        precision=precision_named(history.precision),
        device=torch.device("cpu"),
        prepare=splits.normalise,
    )
    return {
        "validation_accuracy": found["accuracy"],
        "validation_loss": found["loss"],
        "train_loss": history.rows[-1]["train_loss"],
        "processor_seconds": round(spent),
        "images": len(splits.train),
    }


def main() -> None:
    """Measure every variant that was named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", nargs="+")
    parser.add_argument("--data", default="cifar10")
    parser.add_argument("--budget", default="default", help="whose shares of the data to use")
    parser.add_argument("--epochs", type=float, default=4)
    parser.add_argument("--minutes", type=float, default=0, help="instead of epochs")
    parser.add_argument("--exits", action="store_true", help="train the network with exits")
    parser.add_argument("--precision", default="bf16+channels_last")
    arguments = parser.parse_args()
    time_given = {"minutes": arguments.minutes} if arguments.minutes else {"epochs": arguments.epochs}
    base = resolve(ExitsConfig(data=arguments.data, budget=arguments.budget, width=32, **time_given))
    splits, _ = read_data(base)
    rows = []
    for words in arguments.variants:
        rows.append({"variant": words, "exits": arguments.exits, **time_given})
        rows[-1] |= (measure_exits if arguments.exits else measure)(
            variant_of(base, words), splits, arguments.precision
        )
        print(rows[-1], flush=True)
    environment = describe_environment(seed=base.seed, device="cpu", why="benchmark")
    write_json(RECORD, {"environment": environment, "data": splits.name, "rows": rows})


if __name__ == "__main__":
    main()
