"""What rooms share while the server runs: how pages are rendered, where runs are, the jobs, one lock for computing.

A room gets it as `house_of(request)`.
"""

import functools
import re
import threading
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

import shoal
from shoal.web.jobs import Jobs
from shoal.web.rooms import Room
from shoal.web.runs import Runs, ago
from shoal.web.warming import Warming

if TYPE_CHECKING:
    from shoal.web.uploads import Limits

T = TypeVar("T")
WEB = Path(__file__).parent
REPORT = WEB.parent / "report" / "templates"


class House:
    """Everything that outlives a request.

    Args:
        runs: folder in which run folders are.
        rooms: in the order of the navigation.
        limits: of uploads.

    Attributes:
        runs: finds finished runs.
        jobs: makes runs, one at a time.
        computing: held while torch computes.
        warming: imports what is heavy in the background.
    """

    def __init__(self, runs: Path, rooms: tuple[Room, ...], limits: "Limits"):
        self.runs, self.rooms, self.limits = Runs(runs), rooms, limits
        self.jobs = Jobs(runs)
        self.computing = threading.Lock()
        self.warming = Warming()
        self._kept: dict[Hashable, tuple[Any, Callable[[Any], None]]] = {}
        self._keeping = threading.Lock()

    def kept(self, key: Hashable, make: Callable[[], T], close: Callable[[T], None]) -> T:
        """What a room keeps while the server runs: made when it is first asked for, closed when the server ends.

        Args:
            key: of the thing.
            make: makes it.
            close: is told at the end.
        """
        with self._keeping:
            if key not in self._kept:
                self._kept[key] = make(), close
            return self._kept[key][0]

    def close(self) -> None:
        """Close what was kept."""
        with self._keeping:
            for thing, close in self._kept.values():
                close(thing)
            self._kept.clear()

    def wait_until_warm(self) -> None:
        """Return once torch is there; at once after the first seconds of a server."""
        self.warming.wait()

    def warming_page(self, request: Request) -> Response | None:
        """In the first seconds of a server, a page that loads itself anew until torch is there; None after that."""
        if self.warming.done or wants_part(request):
            return None
        self.warming.start()
        return self.page(request, "warming.html")

    def page(self, request: Request, template: str, *, status: int = 200, **context: Any) -> Response:
        """Render a template as an answer.

        Args:
            request: that it answers.
            template: below `web/templates` or `web/rooms/templates`.
            status: of HTTP.
            context: what the template asks for besides `room`, `rooms`, `version`, `path` and `jobs`.
        """
        return HTMLResponse(self.text(request, template, context), status_code=status)

    def text(self, request: Request, template: str, context: Mapping[str, Any]) -> str:
        """A template as text."""
        shared = {
            "rooms": self.rooms,
            "room": self._room(request.url.path),
            "path": request.url.path,
            "version": shoal.__version__,
            "jobs": self.jobs,
        }
        return environment().get_template(template).render(shared | dict(context))

    def _room(self, path: str) -> Room | None:
        first = path.strip("/").partition("/")[0]
        return next((room for room in self.rooms if room.name == first), None)


def house_of(request: Request) -> House:
    """The house that a request came to."""
    return request.app.state.house


def wants_part(request: Request) -> bool:
    """Whether htmx asks for a part of a page; going back in the history asks for whole pages."""
    header = request.headers.get
    return header("hx-request") == "true" and header("hx-history-restore-request") != "true"


@functools.cache
def environment() -> Environment:
    """Templates of the playground, of its rooms, and those of the report under `report/`."""
    own = FileSystemLoader([WEB / "templates", WEB / "rooms" / "templates"])
    found = Environment(
        loader=ChoiceLoader([own, PrefixLoader({"report": FileSystemLoader(REPORT)})]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_unbroken,
    )
    found.filters["ago"] = ago
    return found


def _unbroken(value: object) -> object:
    """Text in which a number and its per cent sign stay on one line."""
    return re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", value) if type(value) is str else value
