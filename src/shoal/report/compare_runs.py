"""The runs that a path holds: a run folder, a result.json, or a folder of run folders such as a demo's."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from shoal.errors import ShoalError, wrong
from shoal.report.compare import Run
from shoal.studies.result import Result

FILE = "result.json"


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """Read every result that the paths hold.

    Args:
        paths: run folders, result.json files, or folders of run folders.

    Returns:
        Runs in the order of the paths. What a path holds goes by the path's name, so that a demo is one run of many
        studies; where it holds a study twice, those go by the names of their own folders.

    Raises:
        InputError: if a result is named twice.
        ShoalError: if a path holds no result, or a damaged one.
    """
    seen: dict[Path, Path] = {}
    runs = []
    for path in paths:
        files = find_results(path)
        for file in files:
            if file.resolve() in seen:
                got = f"{file.parent} by {seen[file.resolve()]} and {path}"
                raise wrong("runs", expected="every run once", got=got)
            seen[file.resolve()] = path
        runs += _named(path, files)
    return runs


def find_results(path: Path) -> list[Path]:
    """The result.json files that a path names or holds.

    Raises:
        ShoalError: if there are none.
    """
    if not path.exists():
        raise ShoalError(f"{path}: expected a run folder or its {FILE}, got none there: no such result; {_FIX}")
    if not path.is_dir():
        return [path]
    own = path / FILE
    found = [own] if own.exists() else sorted(path.glob(f"*/{FILE}"))
    if not found:
        raise ShoalError(f"{path}: expected a run folder, or a folder of such, got no {FILE} in it or one level below: "
                         f"no such result; {_FIX}")  # fmt: skip
    return found


_FIX = "run a study first, for example: shoal study exits"


def _named(path: Path, files: Sequence[Path]) -> list[Run]:
    runs = [Run(name=str(path), result=Result.load(file)) for file in files]
    many = Counter(run.result.study for run in runs)
    return [
        replace(run, name=str(file.parent)) if many[run.result.study] > 1 else run
        for run, file in zip(runs, files, strict=True)
    ]
