"""Pages of the gallery that take photos: enrol them, and ask whom one shows."""

import base64
from collections.abc import Callable

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from shoal.errors import InputError, ShoalError
from shoal.web.gallery.faults import STATUS, FaultError
from shoal.web.gallery.finding import asker, cleaned, desk_of
from shoal.web.gallery.pages import MOST_NAMES, show
from shoal.web.problems import sentence_of
from shoal.web.rooms.forms import say_problem, wants_part

RATES = ((0.001, "1 in 1,000"), (0.01, "1 in 100"), (0.05, "1 in 20"), (0.1, "1 in 10"))
USUAL = 0.01

router = APIRouter(include_in_schema=False)


@router.get("/enrol")
def enrol_form(request: Request) -> Response:
    """Photos to choose, and a name."""
    return _enrol_page(request)


@router.post("/enrol")
async def enrol(request: Request) -> Response:
    """Bring photos into the gallery."""
    from shoal.web.gallery.asking import PHOTOS, enrol_each
    from shoal.web.gallery.photos import fields_of, read_photos
    from shoal.web.gallery.shapes import EnrolForm

    desk = desk_of(request)
    try:
        desk.need_model()
        async with desk.slot():
            form, contents = await read_photos(request, desk.limits, PHOTOS)
            asked = fields_of(form, EnrolForm, PHOTOS)
            found = await run_in_threadpool(enrol_each, request, contents, asked)
    except (InputError, FaultError, RequestValidationError) as error:
        return await run_in_threadpool(_refused, request, error, _enrol_page)
    status = 422 if all(photo.refused for photo in found) else 200
    return await run_in_threadpool(_enrol_page, request, found=found, person=asked.person, status=status)


@router.get("/identify")
def identify_form(request: Request) -> Response:
    """A photo to choose."""
    return _identify_page(request)


@router.post("/identify")
async def identify(request: Request) -> Response:
    """Whom a photo shows."""
    from shoal.web.gallery.asking import PHOTO
    from shoal.web.gallery.photos import fields_of, read_photos
    from shoal.web.gallery.shapes import IdentifyForm

    desk = desk_of(request)
    try:
        desk.need_model()
        async with desk.slot():
            form, contents = await read_photos(request, desk.limits, PHOTO)
            asked = fields_of(form, IdentifyForm, PHOTO)
            return await run_in_threadpool(_identified, request, contents[0], asked.far)
    except (InputError, FaultError, RequestValidationError) as error:
        return await run_in_threadpool(_refused, request, error, _identify_page)


def _identified(request: Request, content: bytes, far: float) -> Response:
    from shoal.gallery.sources import thumbnail
    from shoal.web.gallery.photos import as_photo

    photo = as_photo(content, desk_of(request).limits)
    found = asker(request).identify(photo, far=far)
    small = thumbnail(photo.content) or b""
    source = f"data:image/jpeg;base64,{base64.b64encode(small).decode()}"
    return _identify_page(request, found=found, source=source, far=far)


def _enrol_page(request: Request, *, status: int = 200, problem: str = "", **found: object) -> Response:
    names = [person.name for person in asker(request).people()[:MOST_NAMES]]
    limits = desk_of(request).limits
    house = getattr(request.app.state, "house", None)  # the playground takes less at once
    together = (limits if house is None else house.limits).request_bytes // 1_000_000
    context = {"found": None, "person": None, "limits": limits, "together": together} | found
    return show(request, "gallery/enrol.html", status=status, problem=problem, names=names, **context)


def _identify_page(request: Request, *, status: int = 200, problem: str = "", **found: object) -> Response:
    context = {"found": None, "source": "", "far": USUAL, "rates": RATES, "limits": desk_of(request).limits} | found
    empty = not asker(request).people()
    return show(request, "gallery/identify.html", status=status, problem=problem, empty=empty, **context)


def _refused(request: Request, error: Exception, page: Callable[..., Response]) -> Response:
    """The page as it was, with what is wrong."""
    if isinstance(error, RequestValidationError):
        status, text = 422, sentence_of(error)
    elif isinstance(error, FaultError):
        status, text = STATUS[error.code], error.message
    else:
        assert isinstance(error, ShoalError)
        status, text = 422, cleaned(request, error)
    answer = page(request, status=status, problem=text)
    return say_problem(answer) if wants_part(request) else answer
