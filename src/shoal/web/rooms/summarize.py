"""The room of summaries: a text, its summary by the newest run's model, and what was looked at for every word.

One address, `/summarize`; the text and the controls are in it, so that it can be reloaded. Texts are short: the models
read a few hundred words at most.
"""

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response

from shoal.errors import InputError, ShoalError, wrong
from shoal.web.house import House, house_of, wants_part
from shoal.web.rooms import Room
from shoal.web.runs import Run

MOST_LETTERS = 4000  # of a text: an address holds no more, and no model here reads it
BEAMS, WORDS, REPEAT = (1, 8), (0, 48), (0, 6)  # least and most
PAGE, RESULT = "summarize/room.html", "summarize/result.html"

router = APIRouter()
ROOM = Room(
    name="summarize",
    title="Summaries",
    sentence="Paste a text and have it summarized by a model that was trained on this machine; see for every word "
    "whether it was copied, and where the model looked.",
    studies=("summarize",),
    router=router,
)


@router.get("")
def room(
    request: Request,
    text: str = "",
    beams: int = 4,
    words: int = 0,
    repeat: int = 3,
    word: int = 0,
    example: int = 0,
    now: bool = False,
) -> Response:
    """The page, or the summary alone, if htmx asks."""
    house = house_of(request)
    asked = {"text": text, "beams": beams, "words": words, "repeat": repeat, "word": word}
    controls = {"beams_range": BEAMS, "words_range": WORDS, "repeat_range": REPEAT, "most": MOST_LETTERS}
    run = house.runs.newest("summarize")
    if run is None:
        return house.page(request, PAGE, state="empty", problem="", asked=asked, **controls)
    if not wants_part(request) and not now and not _ready(house, run):
        address = f"/summarize?{urlencode({**asked, 'example': example, 'now': 'true'})}"
        return house.page(request, PAGE, state="waiting", problem="", asked=asked, address=address, **controls)
    return _answer(request, run, asked, example, controls)


def _answer(request: Request, run: Run, asked: dict[str, Any], example: int, controls: dict[str, Any]) -> Response:
    house = house_of(request)
    part = wants_part(request) and request.headers.get("hx-target", "").endswith("#result")
    from shoal.web.rooms.summarize_shown import desk_of, shown

    try:
        desk = desk_of(house, run)
    except ShoalError as error:
        return house.page(request, PAGE, state="broken", problem=str(error), asked=asked, **controls)
    context: dict[str, Any] = {
        "state": "open",
        "run": run,
        "name": desk.name,
        "examples": desk.examples,
        "looked": None,
    }
    if not asked["text"].strip() and not part and desk.examples:
        asked = asked | {"text": desk.examples[min(max(example, 0), len(desk.examples) - 1)][0]}
        return house.page(request, PAGE, problem="", asked=asked, **context, **controls)
    problem = ""
    try:
        context |= shown(house, desk, _text(asked["text"]), _rules(asked), asked["word"])
    except InputError as error:
        problem = str(error)
    status = 422 if problem else 200
    return house.page(
        request, RESULT if part else PAGE, status=status, problem=problem, asked=asked, **context, **controls
    )


def _text(text: str) -> str:
    """The text, if it is one.

    Raises:
        InputError: if there is none, or too much of it.
    """
    if not text.strip():
        raise wrong("text", expected="some words", got="none", fix="type or paste some, or take an example")
    if len(text) > MOST_LETTERS:
        raise wrong("text", expected=f"at most {MOST_LETTERS:,} letters", got=f"{len(text):,}", fix="shorten it")
    return text


def _rules(asked: dict[str, Any]) -> Any:
    """How to write.

    Raises:
        InputError: if a control is beyond its ends.
    """
    from shoal.summarize import WritingRules

    for name, (low, high) in (("beams", BEAMS), ("words", WORDS), ("repeat", REPEAT)):
        if not low <= asked[name] <= high:
            raise wrong(name, expected=f"a whole number from {low} to {high}", got=asked[name])
    return WritingRules(num_beams=asked["beams"], max_words=asked["words"], no_repeat_ngram=asked["repeat"])


def _ready(house: House, run: Run) -> bool:
    """Whether the model is in memory."""
    if not house.warming.done:
        return False
    from shoal.web.rooms.summarize_shown import DESK

    return DESK.has(run)
