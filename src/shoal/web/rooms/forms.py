"""Forms with a picture in them, read without a file on disk: what is uploaded stays in memory.

form = await read_form(request, house.limits)
pixels = await own_picture(form, "file", "picture", house.limits, side=64)
"""

from collections.abc import Mapping

import numpy as np
from fastapi import Request
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.responses import Response

from shoal.errors import wrong
from shoal.web.house import wants_part
from shoal.web.uploads import Limits, read_image

OWN = "own"  # what is picked where a reader's own picture is


async def read_form(request: Request, limits: Limits) -> FormData:
    """The fields and files of a form; close it when done.

    Args:
        request: with a form as its body.
        limits: of files.

    Raises:
        InputError: if it is no form, or holds more than it may.
    """
    if "multipart/form-data" not in request.headers.get("content-type", ""):
        return await request.form()
    try:
        return await _InMemory(request, limits).parse()
    except MultiPartException as error:
        raise wrong("form", expected="one of this page", got=error.message) from None


class _InMemory(MultiPartParser):
    """The parser of forms that moves no large file to the disk; the guard bounds the whole request."""

    def __init__(self, request: Request, limits: Limits):
        most = limits.request_bytes
        super().__init__(request.headers, request.stream(), max_files=limits.files, max_fields=20, max_part_size=most)
        self.spool_max_size = most


def say_problem(answer: Response) -> Response:
    """Have htmx put what is wrong over the result, which stays: the page has a place for it, `#problem`."""
    where = {"HX-Retarget": "#problem", "HX-Reselect": "#problem", "HX-Reswap": "outerMorph"}
    answer.headers.update(where)
    return answer


def text(form: Mapping[str, object], name: str) -> str:
    """A field of a form; nothing where it is missing or a file."""
    value = form.get(name)
    return value if isinstance(value, str) else ""


def chooses_own(request: Request, form: FormData, pick: str, file: str) -> bool:
    """Whether a form asks about the reader's own picture.

    Without scripts, nothing marks it as picked when a file is chosen.

    Args:
        request: that brought the form.
        form: the form.
        pick: name of the field that says what is picked.
        file: name of the file's field.
    """
    return text(form, pick) == OWN or (_chosen(form, file) is not None and not wants_part(request))


async def own_picture(form: FormData, file: str, kept: str, limits: Limits, side: int) -> np.ndarray:
    """The reader's own picture, square: the file that comes with a form, or what the page kept of an earlier one.

    Args:
        form: the form.
        file: name of the file's field.
        kept: name of the field with the picture as text.
        limits: of files.
        side: pixels.

    Returns:
        uint8 [side, side, 3].

    Raises:
        InputError: if there is none, or it cannot be read.
    """
    from shoal.web.rooms.small_images import from_text, squared

    upload = _chosen(form, file)
    if upload is not None:
        return squared(await read_image(upload, limits), side)
    if not text(form, kept):
        raise wrong("picture", expected="a file", got="none", fix="choose one first")
    return from_text(text(form, kept), side)


def _chosen(form: FormData, name: str) -> UploadFile | None:
    """A file that was chosen; browsers send one without name or content where none was."""
    upload = form.get(name)
    return upload if isinstance(upload, UploadFile) and (upload.filename or upload.size) else None
