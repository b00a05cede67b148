"""The room of difficulty and exits: pick an image, see which layer settles it, whom it resembles, where it leaves.

Addresses: `/difficulty` shows one image (the address says which, and the threshold); a form posts what is picked or
uploaded there; `/difficulty/leaving` answers the slider.
"""

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from shoal.errors import InputError, wrong
from shoal.web.house import House, house_of, wants_part
from shoal.web.rooms import Room
from shoal.web.rooms.forms import OWN, chooses_own, own_picture, read_form, say_problem, text

if TYPE_CHECKING:
    import numpy as np

    from shoal.web.rooms.difficulty_shown import Bench

PAGE, LEFT = "difficulty/room.html", "difficulty/left.html"

router = APIRouter()
ROOM = Room(
    name="difficulty",
    title="Difficulty and exits",
    sentence="See at which layer a network settles an image and whom it resembles on the way, and where the image "
    "leaves a network with exits.",
    studies=("difficulty", "exits"),
    router=router,
)


@router.get("")
def room(request: Request, image: str = "", threshold: float | None = None, now: bool = False) -> Response:
    """The page; what takes seconds to read comes when the page asks for it (`now`)."""
    house = house_of(request)
    if not any(map(house.runs.newest, ROOM.studies)):
        return house.page(request, PAGE, waiting=False, bench=None)
    if not now and not _ready(house):
        asked = {"image": image, "threshold": threshold, "now": True}
        return house.page(request, PAGE, waiting=True, address=_address(asked))
    return _page(request, image, None, threshold)


@router.post("")
async def ask(request: Request) -> Response:
    """An image that was picked, or a picture of the reader's own."""
    house = house_of(request)
    form = await read_form(request, house.limits)
    try:
        threshold = _threshold(form)
        if chooses_own(request, form, "image", "file"):
            side = await run_in_threadpool(lambda: _bench(house).side)
            own = await own_picture(form, "file", "picture", house.limits, side)
            return await run_in_threadpool(_page, request, OWN, own, threshold)
    except InputError as error:
        return await run_in_threadpool(_page, request, "", None, None, str(error))
    finally:
        await form.close()
    address = _address({"image": text(form, "image"), "threshold": threshold, "now": True})
    if not wants_part(request):
        return RedirectResponse(address, 303)
    return await run_in_threadpool(_page, request, text(form, "image"), None, threshold)


@router.post("/leaving")
async def leaving(request: Request) -> Response:
    """Where the image leaves at another threshold: the part that follows the slider."""
    house = house_of(request)
    form = await read_form(request, house.limits)
    threshold, name = _threshold(form), text(form, "image")
    if name != OWN and not wants_part(request):
        return RedirectResponse(_address({"image": name, "threshold": threshold, "now": True}), 303)
    bench = await run_in_threadpool(_bench, house)
    own = await own_picture(form, "file", "picture", house.limits, bench.side) if name == OWN else None
    if not wants_part(request):
        return await run_in_threadpool(_page, request, OWN, own, threshold)
    return await run_in_threadpool(_left, request, bench, name, own, threshold)


def _left(request: Request, bench: "Bench", name: str, own: "np.ndarray | None", threshold: float | None) -> Response:
    from shoal.web.rooms.difficulty_shown import left_of

    house = house_of(request)
    _, image, _ = bench.images(name, own)
    with house.computing:
        found = left_of(bench, image, threshold)
    answer = house.page(request, LEFT, **found)
    if name != OWN:
        answer.headers["HX-Replace-Url"] = _address({"image": name, "threshold": found["threshold"]})
    return answer


def _page(
    request: Request, name: str, own: "np.ndarray | None", threshold: float | None, problem: str = ""
) -> Response:
    """The whole page with one image, or with what is wrong where it would be."""
    from shoal.web.rooms.difficulty_shown import shown

    house = house_of(request)
    bench = _bench(house)
    name = name or bench.usual()
    found: dict[str, Any] = {"image": name, "threshold": threshold}
    try:
        if not problem and bench.picks():  # nothing to pick: no network could be read, and the page says why
            with house.computing:
                found = shown(bench, name, own, threshold)
    except InputError as error:
        problem = str(error)
    runs = [(study, house.runs.newest(study)) for study in ROOM.studies]
    context = {"runs": runs, "bench": bench, "picks": bench.picks(), "problem": problem, "waiting": False}
    answer = house.page(request, PAGE, status=422 if problem else 200, **(context | found))
    if problem:
        return say_problem(answer)
    if own is None:
        answer.headers["HX-Replace-Url"] = _address({"image": name, "threshold": found["threshold"]})
    return answer


def _bench(house: House) -> "Bench":
    """The networks; read where they are not in memory yet."""
    house.wait_until_warm()
    from shoal.web.rooms.difficulty_shown import Bench

    return Bench(house)


def _ready(house: House) -> bool:
    """Whether everything is in memory."""
    if not house.warming.done:
        return False
    from shoal.web.rooms.difficulty_shown import LEAVING, PROBED

    runs = [(PROBED, house.runs.newest("difficulty")), (LEAVING, house.runs.newest("exits"))]
    return all(run is None or loaded.has(run) for loaded, run in runs)


def _threshold(form: FormData) -> float | None:
    """Of the form; None where it says none."""
    said = text(form, "threshold")
    try:
        return float(said) if said else None
    except ValueError:
        raise wrong("threshold", expected="a number", got=said[:20]) from None


def _address(asked: dict[str, Any]) -> str:
    """The address of the page with what is asked."""
    given = {name: "true" if value is True else value for name, value in asked.items() if value not in (None, "")}
    return f"/difficulty?{urlencode(given)}"
