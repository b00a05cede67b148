"""Results of studies as one HTML page that needs nothing else: no script, no network, no file beside it.

Run a study, or load what it saved, and write the page:

    write_report([Result.load("runs/exits/result.json")], "report.html")

The page follows the reader's light or dark theme, reads on a phone, prints, and prints contradicted claims as such.
"""

import functools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import shoal
from shoal.errors import InputError
from shoal.files import write_text
from shoal.report.failures import failure_views
from shoal.report.views import VERDICTS, study_views
from shoal.studies.failure import Failure
from shoal.studies.result import Result

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"


def render(results: Sequence[Result], failures: Sequence[Failure] = ()) -> str:
    """Write one or several results as one HTML page.

    Args:
        results: in the order of the page.
        failures: studies that failed; each is shown with its error and the command that runs it again.

    Returns:
        A whole HTML document. All text of the results is escaped; the same results give the same page.

    Raises:
        InputError: if there are neither results nor failures, or a picture holds what its kind cannot show.

    Example:
        >>> result = Result(study="exits", title="Early exit", summary=("It <works>.",), command="shoal study exits")
        >>> page = render([result])
        >>> page[:15], "It &lt;works&gt;." in page
        ('<!doctype html>', True)
    """
    if not results and not failures:
        raise InputError("report: expected at least one result, got none; run a study first: shoal study exits")
    from markupsafe import Markup

    studies = study_views(results)
    return (
        _environment()
        .get_template("page.html")
        .render(
            studies=studies,
            failures=failure_views(failures, taken=[study.anchor for study in studies]),
            verdicts=VERDICTS,
            css=Markup(_style()),
            version=shoal.__version__,
        )
    )


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


@functools.cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_unbroken,
    )


def _unbroken(value: object) -> object:
    """Text in which a number and its per cent sign stay on one line."""
    return re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", value) if type(value) is str else value


@functools.cache
def _style() -> str:
    """The style sheet without its comments."""
    text = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    return re.sub(r"\n\s*\n+", "\n", re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)).strip()
