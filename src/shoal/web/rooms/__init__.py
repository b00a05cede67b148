"""The rooms of the playground: one module each, with a `ROOM` that says what it is and answers its addresses.

What a room is
    A module `rooms/NAME.py` with `ROOM = Room(name="NAME", title=…, sentence=…, studies=(…), router=router)`. Its
    pages lie in `rooms/templates/NAME/`, its own style and script (where it has any) in `rooms/static/NAME.css` and
    `NAME.js`. `NAMES` below lists the modules; one that is missing is left out.

What it answers
    `router` is an `APIRouter` whose paths are relative to `/NAME`: `@router.get("")` is the room itself, `/NAME`. Say
    functions plainly with `def`: they run in a thread of their own, so that computing does not hold up the others.
    They are told the request and return a page of the house:

        router = APIRouter()

        @router.get("")
        def room(request: Request, features: int = 64) -> Response:
            house = house_of(request)
            return house.page(request, "NAME/room.html", found=compute(features))

    `house.page(request, template, status=200, **context)` renders a template; `house.runs.newest("exits")` is the
    newest finished run of a study (a `Run`: folder, result.json) or None; `house.jobs` makes one; `wants_part(request)`
    tells whether htmx asks for a part of the page. `house.computing` is a lock: hold it while torch computes, so that
    two requests do not slow each other down.

What it may not do
    Import torch, altair or anything that does at the top of the module: the server starts in a moment, and torch is
    imported in the background (`house.wait_until_warm()` where a function needs it; a page that would make the reader
    wait begins with `if early := house.warming_page(request): return early`). Write inline styles, inline scripts or
    `on…` attributes: the Content-Security-Policy refuses them. Use a name from a request as a path.

What a template has
    `{% extends "base.html" %}` with the blocks `title`, `content`, `head` and `scripts`. Macros:
    `{% from "parts.html" import figure, no_run, problem, field %}`: `figure(view)` shows what
    `shoal.web.pictures.view(picture, prefix)` drew of a `studies.result.Picture`; `no_run(study, job)` offers to make a
    run where there is none, and shows its progress; `problem(text)` says what is wrong. The context of every page
    holds `room`, `rooms`, `version` and `jobs`.

Wrong input
    Raise `InputError` (`shoal.errors.wrong`): it becomes a page with status 422, or, if htmx asked, the part
    `problem.html`, which htmx puts where the result would be. Where the page has a form, catch it and render the page
    with `problem=str(error)` and `status=422`, so that what was typed stays. Uploads go through `shoal.web.uploads`.

What every room keeps to
    The state of what is shown is in the address, so that it can be sent and reloaded (`hx-push-url` or `hx-replace-url`
    on the form). It works by submitting the form without scripts. Every control has a label (with `for` where an
    `<output>` stands in it, which would be what is labelled otherwise); results stand in an `aria-live="polite"`
    region; space is reserved for what comes later, so that nothing jumps.
"""

import importlib
import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import APIRouter

NAMES = ("attention", "circuits", "summarize", "difficulty", "faces", "gallery")


@dataclass(frozen=True, kw_only=True)
class Room:
    """A room of the playground.

    Attributes:
        name: its address, `/name`, and the name of its folder of templates.
        title: for the navigation and as heading.
        sentence: what one does there.
        studies: names of the studies whose runs it shows.
        router: its addresses, relative to `/name`.
    """

    name: str
    title: str
    sentence: str
    studies: tuple[str, ...]
    router: "APIRouter"


def load_rooms() -> tuple[Room, ...]:
    """All rooms that are there, in the order of the navigation."""
    places = [f"{__name__}.{name}" for name in NAMES]
    return tuple(importlib.import_module(place).ROOM for place in places if importlib.util.find_spec(place))
