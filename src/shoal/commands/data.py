"""`shoal data`: data sets, listed, fetched and verified."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from shoal.commands.output import Fetching, show, showing_progress
from shoal.errors import ShoalError, unknown_name

if TYPE_CHECKING:
    from shoal.data import DataRow

data = App(name="data", help="Find, fetch and verify data sets.")


@data.command(name="list")
def list_data(*, json: bool = False) -> None:
    """Show the named data sets, where they were found, and how to get them.

    Args:
        json: print as JSON.
    """
    from shoal.data import describe_all
    from shoal.data.texts import describe_texts

    rows = [*describe_all(), *describe_texts()]
    show(rows, (line for row in rows for line in _lines(row)), json=json)


def _lines(row: "DataRow") -> Iterator[str]:
    yield f"{row.name:19} {'found' if row.found else 'missing':8} {row.content}"
    yield f"{'':19} {row.where if row.found else row.fetch}"
    yield f"{'':19} {row.terms}"


def _is_text_set(name: str) -> bool:
    """Whether a name, or a path, means texts; an unknown name is refused with the nearest of images and texts."""
    from shoal.data import list_datasets
    from shoal.data.specs import match_spec
    from shoal.data.texts import holds_texts, list_text_sets, match_text_spec

    if match_spec(name) or match_text_spec(name):
        return match_text_spec(name) is not None
    path = Path(name).expanduser()
    if not path.exists() and len(path.parts) == 1 and not path.suffix:
        raise unknown_name("data set", name, (*list_datasets(), *list_text_sets()))
    return holds_texts(path)


@data.command
def fetch(name: str, /) -> None:
    """Fetch a data set from its authors' address, or through apt-get, into the cache.

    Args:
        name: see `shoal data list`.
    """
    from shoal.data import fetch as fetch_data
    from shoal.data.texts import fetch_texts

    bring = fetch_texts if _is_text_set(name) else fetch_data
    with showing_progress() as progress:
        folder = bring(name, progress=Fetching(progress))
    print(folder)


@data.command
def verify(name: str, /, *, json: bool = False) -> None:
    """Compare a data set's files with their published checksums.

    Args:
        name: a name of `shoal data list`, or a path.
        json: print as JSON.
    """
    from shoal.data import verify as verify_data
    from shoal.data.texts import verify_texts

    checks = verify_texts(name) if _is_text_set(name) else verify_data(name)
    bad = [check for check in checks if not check.ok]
    show(
        checks, (f"ok   {check.file}" if check.ok else f"BAD  {check.file}  {check.got}" for check in checks), json=json
    )
    if bad:
        found = f"{name}: {len(bad)} of {len(checks)} files are not"
        if Path(name).exists():
            raise ShoalError(f"{found} as they should be")
        raise ShoalError(f"{found} as published; delete and fetch them again")
