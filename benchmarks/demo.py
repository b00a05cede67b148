"""What `shoal demo` takes from its start to its report: all six studies, with data and without.

    python -m benchmarks.demo [with|without]       # both unless one is named; a quarter of an hour each

A process of its own each time, timed as a whole; the time of each study is the one that its result carries, and what
came out is counted: a demo that is fast because its networks learned nothing would show there. "with" are the data sets
that SHOAL_DATA names, "without" what package installation and the machine bring. Parts go into
benchmarks/records/demo.json, each with its environment.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.parts import run_parts, say
from shoal.studies.result import Result

RECORD = Path(__file__).parent / "records" / "demo.json"
VERDICTS = ("supported", "contradicted", "inconclusive")


def with_data(_: Namespace) -> dict[str, Any]:
    """Of the data sets that SHOAL_DATA names."""
    if "SHOAL_DATA" not in os.environ:
        raise SystemExit("SHOAL_DATA: expected a folder of data sets, got nothing; `shoal data fetch` makes one")
    return measure({**os.environ})


def without_data(_: Namespace) -> dict[str, Any]:
    """Of what is there anyway."""
    return measure({name: value for name, value in os.environ.items() if name != "SHOAL_DATA"}, "--offline")


def measure(environment: dict[str, str], *flags: str) -> dict[str, Any]:
    """Run a demo in an empty folder; how long it took, and what came out of each study."""
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", "shoal", "demo", "--run", place, *flags]
        start = time.perf_counter()
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        results = [Result.load(path) for path in sorted(Path(place).glob("*/result.json"))]
        size = (Path(place) / "report.html").stat().st_size
    studies = {result.study: told(result) for result in results}
    say(f"{seconds / 60:.1f} minutes")
    for name, study in studies.items():
        say(f"  {name}: {study}")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
    return {"minutes": seconds / 60, "peak_mb": peak, "report_bytes": size, "studies": studies}


def told(result: Result) -> dict[str, Any]:
    """What a study worked on, how long it took, and how many claims came out how."""
    verdicts = Counter(claim.verdict for claim in result.claims)
    counted = {verdict: verdicts.get(verdict, 0) for verdict in VERDICTS}
    return {"data": result.data["name"], "seconds": sum(result.seconds.values()), **counted}


if __name__ == "__main__":
    run_parts(__doc__, {"with": with_data, "without": without_data}, RECORD)
