"""The playground as one application: rooms, runs, jobs, pages of the house, and who may ask.

app = create_app(Path("runs"))                # any ASGI server runs it; `shoal serve` does
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

import shoal
from shoal.web import making, overview
from shoal.web.guard import LOCAL, Guard
from shoal.web.house import REPORT, WEB, House, house_of
from shoal.web.problems import handle_problems
from shoal.web.rooms import load_rooms
from shoal.web.uploads import Limits


def create_app(
    runs: Path = Path("runs"),
    *,
    hosts: Iterable[str] = LOCAL,
    any_address: bool = False,
    limits: Limits = Limits(),  # noqa: B008 - frozen
) -> FastAPI:
    """Put the playground together.

    Args:
        runs: folder in which runs are looked for and made; need not exist.
        hosts: names that the server answers to.
        any_address: answer to every numerical address too, see `shoal.web.guard.Guard`.
        limits: of uploads.
    """
    house = House(Path(runs), load_rooms(), limits)
    app = FastAPI(title="Shoal", version=shoal.__version__, docs_url=None, redoc_url=None, openapi_url=None,
                  lifespan=_lifespan)  # fmt: skip
    app.state.house = house
    app.add_middleware(Guard, hosts=hosts, any_address=any_address, most_bytes=limits.request_bytes)
    handle_problems(app)
    app.include_router(overview.router)
    app.include_router(making.router, prefix="/runs")
    for room in house.rooms:
        app.include_router(room.router, prefix=f"/{room.name}")
    app.add_api_route("/health", _health, methods=["GET"])
    app.add_api_route("/static/report.css", _style, methods=["GET"])
    app.mount("/static/rooms", StaticFiles(directory=WEB / "rooms" / "static", check_dir=False))
    app.mount("/static", StaticFiles(directory=WEB / "static"))
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """While the server runs: what is heavy comes in the background, and jobs end with it."""
    house: House = app.state.house
    house.warming.start()
    yield
    await house.jobs.close()
    house.close()


def _health(request: Request) -> dict[str, Any]:
    house = house_of(request)
    return {"status": "ok", "version": shoal.__version__, "warm": house.warming.done}


def _style() -> Response:
    """The report's style sheet: one house, one style."""
    return FileResponse(REPORT / "report.css", media_type="text/css")
