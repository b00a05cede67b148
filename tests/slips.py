"""Slips that the shape checker of the tests would catch first: what a user without it is told.

One process for all slips of a file: starting one takes seconds.

    found = messages(SETUP, SLIPS)      # once, see functools.cache
    check(found[slip], SLIPS[slip])
"""

import json
import subprocess
import sys
from collections.abc import Iterable

LOOP = """
import json, sys
found = {}
for slip in json.loads(sys.stdin.read()):
    try:
        found[slip] = f"no error: {eval(slip)}"
    except Exception as error:
        found[slip] = f"{type(error).__name__}: {error}"
print(json.dumps(found))
"""


def messages(setup: str, slips: Iterable[str]) -> dict[str, str]:
    """What each expression ends with, in a process that has run `setup`: its error, or "no error: " and its value."""
    command, asked = [sys.executable, "-c", setup + LOOP], json.dumps(list(slips))
    found = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return json.loads(found.stdout)


def check(found: str, message: str) -> None:
    """An error of the house, in one line, that says this."""
    assert found.startswith("InputError: "), found
    assert message in found
    assert "\n" not in found


def imported(*modules: str) -> str:
    """An expression that lists those of these modules that the process has imported; ask it before the slips."""
    return f"[name for name in {modules!r} if name in sys.modules]"
