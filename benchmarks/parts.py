"""What benchmarks share: lines that say how far it is, and a command line that measures parts and keeps the others."""

import argparse
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from shoal.engine import describe_environment
from shoal.files import write_json

Parts = Mapping[str, Callable[[argparse.Namespace], dict[str, Any]]]  # what measures each part; told the options


def say(text: str) -> None:
    """Progress."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


def run_parts(doc: str | None, parts: Parts, record: Path, **options: float | str) -> None:
    """Measure the parts that the command line asks for and add them to the record, with machine and versions.

    Args:
        doc: of the benchmark.
        parts: what measures each; told the options.
        record: the file; parts that are not measured stay as they are.
        options: flags, with what they are unless given.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", default="all", choices=("all", *parts))
    for name, usual in options.items():
        parser.add_argument(f"--{name}", type=type(usual), default=usual)
    args = parser.parse_args()
    for name in parts if args.part == "all" else (args.part,):
        found = parts[name](args)
        environment = describe_environment(seed=0, device="cpu", why="benchmark")
        kept = json.loads(record.read_text()) if record.exists() else {}  # another process may have added parts
        write_json(record, kept | {name: found | {"environment": environment}})
