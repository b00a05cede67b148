"""Who may ask, and what a page may do: checks of Host and Origin, size of requests, and headers of every answer.

A page of another site that is open in the same browser can send requests to this machine, and can make its own name
point here (DNS rebinding). So the server answers only to names of this machine, takes changes only from its own pages,
and lets nobody show its pages in a frame.
"""

import ipaddress
from collections.abc import Callable, Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # "no-referrer" would take the Origin of forms that are sent without scripts
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
LOCAL = ("127.0.0.1", "localhost", "::1")
_SAFE = {"GET", "HEAD", "OPTIONS"}


class TooLargeError(Exception):
    """A request holds more bytes than it may."""


class Guard:
    """Middleware that turns away what does not come from the server's own pages.

    Args:
        app: that is guarded.
        hosts: names and addresses that the server answers to, without port.
        any_address: answer to every numerical address too: for a server that others of the network reach. A rebound
            name is no number.
        most_bytes: of a request's body.
        refuse: makes the answer to what is turned away, of its status and why; a line of text where it gives none.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Iterable[str] = LOCAL,
        any_address: bool = False,
        most_bytes: int,
        refuse: Callable[[Scope, int, str], Response | None] | None = None,
    ):
        self.app, self.refuse = app, refuse
        self.hosts, self.any_address, self.most_bytes = {*hosts}, any_address, most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            status, text = refusal
            answer = None if self.refuse is None else self.refuse(scope, status, text)
            await (answer or PlainTextResponse(text + "\n", status))(scope, receive, _with_headers(send))
            return
        await self.app(scope, self._counted(receive), _with_headers(send))

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        """Status and reason, or None for what may pass."""
        host = headers.get("host", "")
        if not self._known(host):
            return 421, "host: expected an address of this server; open the address that `shoal serve` printed"
        if not _from_own_page(scope, headers, host):
            return 403, "origin: expected a page of this server, got another; open the address that was printed"
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self.most_bytes:
            return 413, f"request: expected at most {self.most_bytes / 1e6:g} MB"
        return None

    def _known(self, host: str) -> bool:
        name = _name(host)
        return name in self.hosts or (self.any_address and _is_address(name))

    def _counted(self, receive: Receive) -> Receive:
        """Receive no more than may come, whatever its length was said to be."""
        got = 0

        async def counted() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > self.most_bytes:
                raise TooLargeError
            return message

        return counted


def _name(host: str) -> str:
    """A Host header without its port, in lower case; an IPv6 address without brackets."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _from_own_page(scope: Scope, headers: Headers, host: str) -> bool:
    """Whether a request comes from a page of this server, or from no page at all.

    Reading is allowed to those who open a link from elsewhere; parts of pages and changes are not.
    """
    site = headers.get("sec-fetch-site", "none")
    opened = headers.get("sec-fetch-mode", "navigate") == "navigate"
    if scope["method"] in _SAFE:
        return site in {"none", "same-origin"} or opened
    origin = headers.get("origin")
    if origin is None:
        return site in {"none", "same-origin"}
    return origin == f"{HTTPConnection(scope).url.scheme}://{host}"


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
            headers.setdefault("cache-control", "no-store")
        await send(message)

    return sending
