"""Logging in to a service with keys: a form that takes a key, and a cookie that no script and no other site gets."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from shoal.web.gallery.door import token_of
from shoal.web.gallery.house import page
from shoal.web.gallery.pages import ROOT
from shoal.web.gallery.sessions import Sessions

WRONG = "key: expected one of this gallery, got another; see `shoal gallery key`"
router = APIRouter(include_in_schema=False)


@router.get("/login")
def login_form(request: Request) -> Response:
    """The form."""
    return page(request, "gallery/login.html", problem="")


@router.post("/login")
def login(request: Request, key: Annotated[str, Form(max_length=200)] = "") -> Response:
    """Begin a session."""
    sessions: Sessions = request.app.state.sessions
    found = sessions.ring.find(key.strip())
    if found is None:
        return page(request, "gallery/login.html", status=401, problem=WRONG)
    answer = RedirectResponse(ROOT, 303)
    sessions.give(answer, sessions.begin(found), secure=request.url.scheme == "https")
    return answer


@router.post("/logout")
def logout(request: Request) -> Response:
    """End the session."""
    sessions: Sessions = request.app.state.sessions
    sessions.end(token_of(request.headers))
    answer = RedirectResponse("/login", 303)
    sessions.give(answer, "", secure=request.url.scheme == "https")
    return answer
