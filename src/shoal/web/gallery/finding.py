"""What a request finds: the desk of the server that it came to, and the gallery in the name of whoever asks."""

from typing import TYPE_CHECKING

from starlette.requests import Request

if TYPE_CHECKING:
    from shoal.gallery import Gallery
    from shoal.web.gallery.desk import Desk


def desk_of(request: Request) -> "Desk":
    """The desk of a service, or of the room that a request came to."""
    found = getattr(request.state, "desk", None)
    return request.app.state.desk if found is None else found


def who_asks(request: Request) -> str | None:
    """The name of the key that a request came with; None where the service needs none."""
    return getattr(request.state, "who", None)


def asker(request: Request) -> "Gallery":
    """The gallery, used by whoever asks."""
    return desk_of(request).gallery(who_asks(request))


def cleaned(request: Request, error: Exception) -> str:
    """What is wrong, for others: no file of this machine is named."""
    return desk_of(request).without_paths(str(error))
