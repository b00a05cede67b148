"""Photos that come with a request: read into memory, decoded by a process that may not do much, then a `Photo`.

A photo is known by the bytes that came, as in every other way into the gallery; what is worked with are its pixels,
so that whatever else is in the file (where it was taken, by which camera) goes no further. Its name is not looked at.
"""

import asyncio
import hashlib
import io
import json
from collections.abc import Sequence
from typing import Any, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from PIL import Image
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile

from shoal.errors import wrong
from shoal.gallery.sources import Photo
from shoal.web.gallery.desk import RECEIVING
from shoal.web.gallery.faults import FaultError
from shoal.web.rooms.forms import read_form
from shoal.web.uploads import Limits, decode

F = TypeVar("F", bound=BaseModel)
AS_JSON = ("box", "boxes")  # fields of a form that hold more than a word


async def read_photos(request: Request, limits: Limits, field: str) -> tuple[FormData, list[bytes]]:
    """The fields of a form, and the bytes of its photos.

    Args:
        request: with a form as its body.
        limits: of photos.
        field: name of the photos' field.

    Raises:
        InputError: if there is no photo, or too many.
        FaultError: "slow", if the request does not come in time.
    """
    try:
        async with asyncio.timeout(RECEIVING):
            form = await read_form(request, limits)
    except TimeoutError:
        raise FaultError("slow", f"request: expected within {RECEIVING:g} s, got a slower one") from None
    try:
        files = [value for value in form.getlist(field) if isinstance(value, UploadFile)]
        contents = [await file.read(limits.most_bytes + 1) for file in files if file.filename or file.size]
    finally:
        await form.close()
    if not contents:
        raise wrong(field, expected="a photo", got="none", fix="choose one first")
    return form, contents


def fields_of(form: FormData, shape: type[F], photos: str) -> F:
    """The fields of a form besides its photos, checked.

    Args:
        form: as it came.
        shape: what it may hold.
        photos: name of the photos' field.

    Raises:
        RequestValidationError: if it holds something else.
    """
    given: dict[str, Any] = {}
    for name, value in form.multi_items():
        if name != photos and value != "":
            given[name] = _value(name, value)
    try:
        return shape.model_validate(given)
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None


def as_photo(content: bytes, limits: Limits, *, keep: bool = False, what: str = "photo") -> Photo:
    """Decode a photo.

    Args:
        content: the bytes of a file.
        limits: of bytes, pixels and seconds.
        keep: it may be kept, so that it should be small.
        what: it is, for messages.

    Raises:
        InputError: if it cannot be read.
    """
    pixels = decode(content, limits, what)  # uint8 (height, width, 3)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG" if keep else "BMP")
    return Photo(hashlib.sha256(content).hexdigest(), "", file.getvalue())


def check_boxes(boxes: Sequence[object] | None, photos: int) -> None:
    """Refuse boxes of another number of photos, before any photo is in."""
    if boxes is not None and len(boxes) != photos:
        raise wrong("boxes", expected=f"a list of boxes for each of {photos} photos", got=len(boxes))


def form_of(shape: type[BaseModel], photos: str, *, several: bool) -> dict[str, Any]:
    """What the documentation says of a form with photos."""
    fields = shape.model_json_schema()
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    one = file | {"description": "PNG, JPEG, WebP, BMP or GIF"}
    properties = {photos: {"type": "array", "items": one, "minItems": 1} if several else one}
    for name, about in fields["properties"].items():
        properties[name] = {"type": "string", "description": about["description"]} if name in AS_JSON else _said(about)
    schema = {"type": "object", "properties": properties, "required": [photos, *fields.get("required", [])]}
    schema["additionalProperties"] = False
    kinds = {photos: {"contentType": "image/png, image/jpeg, image/webp, image/bmp, image/gif"}}
    content = {"multipart/form-data": {"schema": schema, "encoding": kinds}}
    return {"requestBody": {"required": True, "content": content}}


def _said(about: dict[str, Any]) -> dict[str, Any]:
    """What a field holds where it is there: a form has no null, it leaves the field out."""
    kinds = [kind for kind in about.get("anyOf", ()) if kind.get("type") != "null"]
    rest = {name: value for name, value in about.items() if name != "anyOf" and value is not None}
    return rest | (kinds[0] if kinds else {})


def _value(name: str, value: object) -> object:
    if name not in AS_JSON or not isinstance(value, str):
        return value if isinstance(value, str) else "a file"
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
