"""`shoal demo`: every study, small, one after the other, and one report.

Each study is made ready before the first one runs, so that what is missing is known at once. One that fails is told of
and left out; an interrupt stops all, and the same command goes on: what had ended is read, what had not is continued.
"""

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shoal.commands.studies import KNOWN, has_own_page, prepare_study, report
from shoal.errors import ShoalError
from shoal.files import write_text
from shoal.settings import Notebook
from shoal.studies.attention_config import AttentionConfig
from shoal.studies.circuits_config import CircuitsConfig
from shoal.studies.difficulty_config import DifficultyConfig
from shoal.studies.exits_config import ExitsConfig
from shoal.studies.faces_config import FacesStudyConfig
from shoal.studies.failure import Failure
from shoal.studies.summarize_config import SummarizeConfig

if TYPE_CHECKING:
    from shoal.commands.overview import Overview
    from shoal.engine import Progress
    from shoal.studies.result import Result
    from shoal.studies.study import Study

ERROR_FILE = "error.txt"  # in a study's run folder: the traceback of what nobody expected


def demo(
    *,
    data: str = "",
    people: str = "",
    texts: str = "",
    offline: bool = False,
    seed: int = 0,
    minutes: float = 0.0,
    run: Path = Path("runs/demo"),
    json: bool = False,
    notebook: Notebook = Notebook(),  # noqa: B008 - frozen
) -> None:
    """Run every study small, on the best data at hand, and write one report.

    Args:
        data: a data set's name or a folder of class folders of images, for exits and difficulty.
        people: "lfw", "olivetti" or a folder with one folder of photos for each person, for faces.
        texts: the name of a set of texts, a folder or a file, for summarize.
        offline: never fetch data.
        seed: of everything.
        minutes: training time of each network; the demo's own unless given.
        run: folder for the runs and the report.
        json: print the results as JSON.
        notebook: goes into the report.
    """
    from shoal.commands.overview import showing_overview

    usual: dict[str, Any] = {"budget": "quick", "seed": seed}
    found = usual | {"offline": offline, "minutes": minutes, "compare_minutes": minutes}
    images = usual | {"offline": offline, "minutes": minutes, "data": data}
    configs = {
        "attention": AttentionConfig(**usual),
        "circuits": CircuitsConfig(**usual),
        "summarize": SummarizeConfig(**found, data=texts, overfit_minutes=minutes),
        "difficulty": DifficultyConfig(**images),
        "exits": ExitsConfig(**images),
        "faces": FacesStudyConfig(**found, data=people, harmonic_minutes=minutes),
    }
    tasks = [_task(name, configs[name], notebook) for name in KNOWN]
    with showing_overview([task.name for task in tasks]) as overview:
        run_all(tasks, run, overview)
    tell(tasks, run, json=json)


@dataclass
class Task:
    """One study of a demo, and what has become of it.

    Attributes:
        name: of the study.
        command: that runs it alone.
        prepare: reads its data and makes it ready to run.
        planned: seconds of training that its settings ask for; None where they name no time.
        study: once it is ready.
        result: once it has ended.
        failure: once it has failed.
    """

    name: str
    command: str
    prepare: "Callable[[Progress], Study]"
    planned: float | None = None
    study: "Study | None" = None
    result: "Result | None" = None
    failure: Failure | None = None


def run_all(tasks: Sequence[Task], folder: Path, overview: "Overview") -> None:
    """Make all studies ready, then run those that have not ended before; each fails by itself.

    Args:
        tasks: are filled in.
        folder: holds a run folder for each study.
        overview: of the same names.

    Raises:
        Interrupted: if the reader stopped a training, after it was saved.
        KeyboardInterrupt: if the reader stopped anything else.
    """
    for task in tasks:
        overview.plan(task.name, task.planned)
    for task in tasks:
        with _alone(task, folder, overview):
            _prepare(task, folder, overview)
    for task in tasks:
        if task.study is None or task.result or task.failure:
            continue
        with _alone(task, folder, overview):
            overview.running(task.name)
            place = folder / task.study.run_name
            task.result = task.study.run(place, overview.progress_of(task.name))
            (place / ERROR_FILE).unlink(missing_ok=True)  # of an attempt before
            overview.finished(task.name, task.result)


def _prepare(task: Task, folder: Path, overview: "Overview") -> None:
    """Read a study's data, and what it found if it has ended before."""
    overview.preparing(task.name)
    task.study = task.prepare(overview.progress_of(task.name))
    place = folder / task.study.run_name
    task.result = task.study.finished(place) if has_own_page(task.name, folder) else None
    if task.result is None:
        overview.ready(task.name, before=task.study.spent_before(place))
    else:
        overview.finished(task.name, task.result, read=True, where=str(place))


@contextmanager
def _alone(task: Task, folder: Path, overview: "Overview") -> Iterator[None]:
    """A failure of this study is noted; only the reader stops all."""
    from shoal.engine import Interrupted

    try:
        yield
    except (Interrupted, BrokenPipeError):
        raise
    except Exception as error:
        place = folder / task.study.run_name if task.study else None
        again = f"{task.command} --run {place}" if place else task.command
        task.failure = Failure(study=task.name, error=_in_a_line(error, task.name, place, folder), command=again)
        overview.failed(task.name, task.failure.error)


def _in_a_line(error: Exception, name: str, place: Path | None, folder: Path) -> str:
    """What went wrong; what was not expected is told by its type, and its traceback is kept."""
    said = " ".join(str(error).split())
    if isinstance(error, ShoalError):
        return said
    own = place if place and (place / "config.toml").exists() else None
    file = own / ERROR_FILE if own else folder / f"{name}-{ERROR_FILE}"
    where = ""
    with suppress(ShoalError):  # a full disk must not hide what went wrong
        write_text(file, "".join(traceback.format_exception(error)))
        where = f" (traceback: {file})"
    return f"{type(error).__name__}: {said or 'no message'}{where}"


def _task(name: str, config: Any, notebook: Notebook) -> Task:
    from shoal.studies.planned import planned_seconds
    from shoal.studies.repeating import repeating_command

    command = repeating_command(name, config, type(config)(budget=config.budget))
    return Task(name, command, partial(prepare_study, name, config, notebook), planned_seconds(config))


def tell(tasks: Sequence[Task], folder: Path, *, json: bool) -> None:
    """Write the report and print what was found.

    Raises:
        ShoalError: if a study failed, after everything was written.
    """
    failures = [task.failure for task in tasks if task.failure]
    results = [task.result for task in tasks if task.result]
    studies = [task.study for task in tasks if task.study and task.result]
    report(studies, results, folder, failures=failures, json=json)
    if failures:
        names = ", ".join(failure.study for failure in failures)
        again = "the same command goes on with them"
        raise ShoalError(f"{len(failures)} of {len(tasks)} studies failed: {names}; the report says why; {again}")
