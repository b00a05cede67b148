"""`shoal study` runs one study, `shoal demo` all of them small; each run ends with a report."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from shoal.commands.output import Fetching, show_results, showing_progress
from shoal.settings import Notebook
from shoal.studies.attention_config import AttentionConfig
from shoal.studies.circuits_config import CircuitsConfig
from shoal.studies.difficulty_config import DifficultyConfig
from shoal.studies.exits_config import ExitsConfig
from shoal.studies.faces_config import FacesStudyConfig
from shoal.studies.summarize_config import SummarizeConfig

if TYPE_CHECKING:
    from shoal.engine import Progress
    from shoal.studies.result import Result
    from shoal.studies.study import Study

CIRCUITS_PAGE = "circuits.html"

study = App(name="study", help="Run one study and write its report.")


@Parameter(name="*")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Output:
    """Where a study's run goes.

    Args:
        run: run folder; runs/NAME unless given. A run that was stopped goes on.
        json: print the result as JSON.
    """

    run: Path | None = None
    json: bool = False


@study.command
def attention(
    config: Annotated[AttentionConfig, Parameter(name="*")] = AttentionConfig(),  # noqa: B008 - frozen
    *,
    output: Output = Output(),
    notebook: Notebook = Notebook(),  # noqa: B008 - frozen
) -> None:
    """Linear attention: its error by map and number of features, its costs, and whether it knows its error.

    Args:
        config: the study's settings.
        output: of the run.
        notebook: goes into the report.
    """
    _run(partial(_attention, config, notebook), output)


@study.command
def circuits(
    config: Annotated[CircuitsConfig, Parameter(name="*")] = CircuitsConfig(),  # noqa: B008 - frozen
    *,
    output: Output = Output(),
    notebook: Notebook = Notebook(),  # noqa: B008 - frozen
) -> None:
    """Attention heads set by hand and proved, against learned ones; and what the heads of a transformer do.

    Args:
        config: the study's settings.
        output: of the run.
        notebook: goes into the report.
    """
    _run(partial(_circuits, config, notebook), output)


@study.command
def summarize(
    config: Annotated[SummarizeConfig, Parameter(name="*")] = SummarizeConfig(),  # noqa: B008 - frozen
    *,
    output: Output = Output(),
    notebook: Notebook = Notebook(),  # noqa: B008 - frozen
) -> None:
    """A summarizer: its losses and whether it overfits, its summaries, exact against linear attention.

    Args:
        config: the study's settings.
        output: of the run.
        notebook: goes into the report.
    """
    _run(partial(_summarize, config, notebook), output)


@study.command
def difficulty(
    config: Annotated[DifficultyConfig, Parameter(name="*")] = DifficultyConfig(),  # noqa: B008 - frozen
    *,
    output: Output = Output(),
    notebook: Notebook = Notebook(),  # noqa: B008 - frozen
) -> None:
    """How deep into a network each image has to go, what makes it hard, and which classes are settled where.

    Args:
        config: the study's settings.
        output: of the run.
        notebook: goes into the report.
    """
    _run(partial(_difficulty, config, notebook), output)


@study.command
def exits(
    config: Annotated[ExitsConfig, Parameter(name="*")] = ExitsConfig(),  # noqa: B008 - frozen
    *,
    output: Output = Output(),
    notebook: Notebook = Notebook(),  # noqa: B008 - frozen
) -> None:
    """Networks that stop early: accuracy, MACs and time of a plain network and of one with exits.

    Args:
        config: the study's settings.
        output: of the run.
        notebook: goes into the report.
    """
    _run(partial(_exits, config, notebook), output)


@study.command
def faces(
    config: Annotated[FacesStudyConfig, Parameter(name="*")] = FacesStudyConfig(),  # noqa: B008 - frozen
    *,
    output: Output = Output(),
    notebook: Notebook = Notebook(),  # noqa: B008 - frozen
) -> None:
    """Face embeddings: which triplets teach, what an embedding knows, and whether two generations compare.

    Args:
        config: the study's settings.
        output: of the run.
        notebook: goes into the report.
    """
    _run(partial(_faces, config, notebook), output)


def demo(
    *,
    data: str = "",
    offline: bool = False,
    seed: int = 0,
    minutes: float = 0.0,
    run: Path = Path("runs/demo"),
    json: bool = False,
    notebook: Notebook = Notebook(),  # noqa: B008 - frozen
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
    exits = ExitsConfig(data=data, budget="quick", offline=offline, seed=seed, minutes=minutes)
    depths = DifficultyConfig(data=data, budget="quick", offline=offline, seed=seed, minutes=minutes)
    texts = SummarizeConfig(
        budget="quick",
        offline=offline,
        seed=seed,
        minutes=minutes,
        compare_minutes=minutes,
        overfit_minutes=minutes,
    )
    people = FacesStudyConfig(
        budget="quick",
        offline=offline,
        seed=seed,
        minutes=minutes,
        compare_minutes=minutes,
        harmonic_minutes=minutes,
    )
    with showing_progress() as progress:
        images = _exits(exits, notebook, progress)  # first: it may find no data
        studies = (
            _attention(AttentionConfig(budget="quick", seed=seed), notebook, progress),
            _circuits(CircuitsConfig(budget="quick", seed=seed), notebook, progress),
            _summarize(texts, notebook, progress),
            _difficulty(depths, notebook, progress),
            images,
            _faces(people, notebook, progress),
        )
        results = [_found(ready, run / ready.run_name, progress) for ready in studies]
    _report(studies, results, run, json=json)


def _found(ready: "Study", folder: Path, progress: "Progress") -> "Result":
    """What a study finds, or has found: a demo that is started again does not measure again what is there."""
    has_page = ready.name != "circuits" or (folder.parent / CIRCUITS_PAGE).exists()
    found = ready.finished(folder) if has_page else None
    if found is None:
        return ready.run(folder, progress)
    progress.say(f"{ready.name}: finished before, read from {folder}; remove that folder to run it again")
    return found


def _attention(config: AttentionConfig, notebook: Notebook, progress: "Progress") -> "Study":
    from shoal.studies.attention import AttentionStudy

    return _announced(AttentionStudy(config, _notes(notebook)), progress)


def _circuits(config: CircuitsConfig, notebook: Notebook, progress: "Progress") -> "Study":
    from shoal.studies.circuits import CircuitsStudy

    return _announced(CircuitsStudy(config, _notes(notebook)), progress)


def _summarize(config: SummarizeConfig, notebook: Notebook, progress: "Progress") -> "Study":
    from shoal.studies.summarize import SummarizeStudy

    return _announced(SummarizeStudy(config, _notes(notebook)), progress)


def _difficulty(config: DifficultyConfig, notebook: Notebook, progress: "Progress") -> "Study":
    from shoal.studies.difficulty import DifficultyStudy

    return _announced(DifficultyStudy(config, _notes(notebook), fetching=Fetching(progress)), progress)


def _exits(config: ExitsConfig, notebook: Notebook, progress: "Progress") -> "Study":
    from shoal.studies.exits import ExitsStudy

    return _announced(ExitsStudy(config, _notes(notebook), fetching=Fetching(progress)), progress)


def _faces(config: FacesStudyConfig, notebook: Notebook, progress: "Progress") -> "Study":
    from shoal.studies.faces import FacesStudy
    from shoal.studies.faces_asked_data import Reading

    reading = Reading(progress, "reading photos")
    return _announced(FacesStudy(config, _notes(notebook), reading=reading), progress)


def _notes(notebook: Notebook) -> dict[str, str]:
    """What was filled in."""
    return {key: value for key, value in dataclasses.asdict(notebook).items() if value}


def _announced(ready: "Study", progress: "Progress") -> "Study":
    for sentence in ready.says:
        progress.say(f"data: {sentence}")
    return ready


def _run(prepare: "Callable[[Progress], Study]", output: Output) -> None:
    """Run a study in the folder that was asked for, or in one of its own."""
    with showing_progress() as progress:
        ready = prepare(progress)
        folder = output.run or Path("runs") / ready.run_name
        result = ready.run(folder, progress)
    _report([ready], [result], folder, json=output.json)


def _report(studies: "Sequence[Study]", results: "list[Result]", folder: Path, *, json: bool) -> None:
    """Write the report, and beside it the pages that studies have of their own."""
    from shoal.report import write_report

    pages = [page for ready in studies for page in _own_pages(ready, folder)]
    report = folder / "report.html"
    write_report(results, report)
    show_results(results, report, pages, json=json)


def _own_pages(ready: "Study", folder: Path) -> Iterator[Path]:
    """Circuits have a page on which heads are taken apart; of a run that was read, it is there."""
    from shoal.studies.circuits import CircuitsStudy

    if not isinstance(ready, CircuitsStudy):
        return
    page = folder / CIRCUITS_PAGE
    if ready.pairs:
        from shoal.report.circuits import Exhibit, write_circuits_page

        shown = [Exhibit(pair.rule, pair.hand, pair.learned, pair.task.meaning) for pair in ready.pairs]
        write_circuits_page(shown, page)
    if page.exists():
        yield page
