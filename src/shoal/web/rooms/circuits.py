"""The room of circuits: heads by hand and learned, taken apart step by step, and rules that the reader types.

The arithmetic of the page is the report's own (`report/templates/circuits`), here as files of this server. Heads by
hand are compiled when they are asked for; learned ones come from the newest run.
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.responses import FileResponse, Response

from shoal.errors import InputError, ShoalError, wrong
from shoal.web.house import REPORT, house_of, wants_part
from shoal.web.rooms import Room
from shoal.web.runs import Run

if TYPE_CHECKING:
    from shoal.circuits import Head
    from shoal.circuits.rules import AnyRule
    from shoal.report.circuits import Exhibit
    from shoal.studies.circuits_asked import Verified

LONGEST = 200  # letters of a rule
SEQUENCE = "ABBA"

router = APIRouter()
ROOM = Room(
    name="circuits",
    title="Circuits",
    sentence="Write down what a query should look for; it becomes the weights of one attention head, is proved on "
    "every input, and stands beside heads that were trained on its outputs alone.",
    studies=("circuits",),
    router=router,
)


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A rule that was typed: what came out, or what is wrong with it."""

    text: str
    found: "Verified | None" = None
    problem: str = ""


@router.get("")
def room(request: Request, rule: str = "", sequence: str = SEQUENCE) -> Response:
    """The page; a rule that was typed comes first."""
    house = house_of(request)
    if early := house.warming_page(request):
        return early
    house.wait_until_warm()
    run = house.runs.newest("circuits")
    with house.computing:
        checked = check(rule) if rule.strip() else None
        shown, problem = _data(checked, sequence, run)
    wrongly = problem or (checked is not None and bool(checked.problem))
    return house.page(
        request,
        "circuits/room.html",
        status=422 if wrongly else 200,
        rule=rule,
        checked=checked,
        run=run,
        data=shown,
        problem=problem,
        job=house.jobs.of("circuits"),
    )


@router.get("/check")
def checking(request: Request, rule: str = "") -> Response:
    """A rule alone: what follows while it is typed, or a page of it."""
    house = house_of(request)
    if not wants_part(request):
        return room(request, rule)
    house.wait_until_warm()
    with house.computing:
        checked = check(rule) if rule.strip() else None
    return house.page(request, "circuits/checked.html", checked=checked)  # half a rule is no mistake yet


@router.get("/{name}.js")
def script(name: str) -> Response:
    """The page's arithmetic, as the report has it."""
    if name not in {"attention", "page"}:
        raise wrong("script", expected="attention or page", got=name)
    return FileResponse(REPORT / "circuits" / f"{name}.js", media_type="text/javascript")


def check(text: str) -> Checked:
    """Compile a rule, and look at every input."""
    from shoal.studies.circuits_asked import verify_rule
    from shoal.studies.circuits_config import HeadConfig

    text = text.strip()
    if len(text) > LONGEST:
        return Checked(text=text[:LONGEST], problem=f"rule: expected at most {LONGEST} letters, got {len(text)}")
    try:
        return Checked(text=text, found=verify_rule(text, HeadConfig()))
    except InputError as error:
        return Checked(text=text, problem=str(error))


def _data(checked: Checked | None, sequence: str, run: Run | None) -> tuple[Markup, str]:
    """What the scripts read, and what is wrong with the sequence."""
    from shoal.report.circuits import as_script_data, circuits_data

    learned = _kept(run.folder, run.ended) if run else {}
    exhibits = list(_exhibits(learned))
    if checked and checked.found:
        exhibits = _first(checked.found.rule, exhibits)
    tokens = [letter for letter in sequence.upper() if letter not in " ,"]
    problem = ""
    try:
        data = circuits_data(exhibits, start=tokens)
    except InputError as error:
        data, problem = circuits_data(exhibits), str(error)
    return Markup(as_script_data(data)), problem  # "<" is escaped


def _exhibits(learned: dict[str, list[Any]]) -> "list[Exhibit]":
    from shoal.report.circuits import Exhibit

    return [Exhibit(rule, hand, learned.get(str(rule), []), meaning) for rule, hand, meaning in _by_hand()]


@functools.cache
def _by_hand() -> "tuple[tuple[AnyRule, Head, str], ...]":
    """The study's rules, their compiled heads and what they mean."""
    from shoal.studies.circuits_tasks import short_tasks

    return tuple((task.parsed, task.by_hand(), task.meaning) for task in short_tasks())


def _first(rule: str, exhibits: "list[Exhibit]") -> "list[Exhibit]":
    """The exhibit of a rule before all others; made where there is none."""
    from shoal.circuits import compile_rule, parse_rule
    from shoal.report.circuits import Exhibit
    from shoal.studies.circuits_config import HeadConfig

    own = [exhibit for exhibit in exhibits if str(exhibit.rule) == rule]
    if not own:
        config, parsed = HeadConfig(), parse_rule(rule)
        own = [Exhibit(parsed, compile_rule(parsed, config.tokens, config.max_len), [])]
    return [*own, *(exhibit for exhibit in exhibits if exhibit not in own)]


@functools.lru_cache(maxsize=2)
def _kept(folder: Path, ended: float) -> dict[str, list[Any]]:  # noqa: ARG001 - a run that ended anew is read anew
    from shoal.studies.circuits_kept import load_kept_circuits

    try:
        return load_kept_circuits(folder)
    except ShoalError:  # of another version: the page shows heads by hand, and trains others itself
        return {}
