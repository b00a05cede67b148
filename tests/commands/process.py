"""Commands in a process of their own, as a user starts them."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from shoal.data.specs import FASHION_MNIST

Told = tuple[int, str, str]  # exit code, stdout, stderr

_IN_TURN = """
import contextlib, io, json, sys
import shoal.cli
found = []
for words in json.loads(sys.stdin.read()):
    out, err, code = io.StringIO(), io.StringIO(), None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            shoal.cli.main(words)
        except SystemExit as end:
            code = end.code
    found.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(found))
"""


def at_hand() -> str:
    """What a machine has without being told: Debian's package of Fashion-MNIST, or else the digits."""
    folder = FASHION_MNIST.debian_folder
    return "Debian's package" if folder is not None and folder.is_dir() else "scikit-learn's digits"


def shoal(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return run(words, cwd, environment)


def on_a_full_disk(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command where no file can hold more than 20 kB."""
    return run(words, cwd, {}, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)))


def in_turn(commands: Sequence[Sequence[str]], cwd: Path, **environment: str) -> list[Told]:
    """Run commands one after the other in one process, since starting one takes seconds."""
    options: dict[str, Any] = {"cwd": cwd, "env": clean(environment), "capture_output": True, "text": True}
    command = [sys.executable, "-c", _IN_TURN]
    found = subprocess.run(command, input=json.dumps([list(words) for words in commands]), check=True, **options)
    return [(code, out, err) for code, out, err in json.loads(found.stdout)]


def clean(environment: dict[str, str]) -> dict[str, str]:
    """The environment of these tests without settings of Shoal's, and what is asked for."""
    rest = {name: value for name, value in os.environ.items() if not name.startswith("SHOAL_")}
    return rest | {"OMP_NUM_THREADS": "1"} | environment


def run(
    words: Sequence[str], cwd: Path, environment: dict[str, str], prepare: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    env = clean({"XDG_CACHE_HOME": str(cwd / "cache"), **environment})
    command = [sys.executable, "-m", "shoal", *words]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, preexec_fn=prepare)
