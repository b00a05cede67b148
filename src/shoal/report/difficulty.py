"""A page of images: the easiest, the hardest, doubtful labels and overthought ones, each with its nearest neighbours.

    write_difficulty_page(page_of(measured, config, labels=False, words=words), "scores.html")

The page needs nothing else: no script, no network, no file beside it.
"""

from pathlib import Path

import shoal
from shoal.files import write_text
from shoal.report.facts import facts
from shoal.report.numbers import duration
from shoal.report.tables import table_view
from shoal.report.templating import style, templates
from shoal.studies.difficulty_asked_page import DifficultyPage


def render_difficulty_page(page: DifficultyPage) -> str:
    """The page as one HTML document; all names in it are escaped, and the same content gives the same page.

    Example:
        >>> page = DifficultyPage(title="Photos <1>", summary=("Two.",), galleries=(), tables=(), probes=4,
        ...                       command="shoal difficulty score photos")
        >>> "Photos &lt;1&gt;" in render_difficulty_page(page)
        True
    """
    return (
        templates()
        .get_template("difficulty/page.html")
        .render(
            page=page,
            tables=[table_view(each, f"probes-{each.id}") for each in page.tables],
            data=facts(page.data),
            settings=facts(page.settings),
            environment=facts(page.environment),
            seconds=facts({name: duration(value) for name, value in page.seconds.items()}),
            css=style("report.css", "difficulty/page.css"),
            version=shoal.__version__,
        )
    )


def write_difficulty_page(page: DifficultyPage, path: str | Path) -> None:
    """Write `render_difficulty_page(page)` to a file, completely or not at all."""
    write_text(path, render_difficulty_page(page))
