"""What an import costs: `import shoal`, `shoal --help`, and each system, a fresh process each time.

    python -m benchmarks.imports           # [REPEATS]

Seconds from the start of Python to its end, by the clock and of the processor (which other work on the machine disturbs
less), medians over runs that are taken in turn, less nothing: an empty Python is among the rows. Beside them what each
brought along of the packages that weigh. Writes benchmarks/records/imports.json.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from shoal.engine import describe_environment
from shoal.files import write_json

RECORD = Path(__file__).parent / "records" / "imports.json"
REPEATS = 7
WEIGH = ("torch", "numpy", "scipy", "sklearn", "altair", "PIL", "tokenizers", "numba", "jinja2", "fastapi", "rich")
SYSTEMS = ("attention", "circuits", "summarize", "difficulty", "exits", "faces", "gallery")
LISTING = (
    "import atexit, json, sys\n"
    "atexit.register(lambda: print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})), file=sys.stderr))\n"
)


def cases() -> dict[str, str]:
    """Name and code of every case."""
    found = {"python": "", "import torch": "import torch", "import shoal": "import shoal"}
    found["shoal --help"] = "from shoal.cli import main\nmain(['--help'])"
    return found | {f"import shoal.{name}": f"import shoal.{name}" for name in SYSTEMS}


def run(code: str) -> tuple[float, float, list[str]]:
    """Seconds by the clock and of the processor, and the packages that were imported."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", LISTING + code]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, spent, json.loads(ran.stderr.splitlines()[-1])


def measure(repeats: int = REPEATS) -> list[dict[str, Any]]:
    """A row a case; the first round only warms the file cache."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in cases()}
    brought: dict[str, list[str]] = {}
    for _ in range(repeats + 1):
        for name, code in cases().items():
            *spent, modules = run(code)
            times[name].append((spent[0], spent[1]))
            brought[name] = [package for package in WEIGH if package in modules]
    return [
        {
            "case": name,
            "seconds": _spread([clock for clock, _ in some[1:]]),
            "processor_seconds": _spread([spent for _, spent in some[1:]]),
            "brings": brought[name],
        }
        for name, some in times.items()
    ]


def _spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "least": min(values), "most": max(values)}


def main() -> None:
    """Measure and keep the record."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else REPEATS
    rows = measure(repeats)
    for row in rows:
        clock, spent = row["seconds"]["median"], row["processor_seconds"]["median"]
        print(f"{row['case']:24} {clock:.2f} s, {spent:.2f} of the processor  {', '.join(row['brings'])}")
    environment = describe_environment(seed=0, device="cpu", why="benchmark")
    write_json(RECORD, {"environment": environment, "load": os.getloadavg()[0], "repeats": repeats, "rows": rows})


if __name__ == "__main__":
    main()
