"""What a reader sees when something goes wrong: one sentence on a page of the house, never a stack trace.

Wrong input is 422, what is missing 404, what failed 500; parts that htmx asked for get the sentence alone. Where JSON
is asked for, it is JSON.
"""

import logging
from http import HTTPStatus

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from shoal.errors import InputError, ShoalError
from shoal.web.guard import TooLargeError
from shoal.web.house import house_of, wants_part

_LOG = logging.getLogger("shoal.web")
_WORDS = {
    404: "There is no such page here.",
    405: "This address cannot be used in that way.",
}
FAILED = "Something failed in Shoal itself. The terminal in which `shoal serve` runs says more."


def handle_problems(app: FastAPI) -> None:
    """Have an app answer errors in words."""
    app.add_exception_handler(ShoalError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(TooLargeError, _too_large)
    app.add_exception_handler(Exception, _unknown)


def answer(request: Request, status: int, text: str) -> Response:
    """A problem in the form that was asked for.

    Args:
        request: that went wrong.
        status: of HTTP.
        text: a sentence for the reader.
    """
    accepted = request.headers.get("accept", "")
    if "application/json" in accepted and "text/html" not in accepted:
        return JSONResponse({"error": text}, status)
    template = "problem.html" if wants_part(request) else "error.html"
    title = HTTPStatus(status).phrase
    return house_of(request).page(request, template, status=status, text=text, title=title, number=status)


def sentence_of(error: RequestValidationError) -> str:
    """What is wrong with a parameter, in the house's form."""
    first = error.errors()[0]
    name = str(first["loc"][-1])
    got = first.get("input")
    said = "nothing" if got is None or isinstance(got, dict) else repr(got)[:60]
    expected = str(first["msg"]).removeprefix("Input should be ").removeprefix("Value error, ")
    return f"{name}: expected {expected}, got {said}"


async def _known(request: Request, error: Exception) -> Response:
    return answer(request, 422 if isinstance(error, InputError) else 500, str(error))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return answer(request, 422, sentence_of(error))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    text = _WORDS.get(error.status_code, str(error.detail))
    return answer(request, error.status_code, text)


async def _too_large(request: Request, _: Exception) -> Response:
    return answer(request, 413, "The file is larger than this page takes.")


async def _unknown(request: Request, error: Exception) -> Response:
    _LOG.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return answer(request, 500, FAILED)
