"""How well people are told apart after so many minutes of training from nothing, on View 1 of LFW.

    python -m benchmarks.faces_lfw [10|60|all]

What `shoal faces train lfw --minutes N` does, nothing else set: trained on View 1's training people, a few of whom are
set apart to watch it with; the 1,000 test pairs are looked at once, at the end. The record has numbers, and nobody's
name or photo. Writes benchmarks/records/faces-lfw-train.json.
"""

import argparse
import tempfile
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch

from benchmarks.parts import Parts, run_parts, say
from shoal.studies.faces_asked import FaceTraining
from shoal.studies.faces_asked_config import FaceTrainingConfig

RECORD = Path(__file__).parent / "records" / "faces-lfw-train.json"


def measure(minutes: float, _: argparse.Namespace) -> dict[str, Any]:
    """Train and verify."""
    asked = FaceTraining("lfw", FaceTrainingConfig(minutes=minutes))
    with tempfile.TemporaryDirectory() as folder:
        found = asdict(asked.run(Path(folder) / "faces.safetensors"))
    say(f"{minutes:g} minutes: {found['verification']}")
    kept = (
        "network",
        "parameters",
        "images",
        "people",
        "minutes",
        "steps",
        "epochs",
        "losses",
        "pairs",
        "verification",
    )
    image = "×".join(map(str, asked.network.image_size))
    return {
        "asked_minutes": minutes,
        "image": image,
        **{name: found[name] for name in kept},
        "threads": torch.get_num_threads(),
    }


PARTS: Parts = {f"{minutes:g}": partial(measure, minutes) for minutes in (10.0, 60.0)}


if __name__ == "__main__":
    run_parts(__doc__, PARTS, RECORD)
