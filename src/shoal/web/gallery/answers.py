"""How the service answers what goes wrong: the API in JSON, pages in a sentence on a page of the house."""

import logging

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from shoal.errors import InputError, ShoalError
from shoal.web.gallery.faults import API, CODE_OF, FAILED, STATUS, UNAVAILABLE, FaultError, fault
from shoal.web.gallery.finding import desk_of
from shoal.web.gallery.house import page
from shoal.web.guard import TooLargeError
from shoal.web.problems import sentence_of

_LOG = logging.getLogger("shoal.web")
_WORDS = {
    "not_found": "There is no such address here.",
    "method_not_allowed": "This address cannot be used in that way.",
}


def handle_faults(app: FastAPI) -> None:
    """Have the service answer errors in words."""
    app.add_exception_handler(FaultError, _fault)
    app.add_exception_handler(ShoalError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(TooLargeError, _too_large)
    app.add_exception_handler(Exception, _unknown)


def refuse(scope: Scope, status: int, text: str) -> Response | None:
    """How the guard answers what it turns away from the API; None has it answer pages as it always does."""
    return fault(CODE_OF[status], text) if scope["path"].startswith(API) or scope["path"] == "/health" else None


def answer(request: Request, code: str, message: str) -> Response:
    """A fault in the form that was asked for."""
    if request.url.path.startswith(API) or request.url.path == "/health":
        return fault(code, message)
    return page(request, "gallery/error.html", status=STATUS[code], text=message)


async def _fault(request: Request, error: Exception) -> Response:
    assert isinstance(error, FaultError)
    return answer(request, error.code, error.message)


async def _known(request: Request, error: Exception) -> Response:
    if isinstance(error, InputError):
        return answer(request, "refused", desk_of(request).without_paths(str(error)))
    _LOG.error("%s %s: %s", request.method, request.url.path, error)
    return answer(request, "unavailable", UNAVAILABLE)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return answer(request, "invalid", sentence_of(error))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, TooLargeError):  # met while a body was read
        return await _too_large(request, error)
    code = CODE_OF.get(error.status_code, "invalid")
    found = answer(request, code, _WORDS.get(code, str(error.detail)))
    found.headers.update(error.headers or {})
    return found


async def _too_large(request: Request, _: Exception) -> Response:
    return answer(request, "too_large", f"request: expected at most {desk_of(request).limits.request_bytes / 1e6:g} MB")


async def _unknown(request: Request, error: Exception) -> Response:
    _LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return answer(request, "failed", FAILED)
