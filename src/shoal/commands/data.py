"""`shoal data`: data sets, listed, fetched and verified."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cyclopts import App

from shoal.commands.output import Fetching, show, showing_progress
from shoal.errors import ShoalError

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

    rows = describe_all()
    show(rows, (line for row in rows for line in _lines(row)), json=json)


def _lines(row: "DataRow") -> Iterator[str]:
    yield f"{row.name:14} {'found' if row.found else 'missing':8} {row.content}"
    yield f"{'':14} {row.where if row.found else row.fetch}"
    yield f"{'':14} {row.terms}"


@data.command
def fetch(name: str, /) -> None:
    """Fetch a data set from its authors' address into the cache.

    Args:
        name: see `shoal data list`.
    """
    from shoal.data import fetch as fetch_data

    with showing_progress() as progress:
        folder = fetch_data(name, progress=Fetching(progress))
    print(folder)


@data.command
def verify(name: str, /, *, json: bool = False) -> None:
    """Compare a data set's files with their published checksums.

    Args:
        name: a name of `shoal data list`, or a path.
        json: print as JSON.
    """
    from shoal.data import verify as verify_data

    checks = verify_data(name)
    bad = [check for check in checks if not check.ok]
    show(
        checks, (f"ok   {check.file}" if check.ok else f"BAD  {check.file}  {check.got}" for check in checks), json=json
    )
    if bad:
        raise ShoalError(f"{name}: {len(bad)} of {len(checks)} files are not as published; delete and fetch them again")
