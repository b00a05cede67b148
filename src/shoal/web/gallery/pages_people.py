"""Pages of the gallery on which people get names, become one or two, and are forgotten."""

from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import Response

from shoal.errors import InputError
from shoal.web.gallery.finding import asker, cleaned
from shoal.web.gallery.pages import MOST_NAMES, show, went
from shoal.web.gallery.shapes import Id, Name

MOST_FACES = 120  # on a page

router = APIRouter(include_in_schema=False)
Field = Annotated[Name, Form()]
Faces = Annotated[list[Id], Form()]


@router.get("/person")
def person(
    request: Request,
    name: Annotated[Name, Query()],
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    done: str = "",
) -> Response:
    """Somebody, with all faces."""
    return _person(request, name, after=after, done=done)


@router.post("/rename")
def rename(request: Request, person: Field, name: Annotated[str, Form()] = "") -> Response:
    """Give somebody another name."""
    return _changed(request, person, lambda gallery: gallery.rename(person, name), "rename", name)


@router.post("/merge")
def merge(request: Request, person: Field, into: Annotated[str, Form()] = "") -> Response:
    """Somebody turns out to be somebody else."""
    return _changed(request, person, lambda gallery: gallery.merge([person], into), "merge", into)


@router.post("/split")
def split(request: Request, person: Field, faces: Faces | None = None, name: Annotated[str, Form()] = "") -> Response:
    """Some of a person's faces are somebody else's, or nobody's."""
    done = "split" if name.strip() else "unnamed"
    return _changed(
        request, person, lambda gallery: gallery.split(person, faces or [], name.strip() or None), done, person
    )


@router.post("/assign")
def assign(request: Request, faces: Faces | None = None, name: Annotated[str, Form()] = "") -> Response:
    """Say whose faces these are."""
    try:
        asker(request).assign(faces or [], name)
    except InputError as error:
        return show(request, "gallery/error.html", status=422, text=cleaned(request, error), back="unnamed")
    return went("assign", "/unnamed")


@router.get("/forget")
def before_forgetting(request: Request, name: Annotated[Name, Query()]) -> Response:
    """What will be gone."""
    gallery = asker(request)
    faces = gallery.faces(name)
    alone = {face.photo for face in faces}
    return show(request, "gallery/forget.html", name=name, faces=faces, photos=len(alone))


@router.post("/forget")
def forget(request: Request, name: Field) -> Response:
    """Delete somebody."""
    return show(request, "gallery/forgotten.html", erasure=asker(request).forget(name))


def _changed(request: Request, name: str, change: Any, done: str, then: str) -> Response:
    """Make a change, and go to whom it leaves; or the page as it was, with what is wrong."""
    try:
        change(asker(request))
    except InputError as error:
        return _person(request, name, problem=cleaned(request, error), status=422)
    return went(done, f"/person?{urlencode({'name': then.strip()})}")


def _person(
    request: Request, name: str, *, after: int = 0, done: str = "", problem: str = "", status: int = 200
) -> Response:
    gallery = asker(request)
    faces = gallery.faces(name, after=after, limit=MOST_FACES + 1)
    people = gallery.people()
    (count,) = [one.faces for one in people if one.name == name] or [len(faces)]
    return show(
        request,
        "gallery/person.html",
        status=status,
        name=name,
        count=count,
        faces=faces[:MOST_FACES],
        more=faces[MOST_FACES - 1].id if len(faces) > MOST_FACES else None,
        names=[one.name for one in people if one.name != name][:MOST_NAMES],
        problem=problem,
        done=done,
    )
