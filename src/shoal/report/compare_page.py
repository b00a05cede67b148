"""Runs side by side as one HTML page that needs nothing else: no script, no network, no file beside it.

    write_comparison(read_runs([Path("runs/before"), Path("runs/after")]), "report.html")

For every study: what changed in how it was run, each claim with the intervals of all runs on one scale, whether the
difference is more than noise, and tables row by row with changed cells marked.
"""

from collections.abc import Sequence
from pathlib import Path

import shoal
from shoal.files import write_text
from shoal.report.compare import Comparison, Run, compare
from shoal.report.compare_views import alone_views, study_views
from shoal.report.templating import compact, style, templates


def render_comparison(comparison: Comparison) -> str:
    """Write a comparison as one HTML page.

    Args:
        comparison: of runs.

    Returns:
        A whole HTML document. All text of the results is escaped; the same comparison gives the same page.

    Example:
        >>> from shoal.studies.result import Result
        >>> one = Result(study="exits", title="Early <exits>", summary=(), command="c", settings={"seed": 0})
        >>> two = Result(study="exits", title="Early <exits>", summary=(), command="c", settings={"seed": 1})
        >>> page = render_comparison(compare([Run(name="before", result=one), Run(name="after", result=two)]))
        >>> page[:15], "Early &lt;exits&gt;" in page
        ('<!doctype html>', True)
    """
    page = templates().get_template("compare.html")
    return compact(
        page.render(
            names=comparison.names,
            studies=study_views(comparison),
            alone=alone_views(comparison),
            css=style("report.css", "compare.css"),
            version=shoal.__version__,
        )
    )


def write_comparison(runs: Sequence[Run], path: str | Path) -> Comparison:
    """Compare runs and write the page to `path`, completely or not at all.

    Args:
        runs: in the order of the page.
        path: of the HTML file; missing folders above it are made.

    Raises:
        InputError: if no study has two runs.
        ShoalError: if the file cannot be written.
    """
    comparison = compare(runs)
    write_text(path, render_comparison(comparison))
    return comparison
