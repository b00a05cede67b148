"""The room of faces: two images, the distance of their embeddings beside a threshold, and the clusters of the run.

A form posts what is picked or uploaded; images that are picked are in the address, pictures of the reader's own are in
the page alone: they never leave this machine, no file of them is written, and the server forgets them with the answer.
"""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from shoal.errors import InputError, ShoalError, wrong
from shoal.web.house import House, house_of, wants_part
from shoal.web.rooms import Room
from shoal.web.rooms.forms import OWN, chooses_own, own_picture, read_form, say_problem, text
from shoal.web.runs import Run

if TYPE_CHECKING:
    import numpy as np

    from shoal.web.rooms.faces_compared import Comparing

PAGE, SIDES = "faces/room.html", ("a", "b")

router = APIRouter()
ROOM = Room(
    name="faces",
    title="Faces",
    sentence="Put two images side by side: how far apart a network embeds them, and what that distance means at a "
    "false-accept rate of your choice.",
    studies=("faces",),
    router=router,
)


@router.get("")
def room(request: Request, a: str = "", b: str = "", far: float | None = None, now: bool = False) -> Response:
    """The page with two images that were picked."""
    house = house_of(request)
    run = house.runs.newest("faces")
    if run is None:
        return house.page(request, PAGE, state="empty", problem="")
    if not now and not _ready(house, run):
        address = _address({"a": a, "b": b, "far": far, "now": "true"})
        return house.page(request, PAGE, state="waiting", problem="", address=address)
    return _page(request, run, a, b, {}, far)


@router.post("")
async def ask(request: Request) -> Response:
    """Two images, either of them picked or the reader's own."""
    house = house_of(request)
    run = house.runs.newest("faces")
    if run is None:
        return RedirectResponse("/faces", 303)
    form = await read_form(request, house.limits)
    picked, problem, far, own = {side: text(form, side) for side in SIDES}, "", None, {}
    try:
        far = _far(form)
        own = await _own(request, form, run)
    except InputError as error:
        problem = str(error)
    finally:
        await form.close()
    a, b = (OWN if side in own else picked[side] for side in SIDES)
    if not (own or problem or wants_part(request)):
        return RedirectResponse(_address({"a": a, "b": b, "far": far, "now": "true"}), 303)
    return await run_in_threadpool(_page, request, run, a, b, own, far, problem)


async def _own(request: Request, form: FormData, run: Run) -> "dict[str, np.ndarray]":
    """The reader's own pictures, by side."""
    house = house_of(request)
    chosen = [side for side in SIDES if chooses_own(request, form, side, f"{side}_file")]
    if not chosen:
        return {}
    side_length = await run_in_threadpool(_side, house, run)
    return {
        side: await own_picture(form, f"{side}_file", f"{side}_picture", house.limits, side_length) for side in chosen
    }


def _page(
    request: Request,
    run: Run,
    a: str,
    b: str,
    own: "dict[str, np.ndarray]",
    far: float | None,
    problem: str = "",
) -> Response:
    from shoal.web.rooms.faces_shown import picks_of, rates, shown, size_of, usual_picks

    house = house_of(request)
    try:
        comparing = _comparing(house, run)
    except ShoalError as error:
        return house.page(request, PAGE, state="broken", problem=str(error))
    first, second = usual_picks(comparing)
    asked: dict[str, Any] = {"a": a or first, "b": b or second, "far": far}
    found = asked | {"found": None}
    try:
        if not problem:
            with house.computing:
                found = shown(comparing, asked["a"], asked["b"], own, far)
    except InputError as error:
        problem = str(error)
    context = {
        "state": "open",
        "run": run,
        "problem": problem,
        "picks": picks_of(comparing),
        "size": size_of(comparing),
        "rates": rates(comparing),
        "pairs": len(comparing.kept.distances),
        "are_faces": comparing.kept.are_faces,
        "clusters": comparing.clusters,
        "clusters_note": comparing.note,
    }
    answer = house.page(request, PAGE, status=422 if problem else 200, **(context | found))
    if problem:
        return say_problem(answer)
    if not own:
        answer.headers["HX-Replace-Url"] = _address({name: found[name] for name in asked})
    return answer


def _comparing(house: House, run: Run) -> "Comparing":
    """The network of a run, read where it is not in memory yet."""
    house.wait_until_warm()
    from shoal.web.rooms.faces_shown import COMPARING

    return COMPARING.of(run)


def _side(house: House, run: Run) -> int:
    comparing = _comparing(house, run)
    from shoal.web.rooms.faces_shown import side_of

    return side_of(comparing)


def _ready(house: House, run: Run) -> bool:
    """Whether the network is in memory."""
    if not house.warming.done:
        return False
    from shoal.web.rooms.faces_shown import COMPARING

    return COMPARING.has(run)


def _far(form: FormData) -> float | None:
    """The rate that a form asks for; None where it says none."""
    said = text(form, "far")
    try:
        return float(said) if said else None
    except ValueError:
        raise wrong("far", expected="a share, 0.01 for 1 %", got=said[:20]) from None


def _address(asked: dict[str, Any]) -> str:
    """The address of the page with what is asked."""
    return f"/faces?{urlencode({name: value for name, value in asked.items() if value not in (None, '')})}"
