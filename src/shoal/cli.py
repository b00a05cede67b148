"""The commands, thin: they read settings, call a study or a room, and print.

Data go to stdout, progress and messages to stderr. Exit codes: 0, 1 (failed), 2 (wrong use), 130 (interrupted).
Settings: defaults < shoal.toml here or --config FILE < environment (SHOAL_…) < flags. Nothing heavy is imported
until a command runs.
"""

import dataclasses
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, Protocol, runtime_checkable

import cyclopts
from cyclopts import App, Parameter
from cyclopts.config import Toml

import shoal
from shoal.errors import ShoalError, wrong
from shoal.settings import Environment, Notebook, check_environment, config_files
from shoal.studies.attention_config import AttentionConfig, ErrorConfig
from shoal.studies.exits_config import ExitsConfig

if TYPE_CHECKING:
    from shoal.engine import Progress
    from shoal.studies.result import Result

app = App(name="shoal", help=shoal.__doc__, version=shoal.__version__)
study = App(name="study", help="Run one study and write its report.")
data = App(name="data", help="Find, fetch and verify data sets.")
attention = App(name="attention", help="Linear attention on your own queries, keys and values.")
app.command(study)
app.command(data)
app.command(attention)


@app.command
def demo(
    *,
    data: str = "",
    offline: bool = False,
    seed: int = 0,
    minutes: float = 0.0,
    run: Path = Path("runs/demo"),
    json: bool = False,
    notebook: Notebook | None = None,
) -> None:
    """Run every study small, on the best data at hand, and write one report.

    Args:
        data: a data set's name or a folder of class folders of images.
        offline: never fetch data.
        seed: of everything.
        minutes: training time of each network; the demo's own unless given.
        run: folder for the runs and the report.
        json: print the results as JSON.
        notebook: goes into the report.
    """
    from shoal.report import write_report

    config = ExitsConfig(data=data, budget="quick", offline=offline, seed=seed, minutes=minutes)
    with _progress() as progress:
        images = _exits_study(config, notebook, progress)  # first: it may find no data
        studies = (_attention_study(AttentionConfig(budget="quick", seed=seed), notebook, progress), images)
        results = [ready.run(run / ready.run_name, progress) for ready in studies]
    report = run / "report.html"
    write_report(results, report)
    _print_results(results, report, json=json)


@study.command(name="attention")
def attention_study(
    config: Annotated[AttentionConfig, Parameter(name="*")] = AttentionConfig(),  # noqa: B008 - frozen
    *,
    run: Path | None = None,
    json: bool = False,
    notebook: Notebook | None = None,
) -> None:
    """Linear attention: its error by map and number of features, its costs, and whether it knows its error.

    Args:
        config: the study's settings.
        run: run folder; runs/NAME unless given. A run that was stopped goes on.
        json: print the result as JSON.
        notebook: goes into the report.
    """
    with _progress() as progress:
        _run_study(_attention_study(config, notebook, progress), progress, run, json=json)


@study.command
def exits(
    config: Annotated[ExitsConfig, Parameter(name="*")] = ExitsConfig(),  # noqa: B008 - frozen
    *,
    run: Path | None = None,
    json: bool = False,
    notebook: Notebook | None = None,
) -> None:
    """Networks that stop early: accuracy, MACs and time of a plain network and of one with exits.

    Args:
        config: the study's settings.
        run: run folder; runs/NAME unless given. A run that was stopped goes on.
        json: print the result as JSON.
        notebook: goes into the report.
    """
    with _progress() as progress:
        _run_study(_exits_study(config, notebook, progress), progress, run, json=json)


@attention.command
def error(
    file: Path,
    /,
    config: Annotated[ErrorConfig, Parameter(name="*")] = ErrorConfig(),  # noqa: B008 - frozen
    *,
    json: bool = False,
) -> None:
    """Find out which feature map reaches an error on your own q, k and v, or that exact attention is needed.

    Args:
        file: a safetensors file with tensors q, k and v: [batch, heads, seq, dim], [heads, seq, dim] or [seq, dim].
        config: what is asked.
        json: print as JSON.
    """
    from shoal.studies.attention_file import judge

    with _progress() as progress:
        found = judge(file, config, lambda candidate: progress.say(f"trying {candidate}"))
    if json:
        _print_json(dataclasses.asdict(found))
    else:
        print("\n".join(found.lines()))


@app.command
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


@data.command(name="list")
def list_data(*, json: bool = False) -> None:
    """Show the named data sets, where they were found, and how to get them.

    Args:
        json: print as JSON.
    """
    from shoal.data import describe_all

    rows = describe_all()
    if json:
        _print_json([dataclasses.asdict(row) for row in rows])
        return
    for row in rows:
        print(f"{row.name:14} {'found' if row.found else 'missing':8} {row.content}")
        print(f"{'':14} {row.where if row.found else row.fetch}")
        print(f"{'':14} {row.terms}")


