"""The code in pages of documentation: found, run in order, and what it prints put below it.

    python -m benchmarks.pages docs/tutorial.md    # run a page's blocks, keep what they print, write it into the page

A block is a fence that names a language: `python` and `sh` run, everything else is shown. A comment before it marks
one that is not run with the page (`<!-- not run: reason -->`) or takes long (`<!-- slow: reason -->`). What stands
between `<!-- output: NAME -->` and `<!-- end -->` is what the block before it printed, from records/pages.json.
"""

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.parts import say
from benchmarks.places import make_places

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "benchmarks" / "records" / "pages.json"
FENCE = re.compile(
    r"(?:^<!-- (?P<mark>not run|slow): (?P<why>[^\n]*?) -->\n)?"
    r"^(?P<fence>`{3,}|~{3,})(?P<language>[\w{}-]*)[^\n]*\n(?P<code>.*?)^(?P=fence)\s*$"
    r"(?:\n+<!-- output: (?P<output>[\w-]+) -->)?",
    re.MULTILINE | re.DOTALL,
)
RUNS = ("python", "sh")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page: path of the page, relative to the repository.
        line: of its fence, from 1.
        language: the fence's first word.
        code: what stands in it.
        mark: "" (runs with the page), "slow", or "not run".
        why: the reason of the mark.
        output: name of what it printed, where the page shows it.
    """

    page: str
    line: int
    language: str
    code: str
    mark: str = ""
    why: str = ""
    output: str = ""

    @property
    def place(self) -> str:
        """Where it is, as editors open it."""
        return f"{self.page}:{self.line}"


def blocks_of(page: str, text: str | None = None) -> list[Block]:
    """The fenced blocks of a page, in order.

    Args:
        page: path relative to the repository.
        text: of the page; read unless given.
    """
    text = (ROOT / page).read_text() if text is None else text
    found = []
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start("fence")) + 1
        parts = {name: match[name] or "" for name in ("language", "code", "mark", "why", "output")}
        found.append(Block(page=page, line=line, **parts))
    return found


def run_python(block: Block, code: str, names: dict[str, Any]) -> str:
    """Run code in a namespace and return what it printed; errors point to the line of the page."""
    printed = io.StringIO()
    program = compile("\n" * block.line + code, block.page, "exec")
    with contextlib.redirect_stdout(printed):
        exec(program, names)
    return printed.getvalue()


def run_shell(block: Block, code: str, folder: Path, environment: dict[str, str]) -> str:
    """Run commands in a folder and return what they printed; the first that fails ends it."""
    command = ["bash", "-euo", "pipefail", "-c", code]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{block.place}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def command_environment(folder: Path) -> dict[str, str]:
    """An environment in which `shoal` and `python` are this interpreter's, and no setting comes from outside."""
    for place in (folder / ".bin", folder / ".venv" / "bin"):
        place.mkdir(parents=True, exist_ok=True)
        for name, words in (("shoal", " -m shoal"), ("python", "")):
            program = place / name
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}"{words} "$@"\n')
            program.chmod(0o755)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SHOAL_")}
    paths = {"PATH": f"{folder / '.bin'}:{clean.get('PATH', '')}", "XDG_CACHE_HOME": str(folder / ".cache")}
    return clean | paths | {"OMP_NUM_THREADS": "1", "NO_COLOR": "1"}


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[Path]:
    """Work in a folder for a time."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)


def run_page(
    page: str,
    folder: Path,
    prepare: Callable[[str], str] = str,
    *,
    languages: Sequence[str] = RUNS,
    slow: bool = False,
    names: dict[str, Any] | None = None,
) -> dict[str, str]:
    """Run all blocks of a page that are not marked otherwise, in order, in one namespace and one folder.

    Args:
        page: path relative to the repository.
        folder: to work in; what the blocks take from the reader (path/to/folder and the like) is made there.
        prepare: changes code before it runs, to make it smaller.
        languages: what runs.
        slow: whether blocks that are marked slow run, too.
        names: what the blocks take from the reader as Python names.

    Returns:
        What the blocks printed whose output the page shows, by name.
    """
    names = {"__name__": "__page__"} | (names or {})
    environment, outputs = command_environment(folder), {}
    for block in blocks_of(page):
        if block.language not in languages or block.mark == "not run" or (block.mark == "slow" and not slow):
            continue
        make_places(block.code, folder)
        with inside(folder):
            if block.language == "python":
                printed = run_python(block, prepare(block.code), names)
            else:
                printed = run_shell(block, prepare(block.code), folder, environment)
        if block.output:
            outputs[block.output] = printed
    return outputs


def with_outputs(text: str, outputs: dict[str, str]) -> str:
    """A page with what its blocks printed."""

    def fill(match: re.Match[str]) -> str:
        if match[2] not in outputs:
            return match[0]
        return f"{match[1]}```text\n{outputs[match[2]].rstrip()}\n```\n{match[3]}"

    return re.sub(r"(<!-- output: ([\w-]+) -->\n).*?(<!-- end -->)", fill, text, flags=re.DOTALL)


def main() -> None:
    """Run the pages that are named, keep what they print, and write it into them."""
    import json

    from shoal.engine import describe_environment
    from shoal.files import write_json

    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    for page in sys.argv[1:]:
        say(page)
        with tempfile.TemporaryDirectory() as folder:
            outputs = run_page(page, Path(folder))
        environment = describe_environment(seed=0, device="cpu", why="documentation")
        kept = json.loads(RECORD.read_text()) if RECORD.exists() else {}
        write_json(RECORD, kept | {page: {"outputs": outputs, "environment": environment}})
        (ROOT / page).write_text(with_outputs((ROOT / page).read_text(), outputs))


if __name__ == "__main__":
    main()
