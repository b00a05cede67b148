"""`shoal difficulty`: how hard your own images are for a network, and which of their labels look wrong."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from shoal.commands.output import Fetching, show, showing_progress
from shoal.studies.difficulty_asked_config import ScoringConfig

difficulty = App(name="difficulty", help="How hard your own images are, and which of their labels look wrong.")


@difficulty.command
def score(
    folder: str,
    /,
    config: Annotated[ScoringConfig, Parameter(name="*")] = ScoringConfig(),  # noqa: B008 - frozen
    *,
    output: Path | None = None,
    json: bool = False,
) -> None:
    """Find out at which depth a network settles each image; writes a CSV file and a page of examples.

    Args:
        folder: a folder of class folders of images, or a data set's name.
        config: what is asked.
        output: folder for scores.csv and scores.html; runs/difficulty-NAME unless given.
        json: print as JSON.
    """
    _measure(folder, config, output, labels=False, json=json)


@difficulty.command
def label_errors(
    folder: str,
    /,
    config: Annotated[ScoringConfig, Parameter(name="*")] = ScoringConfig(),  # noqa: B008 - frozen
    *,
    output: Path | None = None,
    json: bool = False,
) -> None:
    """Rank images by how wrong their labels look, the most suspicious first; writes a CSV file and a page of examples.

    Args:
        folder: a folder of class folders of images, or a data set's name.
        config: what is asked.
        output: folder for label-errors.csv and label-errors.html; runs/difficulty-NAME unless given.
        json: print as JSON.
    """
    _measure(folder, config, output, labels=True, json=json)


def _measure(folder: str, config: ScoringConfig, output: Path | None, *, labels: bool, json: bool) -> None:
    """Measure, then write both files, each complete or not at all."""
    from shoal.files import check_folder, write_text
    from shoal.report.difficulty import render_difficulty_page
    from shoal.studies.difficulty_asked import ImageScoring
    from shoal.studies.difficulty_asked_page import page_of
    from shoal.studies.difficulty_asked_rows import answer, write_rows

    command, name = ("label-errors",) * 2 if labels else ("score", "scores")
    with showing_progress() as progress:
        asked = ImageScoring(folder, config, fetching=Fetching(progress))
        place = output or Path("runs") / asked.run_name
        check_folder(place)
        progress.say(f"data: {asked.says}")
        measured = asked.run(progress)
        words = ["shoal", "difficulty", command, folder, *(["--output", str(output)] if output else [])]
        page = render_difficulty_page(page_of(measured, asked.config, labels=labels, words=words))
    rows, drawn = place / f"{name}.csv", place / f"{name}.html"
    write_text(rows, write_rows(measured, ranked=labels))
    write_text(drawn, page)
    found = answer(measured, rows, drawn, shown=asked.config.shown)
    show(found, found.label_lines() if labels else found.score_lines(), json=json)
