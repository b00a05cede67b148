"""Which pages there are, and which of their blocks run."""

import re
from pathlib import Path

from benchmarks.pages import Block, blocks_of

ROOT = Path(__file__).parents[2]
OTHERS = ("docs/notebooks/", "docs/exercises/")  # tested where they are made
PAGES = [
    page
    for page in (
        "README.md",
        "CONTRIBUTING.md",
        *sorted(str(p.relative_to(ROOT)) for p in (ROOT / "docs").rglob("*.md")),
    )
    if not page.startswith(OTHERS)
]
BLOCKS: list[Block] = [block for page in PAGES for block in blocks_of(page)]


def pages_with(*languages: str, marks: tuple[str, ...] = ("", "slow")) -> list[str]:
    """Pages with a block of one of these languages that runs."""
    return list(dict.fromkeys(b.page for b in BLOCKS if b.language in languages and b.mark in marks))


def commands_of(code: str) -> list[str]:
    """The lines of a block of commands, continued ones joined, comments and what is piped in left out."""
    lines = re.sub(r"\\\n\s*", " ", code).splitlines()
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def quicker(code: str) -> str:
    """Commands that train for one epoch, on the few images that the tests make."""
    code = re.sub(r"--(minutes|epochs) \S+", "--epochs 1", code)
    code = re.sub(r"--max-accuracy-drop \S+", "--max-accuracy-drop 0.1", code)  # fewer images prove less
    code = code.replace("--far 0.01", "--far 0.2").replace("--far 0.1", "--far 0.2")
    return "\n".join(
        TRAINING.sub(r"\1 --epochs 1", line) if "--epochs" not in line else line for line in code.split("\n")
    )


TRAINING = re.compile(r"(shoal (?:exits fit|difficulty (?:score|label-errors)|study exits --budget quick|study exits))")
