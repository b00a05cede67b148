"""The answer sheet as a page of its own, and as the last part of a report of several studies."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import shoal
from shoal.errors import wrong
from shoal.files import write_text
from shoal.report.answers.answering import answer_all
from shoal.report.answers.sheet import SHEET
from shoal.report.answers.views import AnswerView, answer_views, cited_views
from shoal.report.templating import compact, content_policy, script, style, templates
from shoal.report.views import StudyView, study_views
from shoal.studies.failure import Failure
from shoal.studies.result import Result

if TYPE_CHECKING:
    from markupsafe import Markup

SHEETS = ("report.css", "answers/answers.css")


def answers_section(studies: Sequence[StudyView], failures: Sequence[Failure] = ()) -> "Markup":
    """The answers as a part of a report; they link to the claims, tables and pictures that stand in it.

    Args:
        studies: as the report shows them; of several runs of one study the first one answers.
        failures: studies that failed.

    Returns:
        A section of HTML, with headings from the second level on; `style(*SHEETS)` is its style.
    """
    from markupsafe import Markup

    answers = answer_views(answer_all([study.result for study in studies], failures), studies, whole=False)
    section = templates().get_template("answers/section.html").render(parts=by_parts(answers), level=2, whole=False)
    return Markup(section)


def render_answers(results: Sequence[Result], failures: Sequence[Failure] = ()) -> str:
    """Write the answer sheet as one HTML page.

    Args:
        results: of any studies; questions of the others say which command would answer them.
        failures: studies that failed.

    Returns:
        A whole HTML document, with all tables and pictures in it and the claims at its end.

    Raises:
        InputError: if there are no results, or a picture holds what its kind cannot show.
    """
    if not results:
        raise wrong("results", expected="at least one", got="none", fix="run a study first: shoal study exits")
    studies = study_views(results)
    answers = answer_views(answer_all(results, failures), studies, whole=True)
    page = templates().get_template("answers/page.html")
    return compact(
        page.render(
            parts=by_parts(answers),
            cited=cited_views(answers, studies),
            level=2,
            whole=True,
            css=style(*SHEETS),
            script=script(),
            policy=content_policy(),
            version=shoal.__version__,
        )
    )


def write_answers(results: Sequence[Result], path: str | Path, failures: Sequence[Failure] = ()) -> None:
    """Write the answer sheet, completely or not at all: as Markdown where the name ends in .md, as HTML otherwise.

    Args:
        results: see `render_answers`.
        path: of the file; Markdown keeps its pictures in a folder beside it.
        failures: studies that failed.

    Raises:
        InputError: as `render_answers`.
        ShoalError: if a file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() in {".md", ".markdown"}:
        from shoal.report.answers.markdown import write_markdown

        write_markdown(results, path, failures)
    else:
        write_text(path, render_answers(results, failures))


def by_parts(answers: Sequence[AnswerView]) -> list[tuple[str, list[AnswerView]]]:
    """Answers under the titles of the parts of the sheet."""
    by_id = {answer.id: answer for answer in answers}
    return [(part.title, [by_id[question.id] for question in part.questions]) for part in SHEET]
