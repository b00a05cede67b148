"""`shoal report`: one page from several runs; where they hold the same study, side by side."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shoal.commands.output import show, with_verdicts
from shoal.errors import wrong

if TYPE_CHECKING:
    from shoal.report.compare import Run


def report(runs: Sequence[Path], /, *, output: Path = Path("report.html"), json: bool = False) -> None:
    """Write one report from the results of several runs; runs of the same study are compared side by side.

    Args:
        runs: run folders, result.json files, or folders of run folders, such as that of a demo.
        output: the page to write.
        json: print the comparison, or else the results, as JSON.
    """
    from shoal.report.compare_runs import read_runs

    if not runs:
        raise wrong("runs", expected="at least one run folder", got="none", fix="for example: shoal report runs/*")
    found = read_runs(runs)
    data = _write(found, output)
    show(data, [str(output)], json=json)
    if json:
        print(output, file=sys.stderr)


def _write(runs: "Sequence[Run]", output: Path) -> Any:
    """Write the page; returns what it shows as plain data."""
    from shoal.report import write_report
    from shoal.report.compare import as_data
    from shoal.report.compare_page import write_comparison

    if len({run.result.study for run in runs}) < len(runs):
        return as_data(write_comparison(runs, output))
    results = [run.result for run in runs]
    write_report(results, output)
    return [with_verdicts(result) for result in results]
