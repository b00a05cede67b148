"""The gallery's service as one application: the API, its documentation, pages, and who may ask.

app = create_service(Desk("faces.db"))                  # any ASGI server runs it; `shoal gallery serve` does
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

import shoal
from shoal.web.gallery import asking, facts, login, naming, pages, pages_people, pages_photos
from shoal.web.gallery.answers import handle_faults, refuse
from shoal.web.gallery.desk import Desk
from shoal.web.gallery.door import Door
from shoal.web.gallery.keys import KeyRing
from shoal.web.gallery.reference import reference
from shoal.web.gallery.sessions import Sessions
from shoal.web.guard import LOCAL, Guard
from shoal.web.house import REPORT, WEB

ABOUT = (
    "People and faces in a database. Where the service asks for keys, a request carries one: "
    '`Authorization: Bearer shoal_…`. What is wrong is said as `{"error": {"code": …, "message": …}}`. '
    "Models come from files that whoever runs the service names; no request names a file."
)


def create_service(
    desk: Desk, *, ring: KeyRing | None = None, hosts: Iterable[str] = LOCAL, any_address: bool = False
) -> FastAPI:
    """Put the service together.

    Args:
        desk: of the gallery; closed when the server ends.
        ring: keys; without them everybody may ask who reaches the server.
        hosts: names that the server answers to.
        any_address: answer to every numerical address too, see `shoal.web.guard.Guard`.
    """
    app = FastAPI(
        title="Shoal gallery",
        version=shoal.__version__,
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=_lifespan,
    )
    app.state.desk, app.state.sessions = desk, None if ring is None else Sessions(ring)
    if app.state.sessions is not None:
        app.add_middleware(Door, sessions=app.state.sessions)
    # added last, so that it comes first
    app.add_middleware(Guard, hosts=hosts, any_address=any_address, most_bytes=desk.limits.request_bytes, refuse=refuse)
    handle_faults(app)
    app.include_router(facts.health_router)
    # the door has let in whoever comes here: this is for the documentation
    bearer = HTTPBearer(description="a key of `shoal gallery key`", auto_error=False)
    for part in (facts, naming, asking):
        app.include_router(part.router, prefix="/api/v1", dependencies=[] if ring is None else [Depends(bearer)])
    app.add_api_route(pages.ROOT, pages.home, methods=["GET"], include_in_schema=False)
    for part in (pages, pages_people, pages_photos):
        app.include_router(part.router, prefix=pages.ROOT)
    if app.state.sessions is not None:
        app.include_router(login.router)
    app.add_api_route("/api", reference, methods=["GET"], include_in_schema=False)
    app.add_api_route("/", _entrance, methods=["GET"], include_in_schema=False)
    app.add_api_route("/static/report.css", _style, methods=["GET"], include_in_schema=False)
    app.mount("/static", StaticFiles(directory=WEB / "static"))
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await run_in_threadpool(app.state.desk.close)


def _entrance() -> Response:
    return RedirectResponse("/gallery", 303)


def _style() -> Response:
    """The report's style sheet: one house, one style."""
    return FileResponse(REPORT / "report.css", media_type="text/css")