@data.command
def fetch(name: str, /) -> None:
    """Fetch a data set from its authors' address into the cache.

    Args:
        name: see `shoal data list`.
    """
    from shoal.data import fetch as fetch_data

    with _progress() as progress:
        folder = fetch_data(name, progress=_Fetching(progress))
    print(folder)


@data.command
def verify(name: str, /, *, json: bool = False) -> None:
    """Compare a data set's files with their published checksums.

    Args:
        name: a name of `shoal data list`, or a path.
        json: print as JSON.
    """
    from shoal.data import verify as verify_data

    checks = verify_data(name)
    if json:
        _print_json([dataclasses.asdict(check) for check in checks])
    else:
        for check in checks:
            print(f"{'ok ' if check.ok else 'BAD'}  {check.file}" + ("" if check.ok else f"  {check.got}"))
    bad = [check for check in checks if not check.ok]
    if bad:
        raise ShoalError(f"{name}: {len(bad)} of {len(checks)} files are not as published; delete and fetch them again")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and leave with its exit code.

    Args:
        arguments: the words after the program's name; those of the process unless given.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _as_interrupt)  # a training saves first: `shoal.engine.interrupt`
    try:
        words, files = config_files(words)
        # `config_files` has refused keys that no command knows; a command passes over those of another
        toml = (Toml(f, must_exist=True, use_commands_as_keys=False, allow_unknown=True) for f in files)
        app.config = [Environment("SHOAL_", command=False), *toml]
        check_environment()
        app(words, exit_on_error=False, print_error=False, result_action="return_value")
        _exit(0)
    except ShoalError as error:
        _exit(error.exit_code, str(error))
    except cyclopts.CycloptsError as error:
        _exit(2, _one_line(str(error)) + " (see --help)")
    except KeyboardInterrupt:
        _exit(130, "interrupted")
    except BrokenPipeError:  # the reader of stdout left, for example `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _exit(1)
    except OSError as error:
        _exit(1, f"{error.filename or 'the system'}: {error.strerror or error}")


def _as_interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _exit(code: int, message: str = "") -> NoReturn:
    if message:
        print(f"shoal: {message}", file=sys.stderr)
    sys.exit(code)


@runtime_checkable
class _Study(Protocol):
    """A study that is ready to run."""

    run_name: str
    says: tuple[str, ...]

    def run(self, folder: str | Path | None = None, progress: "Progress | None" = None) -> "Result": ...


def _exits_study(config: ExitsConfig, notebook: Notebook | None, progress: "Progress") -> _Study:
    from shoal.studies.exits import ExitsStudy

    return _announced(ExitsStudy(config, _notes(notebook), fetching=_Fetching(progress)), progress)


def _attention_study(config: AttentionConfig, notebook: Notebook | None, progress: "Progress") -> _Study:
    from shoal.studies.attention import AttentionStudy

    return _announced(AttentionStudy(config, _notes(notebook)), progress)


def _announced(ready: _Study, progress: "Progress") -> _Study:
    for sentence in ready.says:
        progress.say(f"data: {sentence}")
    return ready


def _run_study(ready: _Study, progress: "Progress", folder: Path | None, *, json: bool) -> None:
    """Run a study in the folder that was asked for, or in one of its own; write its report and print."""
    from shoal.report import write_report

    folder = folder or Path("runs") / ready.run_name
    result = ready.run(folder, progress)
    write_report([result], folder / "report.html")
    progress.close()
    _print_results([result], folder / "report.html", json=json)


@contextmanager
def _progress() -> "Iterator[Progress]":
    """What a command reports to; the terminal is left as it was, whatever happens."""
    from shoal.engine import choose_progress

    progress = choose_progress()
    try:
        yield progress
    finally:
        progress.close()


class _Fetching:
    """Shows how a fetch goes, from its first bytes on."""

    def __init__(self, progress: "Progress"):
        self.progress, self.file = progress, ""

    def __call__(self, file: str, done: int, total: int) -> None:
        if file != self.file:
            self.file = file
            self.progress.start(f"fetching {file}")
        self.progress.update(done / total if total else 0.0, f"{done / 1e6:.1f} MB")


def _notes(notebook: Notebook | None) -> dict[str, str]:
    return {key: value for key, value in dataclasses.asdict(notebook or Notebook()).items() if value}


def _print_results(results: "list[Result]", report: Path, *, json: bool) -> None:
    if json:
        _print_json([dataclasses.asdict(result) | {"claims": _claims(result)} for result in results])
    else:
        for result in results:
            for sentence in result.summary:
                print(sentence)
            for claim in result.claims:
                print(f"  {claim.verdict:12}  {claim.sentence}")
    print(f"report: {report}", file=sys.stderr if json else sys.stdout)


def _claims(result: "Result") -> list[dict[str, Any]]:
    return [dataclasses.asdict(claim) | {"verdict": claim.verdict} for claim in result.claims]


def _print_json(value: object) -> None:
    import json

    print(json.dumps(value, indent=2, default=str))


def _one_line(text: str) -> str:
    return " ".join(text.split())
