"""`shoal report`: one page from several runs; where they hold the same study, side by side; or the answer sheet."""

import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shoal.commands.output import show, with_verdicts
from shoal.errors import wrong
from shoal.settings import Notebook

if TYPE_CHECKING:
    from shoal.report.compare import Run


def report(
    runs: Sequence[Path],
    /,
    *,
    output: Path | None = None,
    answers: bool = False,
    json: bool = False,
    notebook: Notebook = Notebook(),  # noqa: B008 - frozen
) -> None:
    """Write one report from the results of several runs; runs of the same study are compared side by side.

    Args:
        runs: run folders, result.json files, or folders of run folders, such as that of a demo.
        output: the page to write; report.html, or answers.html, unless given. Answers in a file whose name ends in .md
            are Markdown.
        answers: write the answer sheet instead: questions about all studies, answered from these runs.
        json: print the comparison, the answers' verdicts, or else the results, as JSON.
        notebook: goes into the page, before what the runs have of it.
    """
    from shoal.report.compare_runs import read_runs

    if not runs:
        raise wrong("runs", expected="at least one run folder", got="none", fix="for example: shoal report runs/*")
    found = [_noted(run, notebook) for run in read_runs(runs)]
    output = output or Path("answers.html" if answers else "report.html")
    data = _write_answers(found, output) if answers else _write(found, output)
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


def _noted(run: "Run", notebook: Notebook) -> "Run":
    """A run with its story, whose notes are those of now where there are such."""
    from shoal.studies.older import with_story

    now = {name: text for name, text in asdict(notebook).items() if text}
    return replace(run, result=replace(with_story(run.result), notes={**run.result.notes, **now}))


def _write_answers(runs: "Sequence[Run]", output: Path) -> Any:
    """Write the answer sheet; returns which claims each answer rests on, with their verdicts, as plain data."""
    from shoal.report.answers import verdicts_of, write_answers

    results = [run.result for run in runs]
    write_answers(results, output)
    return verdicts_of(results)
