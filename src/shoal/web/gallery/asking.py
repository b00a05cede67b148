"""The API's addresses that take photos: enrol them, and ask whom one shows.

Photos are received, decoded and embedded for a few requests at a time (`Desk.slot`); the others wait.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from shoal.errors import InputError
from shoal.gallery import Gallery
from shoal.gallery.sources import Photo
from shoal.web.gallery.facts import shown_match
from shoal.web.gallery.faults import documented
from shoal.web.gallery.finding import asker, desk_of
from shoal.web.gallery.photos import as_photo, check_boxes, fields_of, form_of, read_photos
from shoal.web.gallery.shapes import (
    EnrolForm,
    Enrolled,
    Identified,
    IdentifyForm,
    MatchShown,
    PhotoEnrolled,
    VerifyForm,
)

PHOTOS, PHOTO = "photos", "photo"
FormT = TypeVar("FormT", bound=BaseModel)
Answer = TypeVar("Answer")
router = APIRouter(tags=["photos"])


@router.post(
    "/faces",
    response_model=Enrolled,
    openapi_extra=form_of(EnrolForm, PHOTOS, several=True),
    responses=documented(408, 409) | {207: {"model": Enrolled, "description": "Some photos were refused."}},
)
async def enrol(request: Request) -> Response:
    """Bring the faces of photos into the gallery; what is there already stays as it is.

    Each photo is written by itself. 200: all of them are in; 207: some are, and the others say why not; 422: none is.
    """
    desk = desk_of(request)
    desk.need_model()
    async with desk.slot():
        form, contents = await read_photos(request, desk.limits, PHOTOS)
        asked = fields_of(form, EnrolForm, PHOTOS)
        check_boxes(asked.boxes, len(contents))
        found = await run_in_threadpool(enrol_each, request, contents, asked)
    refused = [photo.refused for photo in found if photo.refused is not None]
    if len(refused) == len(found):
        raise InputError(refused[0])
    return JSONResponse(Enrolled(photos=found).model_dump(), 207 if refused else 200)


@router.post(
    "/identify",
    response_model=Identified,
    openapi_extra=form_of(IdentifyForm, PHOTO, several=False),
    responses=documented(408, 409),
)
async def identify(request: Request) -> Any:
    """Whom does a photo show?"""

    def find(gallery: Gallery, photo: Photo, asked: IdentifyForm) -> Identified:
        found = gallery.identify(photo, asked.k, box=asked.box, far=asked.far)
        matches = [shown_match(match) for match in found]
        return Identified(person=found.person, unknown=found.unknown, matches=matches, note=found.note)

    return await _ask(request, IdentifyForm, find)


@router.post(
    "/verify",
    response_model=MatchShown,
    openapi_extra=form_of(VerifyForm, PHOTO, several=False),
    responses=documented(408, 409),
)
async def verify(request: Request) -> Any:
    """Does a photo show this person?"""

    def find(gallery: Gallery, photo: Photo, asked: VerifyForm) -> MatchShown:
        return shown_match(gallery.verify(asked.person, photo, box=asked.box, far=asked.far))

    return await _ask(request, VerifyForm, find)


def enrol_each(request: Request, contents: list[bytes], asked: EnrolForm) -> list[PhotoEnrolled]:
    """Enrol photos one by one, so that only one of them is decoded at a time.

    Args:
        request: that brought them.
        contents: bytes of their files.
        asked: what came with them.
    """
    desk, gallery, found = desk_of(request), asker(request), []
    for number, content in enumerate(contents):
        what = "photo" if len(contents) == 1 else f"photo {number + 1}"
        boxes = None if asked.boxes is None else [asked.boxes[number]]
        try:
            photo = as_photo(content, desk.limits, keep=asked.keep_photos, what=what)
            faces = gallery.enrol(asked.person, [photo], boxes=boxes, keep_photos=asked.keep_photos)
            found.append(PhotoEnrolled(faces=faces, refused=None))
        except InputError as error:
            found.append(PhotoEnrolled(faces=[], refused=desk.without_paths(str(error))))
    return found


async def _ask(request: Request, form_type: type[FormT], find: Callable[[Gallery, Photo, FormT], Answer]) -> Answer:
    """Ask the gallery about the one photo that a request brings."""
    desk = desk_of(request)
    desk.need_model()
    async with desk.slot():
        form, contents = await read_photos(request, desk.limits, PHOTO)
        asked = fields_of(form, form_type, PHOTO)
        return await run_in_threadpool(lambda: find(asker(request), as_photo(contents[0], desk.limits), asked))
