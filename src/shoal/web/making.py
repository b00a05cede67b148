"""The addresses under `/runs`: starting a run, seeing how it goes, cancelling it, and the report of a finished one."""

import functools
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from shoal.errors import unknown_name
from shoal.web.house import House, house_of, wants_part
from shoal.web.jobs import BusyError
from shoal.web.rooms import Room
from shoal.web.runs import STUDIES

# A report is one file that holds its own style and script, and asks nobody for anything.
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"

router = APIRouter()


@router.post("/{study}")
async def start(request: Request, study: str) -> Response:
    """Begin a run, or say that another one is being made."""
    house = house_of(request)
    try:
        await house.jobs.start(study)
    except BusyError as busy:
        template = "job.html" if wants_part(request) else "making.html"
        shown = {"study": study, "job": house.jobs.of(study), "home": _home(house, study), "refusal": str(busy)}
        return house.page(request, template, status=409, **shown)
    return _seen(request, study)


@router.post("/{study}/cancel")
async def cancel(request: Request, study: str) -> Response:
    """Stop a run."""
    await house_of(request).jobs.cancel(study)
    return _seen(request, study)


@router.get("/{study}")
async def state(request: Request, study: str) -> Response:
    """How a run goes: the part of a page that asks every second, or a page that loads itself anew."""
    if study not in STUDIES:
        raise unknown_name("study", study, STUDIES)
    house = house_of(request)
    job = house.jobs.of(study)
    shown = {"study": study, "job": job, "home": _home(house, study)}
    if not wants_part(request):
        return house.page(request, "making.html", **shown)
    answer = house.page(request, "job.html", **shown)
    if job is not None and job.state == "done":
        answer.headers["HX-Refresh"] = "true"  # the room shows the run
    return answer


@router.get("/{study}/report")
def report(request: Request, study: str) -> Response:
    """The report of the newest finished run."""
    run = house_of(request).runs.newest(study)
    if run is None:
        raise HTTPException(404)
    headers = {"content-security-policy": f"{REPORT_POLICY}; frame-ancestors 'none'"}
    return HTMLResponse(_written(run.file, run.ended), headers=headers)


@functools.lru_cache(maxsize=8)
def _written(file: Path, ended: float) -> str:  # noqa: ARG001 - a run that ended anew is written anew
    from shoal.report import render
    from shoal.studies.result import Result

    return render([Result.load(file)])


def _home(house: House, study: str) -> Room | None:
    """The room that shows a study's runs."""
    return next((room for room in house.rooms if study in room.studies), None)


def _seen(request: Request, study: str) -> Response:
    """Where the reader sees it: in place, or on its page."""
    if not wants_part(request):
        return RedirectResponse(f"/runs/{study}", 303)
    house = house_of(request)
    return house.page(request, "job.html", study=study, job=house.jobs.of(study), home=_home(house, study))
