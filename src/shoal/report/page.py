"""Results of studies as one HTML page that needs nothing else: no network, no file beside it.

Run a study, or load what it saved, and write the page:

    write_report([Result.load("runs/exits/result.json")], "report.html")

First comes a page that fits a screen, with the finding of each study; then the studies, each with its story in order;
then the answers to a sheet of questions; last, what is to be said about the run. The page follows the reader's light
or dark theme, reads on a phone, prints, and prints contradicted claims as such. Its one script sorts tables; without
it the page reads the same.
"""

from collections.abc import Sequence
from pathlib import Path

import shoal
from shoal.errors import InputError
from shoal.files import write_text
from shoal.report.about import about
from shoal.report.answers import SHEETS, answers_section
from shoal.report.failures import failure_views
from shoal.report.front import cards, tally
from shoal.report.templating import compact, content_policy, script, style, templates
from shoal.report.views import VERDICTS, study_views
from shoal.studies.failure import Failure
from shoal.studies.result import Result


def render(results: Sequence[Result], failures: Sequence[Failure] = ()) -> str:
    """Write one or several results as one HTML page.

    Args:
        results: in the order of the page.
        failures: studies that failed; each is shown with its error and the command that runs it again.

    Returns:
        A whole HTML document. All text of the results is escaped; the same results give the same page.

    Raises:
        InputError: if there are neither results nor failures, a picture holds what its kind cannot show, a formula
            cannot be read, or a headline names a picture that is not there.

    Example:
        >>> result = Result(study="exits", title="Early exit", summary=("It <works>.",), command="shoal study exits")
        >>> page = render([result])
        >>> page[:15], "It &lt;works&gt;." in page
        ('<!doctype html>', True)
    """
    if not results and not failures:
        raise InputError("report: expected at least one result, got none; run a study first: shoal study exits")
    studies = study_views(results)
    failed = failure_views(failures, taken=[study.anchor for study in studies])
    page = (
        templates()
        .get_template("page.html")
        .render(
            studies=studies,
            failures=failed,
            cards=cards(studies, failed),
            tally=tally(studies),
            answers=answers_section(studies, failures) if len(studies) + len(failures) > 1 and studies else "",
            about=about(results),
            verdicts=VERDICTS,
            css=style(*SHEETS),
            script=script(),
            policy=content_policy(),
            version=shoal.__version__,
        )
    )
    return compact(page)


def write_report(results: Sequence[Result], path: str | Path, failures: Sequence[Failure] = ()) -> None:
    """Write `render(results, failures)` to `path`, completely or not at all.

    Args:
        results: in the order of the page.
        path: of the HTML file; missing folders above it are made.
        failures: studies that failed.

    Raises:
        InputError: as `render`.
        ShoalError: if the file cannot be written.
    """
    write_text(path, render(results, failures))
