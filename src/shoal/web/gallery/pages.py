"""Pages of the gallery that look: people, faces that nobody has named, the log; and what all pages share.

They work without scripts, as forms and links; the service has them at `/gallery`, and so has the playground.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from shoal.errors import InputError
from shoal.web.gallery import house as service_house
from shoal.web.gallery.finding import asker
from shoal.web.gallery.shapes import Id

ROOT = "/gallery"
MOST_PEOPLE = 120  # on a page
MOST_NAMES = 500  # that a field offers
MOST_GROUPS, MOST_SHOWN = 24, 18  # groups on a page, and faces of each
MOST_ENTRIES = 100
DONE = {
    "assign": "The faces have their name.",
    "merge": "They are one person now.",
    "nothing": "There is nothing to take back.",
    "rename": "The person has another name now.",
    "split": "The faces are another person's now.",
    "unnamed": "The faces are nobody's now.",
    "undo": "Taken back.",
}
LASTING = {"nothing", "undo"}  # done, and not to be taken back
# a head and shoulders, for faces that came without a photo
NO_PICTURE = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><rect width="24" height="24" fill="#8aa0a8"/>'
    '<g fill="#fff" fill-opacity=".75"><circle cx="12" cy="9.5" r="4.5"/><path d="M3 24a9 8 0 0 1 18 0z"/></g></svg>'
)

router = APIRouter(include_in_schema=False)


def home(
    request: Request,
    q: Annotated[str, Query(max_length=200)] = "",
    after: Annotated[str, Query(max_length=200)] = "",
    done: str = "",
) -> Response:
    """Everybody who has a name."""
    gallery = asker(request)
    people = gallery.people()
    # in the order of characters: databases have orders of their own
    found = sorted((one for one in people if one.name > after), key=lambda one: one.name)
    found = [person for person in found if q.casefold() in person.name.casefold()]
    named = sum(person.faces for person in people)
    return show(
        request,
        "gallery/people.html",
        people=found[:MOST_PEOPLE],
        more=found[MOST_PEOPLE - 1].name if len(found) > MOST_PEOPLE else None,
        count=len(people),
        faces=len(gallery),
        unnamed=len(gallery) - named,
        q=q,
        after=after,
        done=done,
    )


@router.get("/unnamed")
def unnamed(
    request: Request,
    threshold: Annotated[float | None, Query(ge=0, le=4, allow_inf_nan=False)] = None,
    done: str = "",
) -> Response:
    """Faces that nobody has named, in groups."""
    gallery = asker(request)
    groups = gallery.cluster(threshold)
    return show(
        request,
        "gallery/unnamed.html",
        groups=groups[:MOST_GROUPS],
        count=len(groups),
        faces=sum(len(group.faces) for group in groups),
        shown=MOST_SHOWN,
        names=[person.name for person in gallery.people()[:MOST_NAMES]],
        threshold=threshold,
        done=done,
    )


@router.get("/log")
def log(request: Request, done: str = "") -> Response:
    """Who did what when."""
    found = asker(request).audit()
    return show(request, "gallery/log.html", log=found, entries=found.entries[: -MOST_ENTRIES - 1 : -1], done=done)


@router.post("/undo")
def undo(request: Request) -> Response:
    """Take back the newest change."""
    return went("undo" if asker(request).undo() else "nothing")


@router.get("/thumbnail/{face}")
def thumbnail(request: Request, face: Id) -> Response:
    """A small picture of the photo that a face is on; a head and shoulders where there is none."""
    try:
        content = asker(request).thumbnail(face)
    except InputError:
        content = None
    if content is None:
        return Response(NO_PICTURE, media_type="image/svg+xml")
    return Response(content, media_type="image/jpeg")


def show(request: Request, template: str, *, status: int = 200, **context: Any) -> Response:
    """A page, in the frame of the server that it is asked of.

    Args:
        request: that it answers.
        template: below `web/templates`.
        status: of HTTP.
        context: what the template asks for besides `message` and `can_undo`, of what `done` says was done.
    """
    done = context.pop("done", "")
    context |= {"message": DONE.get(done, ""), "can_undo": done in DONE and done not in LASTING, "here": _here(request)}
    house = getattr(request.app.state, "house", None)
    if house is not None:  # the playground
        return house.page(request, template, status=status, layout="base.html", **context)
    return service_house.page(request, template, status=status, **context)


def went(done: str, path: str = "") -> Response:
    """To the page that shows what was done.

    Args:
        done: see `DONE`.
        path: of the page, below `/gallery`, with its query.
    """
    return RedirectResponse(f"{ROOT}{path}{'&' if '?' in path else '?'}done={done}", 303)


def _here(request: Request) -> str:
    """Which of the pages this is: the first word below `/gallery`."""
    return request.url.path.removeprefix(ROOT).strip("/").partition("/")[0]
