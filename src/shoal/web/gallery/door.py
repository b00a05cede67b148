"""Who asks: the API takes keys (`Authorization: Bearer shoal_…`), pages take sessions, and neither takes the other.

Nothing of a request is read before it is known whose it is. What is open to everybody is named; all else is not.
"""

from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from shoal.web.gallery.faults import API, fault
from shoal.web.gallery.sessions import COOKIE, Sessions

OPEN = {"/", "/health", "/login", "/api", "/api/openapi.json"}
LOGIN = "/login"


class Door:
    """Middleware that lets in who has a key or a session, and notes in `request.state.who` who it is.

    Args:
        app: behind the door.
        sessions: and, in them, the keys.
    """

    def __init__(self, app: ASGIApp, *, sessions: Sessions):
        self.app, self.sessions = app, sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] != "http" or scope["path"] in OPEN or scope["path"].startswith("/static/"):
            await self.app(scope, receive, send)
            return
        headers, api = Headers(scope=scope), scope["path"].startswith(API)
        who = self._of_key(headers) if api else self._of_session(headers)
        if who is not None:
            scope.setdefault("state", {})["who"] = who
            await self.app(scope, receive, send)
        elif api:
            await _no_key(headers)(scope, receive, send)
        else:
            await _to_login(headers)(scope, receive, send)

    def _of_key(self, headers: Headers) -> str | None:
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        key = self.sessions.ring.find(given.strip())
        return None if key is None else key.name

    def _of_session(self, headers: Headers) -> str | None:
        token = token_of(headers)
        return self.sessions.who(token) if token else None


def token_of(headers: Headers) -> str:
    """The session's token that a browser sends; empty where there is none."""
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookies[COOKIE].value if COOKIE in cookies else ""


def _no_key(headers: Headers) -> Response:
    if headers.get("authorization"):
        answer = fault("wrong_key", "authorization: expected a key of this gallery, got another")
    else:
        answer = fault("no_key", "authorization: expected `Bearer` and a key, got none")
    answer.headers["www-authenticate"] = 'Bearer realm="gallery"'
    return answer


def _to_login(headers: Headers) -> Response:
    if headers.get("hx-request") == "true":
        return Response(status_code=401, headers={"HX-Redirect": LOGIN})
    return RedirectResponse(LOGIN, 303)
