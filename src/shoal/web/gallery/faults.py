"""What the API says when something is wrong: {"error": {"code": …, "message": …}}, with a status for each code.

Messages are sentences for people, in one line; programs go by the code. Neither ever holds a path or a stack trace.
"""

from typing import Any, Literal, get_args

from pydantic import BaseModel
from starlette.responses import JSONResponse

API = "/api/v1/"
Code = Literal[
    "busy",
    "failed",
    "foreign_host",
    "foreign_page",
    "invalid",
    "method_not_allowed",
    "no_key",
    "no_model",
    "not_found",
    "refused",
    "slow",
    "too_large",
    "unavailable",
    "wrong_key",
]
STATUS: dict[str, int] = {
    "no_key": 401,
    "wrong_key": 401,
    "foreign_page": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "slow": 408,
    "no_model": 409,
    "too_large": 413,
    "foreign_host": 421,
    "invalid": 422,
    "refused": 422,
    "failed": 500,
    "busy": 503,
    "unavailable": 503,
}
CODE_OF = {403: "foreign_page", 404: "not_found", 405: "method_not_allowed", 413: "too_large", 421: "foreign_host"}
MEANING = {
    401: "No key, or a wrong one.",
    403: "Asked by a page of another site.",
    404: "There is no such face, or no such address.",
    405: "This address cannot be used in that way.",
    408: "The request took too long to come.",
    409: "The gallery has no model that embeds photos.",
    413: "The request is larger than it may be.",
    421: "The server does not answer to this name.",
    422: "What was sent cannot be used, or the gallery refuses it; nothing was changed.",
    500: "Something failed in Shoal itself; the service's log says more.",
    503: "Too much is asked at once, or the database cannot be used now; nothing was changed.",
}
FAILED = "something failed in Shoal itself; the service's log says more"
UNAVAILABLE = "the gallery's database cannot be used now, and nothing was changed; the service's log says more"
assert set(get_args(Code)) == set(STATUS)


class Fault(BaseModel):
    """What is wrong."""

    code: Code
    message: str


class Problem(BaseModel):
    """An answer that says what is wrong."""

    error: Fault


class FaultError(Exception):
    """A request that ends with a fault.

    Args:
        code: see `STATUS`.
        message: one line, for people.
    """

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code, self.message = code, message


def fault(code: str, message: str) -> JSONResponse:
    """An answer that says what is wrong.

    Example:
        >>> fault("not_found", "face: expected one in the gallery, got 7").body
        b'{"error":{"code":"not_found","message":"face: expected one in the gallery, got 7"}}'
    """
    shown = message.encode("utf-8", "backslashreplace").decode()  # halves of characters have no bytes
    answer = JSONResponse({"error": {"code": code, "message": shown}}, STATUS[code])
    if code == "busy":
        answer.headers["retry-after"] = "5"
    return answer


def documented(*more: int) -> dict[int | str, dict[str, Any]]:
    """The answers that an address may give besides the right one, for its documentation.

    Args:
        more: statuses beyond those that every address has.
    """
    common = (401, 403, 405, 413, 421, 422, 500, 503)
    return {status: {"model": Problem, "description": MEANING[status]} for status in sorted({*common, *more})}
