"""The room of attention: move length, features and scale of the logits, and see what linear attention does wrong."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from shoal.errors import InputError
from shoal.report.numbers import duration, number, spread
from shoal.web.house import House, house_of, wants_part
from shoal.web.live import cells_svg, place
from shoal.web.rooms import Room
from shoal.web.rooms.attention_live import DIM, FEATURES, KINDS, LENGTHS, MAPS, SCALES, TOKENS, Asked, Found, measure

ERRORS = (0.01, 10.0)  # ends of the axis
TIMES = (1e-5, 1e-1)  # s

router = APIRouter()
ROOM = Room(
    name="attention",
    title="Attention",
    sentence="Replace exact attention by linear attention, and watch the error of its output, what the library "
    "estimates it to be, and the time of both.",
    studies=("attention",),
    router=router,
)


@router.get("")
def room(
    request: Request,
    map: str = Asked.map,
    kind: str = Asked.kind,
    length: int = Asked.length,
    features: int = Asked.features,
    scale: float = Asked.scale,
    causal: bool = False,
    seed: int = Asked.seed,
) -> Response:
    """The page, or what was measured, if htmx asks."""
    house = house_of(request)
    if early := house.warming_page(request):
        return early
    template = "attention/result.html" if wants_part(request) else "attention/room.html"
    context: dict[str, Any] = {
        "maps": MAPS,
        "kinds": KINDS,
        "lengths": LENGTHS,
        "counts": FEATURES,
        "scales": SCALES,
        "dim": DIM,
        "run": house.runs.newest("attention"),
    }
    try:
        asked = Asked(map=map, kind=kind, length=length, features=features, scale=scale, causal=causal, seed=seed)
    except InputError as error:
        context |= {"asked": Asked(), "found": None, "problem": str(error)}
        return house.page(request, template, status=422, **context)
    return house.page(request, template, asked=asked, problem="", **context, **_shown(house, asked))


def _shown(house: House, asked: Asked) -> dict[str, Any]:
    """What is measured, written and drawn."""
    house.wait_until_warm()
    with house.computing:
        found = measure(asked)
    estimate = found.estimate
    value, low, high = spread(estimate.value, estimate.low, estimate.high)
    same = {"n": TOKENS, "whom": "keys up to their own" if asked.causal else "keys"}
    words = "Attention of {n} queries to {n} {whom}, {how}. Dark is much."
    return {
        "found": found,
        "said": _said(asked, found),
        "error": number(found.error),
        "estimate": {"value": value, "low": low, "high": high, "rows": estimate.rows},
        "mean": number(estimate.baseline),
        "times": {"exact": duration(found.exact_seconds), "linear": duration(found.linear_seconds)},
        "at": _places(found),
        "exact_map": cells_svg(found.exact, found.top, words.format(how="exact", **same)),
        "linear_map": cells_svg(found.linear, found.top, words.format(how=f"by {found.features} features", **same)),
    }


def _places(found: Found) -> dict[str, float]:
    """Where the numbers stand on their axes, in per cent."""
    errors = {
        "error": found.error,
        "low": found.estimate.low,
        "high": found.estimate.high,
        "mean": found.estimate.baseline,
    }
    times = {"exact": found.exact_seconds, "linear": found.linear_seconds}
    return {name: place(value, *ERRORS) for name, value in errors.items()} | {
        name: place(value, *TIMES) for name, value in times.items()
    }


def _said(asked: Asked, found: Found) -> str:
    """The result in a sentence or two, for those who listen."""
    ratio = found.exact_seconds / found.linear_seconds
    speed = f"{number(ratio, 2)} times faster" if ratio >= 1 else f"{number(1 / ratio, 2)} times slower"
    worse = " That is no better than the mean of the values." if found.error >= found.estimate.baseline else ""
    return (
        f"{asked.map} with {found.features} features is off by {number(100 * found.error)} % of the exact output of "
        f"{asked.length:,} tokens, and {speed} than exact attention.{worse}"
    )
