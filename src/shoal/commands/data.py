"""`shoal data`: data sets, listed, fetched and verified."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

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
    from shoal.data.faces import describe_faces
    from shoal.data.texts import describe_texts

    rows = [*describe_all(), *describe_texts(), *describe_faces()]
    show(rows, (line for row in rows for line in _lines(row)), json=json)


def _lines(row: "DataRow") -> Iterator[str]:
    yield f"{row.name:19} {'found' if row.found else 'missing':8} {row.content}"
    yield f"{'':19} {row.where if row.found else row.fetch}"
    yield f"{'':19} {row.terms}"


def _kind_of(name: str) -> Literal["images", "texts", "faces"]:
    """What a name, or a path, means; an unknown name is refused with the nearest of all.

    The digits are images: that a study may take them for people does not make them faces.
    """
    from shoal.data import list_datasets
    from shoal.data.faces import list_face_sets, match_face_spec
    from shoal.data.faces.lfw import find_lfw
    from shoal.data.specs import match_spec
    from shoal.data.texts import holds_texts, list_text_sets, match_text_spec

    if match_spec(name):
        return "images"
    if match_text_spec(name):
        return "texts"
    if match_face_spec(name):
        return "faces"
    path = Path(name).expanduser()
    if not path.exists() and len(path.parts) == 1 and not path.suffix:
        raise unknown_name("data set", name, dict.fromkeys((*list_datasets(), *list_text_sets(), *list_face_sets())))
    if path.is_dir() and find_lfw(path):
        return "faces"
    return "texts" if holds_texts(path) else "images"


@data.command
def fetch(name: str, /) -> None:
    """Fetch a data set from its authors' address, or through apt-get or scikit-learn, into the cache.

    Args:
        name: see `shoal data list`.
    """
    from shoal.data import fetch as fetch_data
    from shoal.data.faces import fetch_faces
    from shoal.data.texts import fetch_texts

    kind = _kind_of(name)
    if kind == "faces":
        folder = fetch_faces(name)
    else:
        with showing_progress() as progress:
            bring = fetch_texts if kind == "texts" else fetch_data
            folder = bring(name, progress=Fetching(progress))
    print(folder)


@data.command
def verify(name: str, /, *, json: bool = False) -> None:
    """Compare a data set's files with what was published, or decode every image of a folder.

    Args:
        name: a name of `shoal data list`, or a path.
        json: print as JSON.
    """
    from shoal.data import verify as verify_data
    from shoal.data.faces import verify_faces
    from shoal.data.texts import verify_texts

    checks = {"images": verify_data, "texts": verify_texts, "faces": verify_faces}[_kind_of(name)](name)
    bad = [check for check in checks if not check.ok]
    show(
        checks, (f"ok   {check.file}" if check.ok else f"BAD  {check.file}  {check.got}" for check in checks), json=json
    )
    if bad:
        found = f"{name}: {len(bad)} of {len(checks)} files are not"
        if Path(name).exists():
            raise ShoalError(f"{found} as they should be")
        raise ShoalError(f"{found} as published; delete and fetch them again")
