"""The room of the gallery: the pages of `shoal gallery serve`, over a gallery in the newest run of faces.

The gallery is a file in the run's folder, `gallery.db`, of the run's network; commands open it, too. It is there once
the reader has begun it, with the faces that the run kept: two thirds of the people with their names, the others
without, so that there is something to name. What is enrolled stays until it is forgotten, unlike in other rooms.
"""

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import RedirectResponse, Response

from shoal.errors import ShoalError, wrong
from shoal.web.gallery import pages, pages_people, pages_photos
from shoal.web.house import House, house_of
from shoal.web.rooms import Room
from shoal.web.runs import Run

if TYPE_CHECKING:
    from shoal.web.gallery.desk import Desk

PAGE, FILE = "gallery/begin.html", "gallery.db"
NAMED = 2 / 3  # of the people that a gallery begins with

router = APIRouter()
ROOM = Room(
    name="gallery",
    title="Gallery",
    sentence="Keep people in a gallery: enrol photos, ask whom one shows, give groups of faces a name, merge, split, "
    "and forget somebody so that nothing is left.",
    studies=("faces",),
    router=router,
)


@router.get("")
def room(
    request: Request,
    q: Annotated[str, Query(max_length=200)] = "",
    after: Annotated[str, Query(max_length=200)] = "",
    done: str = "",
) -> Response:
    """People of the gallery, or how to begin one."""
    house = house_of(request)
    run = house.runs.newest("faces")
    if run is None or not _has(run):
        return _begin_page(request, run)
    if early := house.warming_page(request):
        return early
    try:
        request.state.desk = _desk(house, run)
    except ShoalError as error:
        return _begin_page(request, run, str(error).replace(str(run.folder), "the run"))
    return pages.home(request, q, after, done)


@router.post("/begin")
def begin(request: Request) -> Response:
    """Begin a gallery with the faces that the run kept."""
    house = house_of(request)
    run = house.runs.newest("faces")
    if run is not None and not _has(run):
        house.wait_until_warm()
        try:
            _fill(house, run)
        except ShoalError as error:
            return _begin_page(request, run, str(error).replace(str(run.folder), "the run"), status=500)
    return RedirectResponse(pages.ROOT, 303)


def _at_desk(request: Request) -> None:
    """Bring a request to the gallery of the newest run."""
    house = house_of(request)
    run = house.runs.newest("faces")
    if run is None or not _has(run):
        raise wrong("gallery", expected="one of the newest run of faces", got="none", fix="begin one in this room")
    house.wait_until_warm()
    request.state.desk = _desk(house, run)


for _part in (pages, pages_people, pages_photos):
    router.include_router(_part.router, dependencies=[Depends(_at_desk)])


def _has(run: Run) -> bool:
    return (run.folder / FILE).exists()


def _desk(house: House, run: Run) -> "Desk":
    from shoal.web.gallery.desk import Desk

    file = run.folder / FILE
    # another file under the name is another gallery
    return house.kept((FILE, run.folder, file.stat().st_ino), lambda: Desk(file), lambda desk: desk.close())


def _fill(house: House, run: Run) -> None:
    """Make a gallery in a run's folder; it is there as a whole, or not at all."""
    import os

    from shoal.gallery import Gallery
    from shoal.studies.faces_kept import load_kept_faces, network_file

    kept = load_kept_faces(run.folder)
    people = list(dict.fromkeys(kept.people))
    named = set(people[: max(1, round(NAMED * len(people)))])
    partial = run.folder / f".{FILE}.{os.getpid()}"
    try:
        with house.computing, Gallery.open(partial, model=network_file(run.folder)) as gallery:
            for person in people:
                rows = [row for row, who in enumerate(kept.people) if who == person]
                images = kept.images[rows]  # uint8 (n, channels, height, width)
                pixels = images if images.shape[1] == 3 else images.expand(-1, 3, -1, -1)
                gallery.enrol(person.replace("_", " ") if person in named else None, list(pixels))
        partial.replace(run.folder / FILE)  # closed: its log is empty, and gone
    finally:
        partial.unlink(missing_ok=True)


def _begin_page(request: Request, run: Run | None, problem: str = "", *, status: int = 200) -> Response:
    state = "empty" if run is None else "broken" if problem else "new"
    return pages.show(request, PAGE, status=status, state=state, problem=problem)
