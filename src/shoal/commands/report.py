"""`shoal report`: one page from several runs."""

from collections.abc import Sequence
from pathlib import Path

from shoal.errors import wrong


def report(runs: Sequence[Path], /, *, output: Path = Path("report.html")) -> None:
    """Write one report from the results of several runs.

    Args:
        runs: run folders, or result.json files.
        output: the page to write.
    """
    from shoal.report import write_report
    from shoal.studies.result import Result

    if not runs:
        raise wrong("runs", expected="at least one run folder", got="none", fix="for example: shoal report runs/*")
    results = [Result.load(path / "result.json" if path.is_dir() else path) for path in runs]
    write_report(results, output)
    print(output)
