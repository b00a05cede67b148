"""Which training recipe gets furthest: variants of the early-exit study's settings, judged on validation images.

    python benchmarks/recipes.py --epochs 4 reference learning_rate=0.6 weight_decay=0.0005,batch_size=512

Every word is a variant: settings of the study, separated by commas, or "reference" for none. A variant trains the
plain network for so many epochs and is judged on held-out training images; the test images are never looked at.
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
from shoal.files import write_json
from shoal.studies.exits import read_data
from shoal.studies.exits_config import ExitsConfig, resolve
from shoal.studies.exits_training import batch_options, create_backbone, fit_config

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


def measure(config: ExitsConfig, splits: ImageSplits, epochs: float, precision: str) -> dict[str, Any]:
    """Train the plain network and evaluate it on the validation images."""
    model = create_backbone(config, splits)
    batches = as_batches(splits.train.pair, seed=config.seed, **batch_options(config, splits))
    began = time.process_time()
    settings = replace(fit_config(config, precision), minutes=0.0, epochs=epochs)
    history = fit(model, batches, config=settings, progress=choose_progress())
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
    parser.add_argument("--epochs", type=float, default=4)
    parser.add_argument("--precision", default="bf16+channels_last")
    arguments = parser.parse_args()
    base = resolve(ExitsConfig(data=arguments.data, budget="default", width=32))
    splits, _ = read_data(base)
    rows = []
    for words in arguments.variants:
        rows.append({"variant": words, "epochs": arguments.epochs})
        rows[-1] |= measure(variant_of(base, words), splits, arguments.epochs, arguments.precision)
        print(rows[-1], flush=True)
    environment = describe_environment(seed=base.seed, device="cpu", why="benchmark")
    write_json(RECORD, {"environment": environment, "data": splits.name, "rows": rows})


if __name__ == "__main__":
    main()
