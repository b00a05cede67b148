"""The addresses under `/runs`: starting a run, seeing how it goes, cancelling it."""

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from shoal.errors import unknown_name
from shoal.web.house import house_of, wants_part
from shoal.web.runs import STUDIES

router = APIRouter()


@router.post("/{study}")
async def start(request: Request, study: str) -> Response:
    """Begin a run."""
    await house_of(request).jobs.start(study)
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
    room = next((room for room in house.rooms if study in room.studies), None)
    shown = {"study": study, "job": job, "home": room}
    if not wants_part(request):
        return house.page(request, "making.html", **shown)
    answer = house.page(request, "job.html", **shown)
    if job is not None and job.state == "done":
        answer.headers["HX-Refresh"] = "true"  # the room shows the run
    return answer


def _seen(request: Request, study: str) -> Response:
    """Where the reader sees it: in place, or on its page."""
    if not wants_part(request):
        return RedirectResponse(f"/runs/{study}", 303)
    house = house_of(request)
    return house.page(request, "job.html", study=study, job=house.jobs.of(study), home=None)
