"""Who has logged in: random tokens in a cookie, of which the server's memory holds hashes; a restart ends all.

The cookie is `HttpOnly` (no script reads it) and `SameSite=Strict` (no page of another site sends it).
"""

import hashlib
import secrets
import threading
import time

from starlette.responses import Response

from shoal.web.gallery.keys import Key, KeyRing

COOKIE = "shoal_gallery"
LIFETIME = 12 * 3600.0  # seconds
MOST = 1000  # sessions; the oldest goes


class Sessions:
    """The sessions of a service.

    Args:
        ring: of the keys that sessions were begun with; one that is withdrawn ends its sessions.
        lifetime: of a session, in seconds.
    """

    def __init__(self, ring: KeyRing, lifetime: float = LIFETIME):
        self.ring, self.lifetime = ring, lifetime
        self._lock = threading.Lock()
        self._open: dict[str, tuple[Key, float]] = {}  # by the token's hash, the oldest first

    def begin(self, key: Key) -> str:
        """Begin a session; gives its token."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            while len(self._open) >= MOST:
                del self._open[next(iter(self._open))]
            self._open[_hash(token)] = (key, time.monotonic() + self.lifetime)
        return token

    def who(self, token: str) -> str | None:
        """The name of whoever has this token; None where there is no such session, or none any more."""
        with self._lock:
            found = self._open.get(_hash(token))
        if found is None:
            return None
        key, end = found
        if time.monotonic() < end and self.ring.holds(key):
            return key.name
        self.end(token)
        return None

    def end(self, token: str) -> None:
        """End a session, if there is one."""
        with self._lock:
            self._open.pop(_hash(token), None)

    def give(self, answer: Response, token: str, *, secure: bool) -> None:
        """Have a browser keep a token.

        Args:
            answer: to a browser.
            token: that it sends from now on; empty takes it away.
            secure: send it over TLS only.
        """
        age = int(self.lifetime) if token else 0
        answer.set_cookie(COOKIE, token, max_age=age, path="/", secure=secure, httponly=True, samesite="strict")


def _hash(token: str) -> str:
    """Tokens are looked up by their hashes, so that the time that it takes tells nothing of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
