"""`shoal study` runs one study; its run ends with a report. `shoal demo` runs them all: see `shoal.commands.demo`."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    from shoal.studies.failure import Failure
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


def _attention(config: AttentionConfig, notes: dict[str, str], progress: "Progress") -> "Study":  # noqa: ARG001
    from shoal.studies.attention import AttentionStudy

    return AttentionStudy(config, notes)


def _circuits(config: CircuitsConfig, notes: dict[str, str], progress: "Progress") -> "Study":  # noqa: ARG001
    from shoal.studies.circuits import CircuitsStudy

    return CircuitsStudy(config, notes)


def _summarize(config: SummarizeConfig, notes: dict[str, str], progress: "Progress") -> "Study":  # noqa: ARG001
    from shoal.studies.summarize import SummarizeStudy

    return SummarizeStudy(config, notes)


def _difficulty(config: DifficultyConfig, notes: dict[str, str], progress: "Progress") -> "Study":
    from shoal.studies.difficulty import DifficultyStudy

    return DifficultyStudy(config, notes, fetching=Fetching(progress))


def _exits(config: ExitsConfig, notes: dict[str, str], progress: "Progress") -> "Study":
    from shoal.studies.exits import ExitsStudy

    return ExitsStudy(config, notes, fetching=Fetching(progress))


def _faces(config: FacesStudyConfig, notes: dict[str, str], progress: "Progress") -> "Study":
    from shoal.studies.faces import FacesStudy
    from shoal.studies.faces_asked_data import Reading

    return FacesStudy(config, notes, reading=Reading(progress, "reading photos"))


@dataclasses.dataclass(frozen=True)
class Known:
    """A study that there is: the class of its settings, what makes it ready to run, and what it asks, for --help."""

    config: type[Any]
    prepare: "Callable[[Any, dict[str, str], Progress], Study]"
    asks: str


KNOWN: dict[str, Known] = {  # in the order of the demo
    "attention": Known(
        AttentionConfig,
        _attention,
        "Linear attention: its error by map and number of features, its costs, and whether it knows its error.",
    ),
    "circuits": Known(
        CircuitsConfig,
        _circuits,
        "Attention heads set by hand and proved, against learned ones; and what the heads of a transformer do.",
    ),
    "summarize": Known(
        SummarizeConfig,
        _summarize,
        "A summarizer: its losses and whether it overfits, its summaries, exact against linear attention.",
    ),
    "difficulty": Known(
        DifficultyConfig,
        _difficulty,
        "How deep into a network each image has to go, what makes it hard, and which classes are settled where.",
    ),
    "exits": Known(
        ExitsConfig,
        _exits,
        "Networks that stop early: accuracy, MACs and time of a plain network and of one with exits.",
    ),
    "faces": Known(
        FacesStudyConfig,
        _faces,
        "Face embeddings: which triplets teach, what an embedding knows, and whether two generations compare.",
    ),
}


def prepare_study(name: str, config: Any, notebook: Notebook, progress: "Progress") -> "Study":
    """Make a study ready to run, and say what it took for data.

    Args:
        name: of the study.
        config: its settings.
        notebook: what was filled in goes into the report.
        progress: told how reading and fetching go.

    Raises:
        InputError: if a setting is wrong or the data cannot be used.
    """
    notes = {key: value for key, value in dataclasses.asdict(notebook).items() if value}
    ready = KNOWN[name].prepare(config, notes, progress)
    for sentence in ready.says:
        progress.say(f"data: {sentence}")
    return ready


_ARGUMENTS = """

Args:
    config: the study's settings.
    output: of the run.
    notebook: goes into the report.
"""  # --help shows them at the flags that say nothing of themselves


def _add_command(name: str, known: Known) -> None:
    """Give a study its command: all take their own settings, and are alike otherwise."""

    def run(
        config: Any = known.config(),  # noqa: B008 - frozen
        *,
        output: Output = Output(),
        notebook: Notebook = Notebook(),  # noqa: B008 - frozen
    ) -> None:
        with showing_progress() as progress:
            ready = prepare_study(name, config, notebook, progress)
            folder = output.run or Path("runs") / ready.run_name
            result = ready.run(folder, progress)
        report([ready], [result], folder, json=output.json)

    run.__doc__ = known.asks + _ARGUMENTS
    run.__annotations__["config"] = Annotated[known.config, Parameter(name="*")]
    study.command(run, name=name)


for _name, _known in KNOWN.items():
    _add_command(_name, _known)


def report(
    studies: "Sequence[Study]",
    results: "Sequence[Result]",
    folder: Path,
    *,
    failures: "Sequence[Failure]" = (),
    json: bool,
) -> None:
    """Write the report, and beside it the pages that studies have of their own; print what was found.

    Args:
        studies: that have run, or were read.
        results: what they found.
        folder: for the report.
        failures: of studies that have found nothing.
        json: print as JSON.
    """
    from shoal.report import write_report

    pages = [page for ready in studies for page in _own_pages(ready, folder)]
    page = folder / "report.html"
    write_report(results, page, failures=failures)
    show_results(results, page, pages, failures=failures, json=json)


def has_own_page(name: str, folder: Path) -> bool:
    """Whether all pages are there that a study has of its own, so that a run of it need not be made for their sake."""
    return name != "circuits" or (folder / CIRCUITS_PAGE).exists()


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
