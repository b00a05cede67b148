"""The entrance: what rooms there are, and how the runs stand that they show."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.responses import Response

from shoal.web.house import House, house_of
from shoal.web.rooms import Room
from shoal.web.runs import Run

router = APIRouter()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A room as the entrance shows it: each study with its newest run, or None."""

    room: Room
    runs: tuple[tuple[str, Run | None], ...]


@router.get("/")
def entrance(request: Request) -> Response:
    """The page that opens first."""
    house = house_of(request)
    return house.page(request, "overview.html", entries=entries(house))


def entries(house: House) -> tuple[Entry, ...]:
    """Rooms with the state of their runs."""
    found = house.runs.all()
    newest = {run.study: run for run in reversed(found)}
    return tuple(
        Entry(room=room, runs=tuple((study, newest.get(study)) for study in room.studies)) for room in house.rooms
    )
