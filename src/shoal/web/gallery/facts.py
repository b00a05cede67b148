"""The API's addresses that only look: the gallery as a whole, people, faces, groups of unnamed ones, the audit log."""

import math
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

import shoal
from shoal.errors import InputError
from shoal.gallery import Match, Person
from shoal.web.gallery.faults import FaultError, Problem, documented
from shoal.web.gallery.finding import asker, desk_of
from shoal.web.gallery.shapes import (
    About,
    Audit,
    EntryShown,
    FaceShown,
    Far,
    GroupShown,
    Health,
    Id,
    Limits,
    Linkage,
    MatchShown,
    Most,
    Name,
    PersonShown,
)

JPEG = {"content": {"image/jpeg": {"schema": {"type": "string", "contentMediaType": "image/jpeg"}}}}
health_router = APIRouter(tags=["service"])
router = APIRouter(responses=documented())


@health_router.get("/health", responses={503: {"model": Problem, "description": "The database cannot be used."}})
def health(request: Request) -> Health:
    """Whether the service works, and its database; needs no key."""
    asker(request).models()
    return Health(status="ok", version=shoal.__version__)


@router.get("/about", tags=["service"])
def about(request: Request) -> About:
    """The gallery as a whole, and what a request may hold."""
    desk, gallery = desk_of(request), asker(request)
    most = desk.limits
    return About(
        faces=len(gallery),
        people=len(gallery.people()),
        model=desk.model(),
        embeds=desk.embeds(),
        limits=Limits(most_bytes=most.most_bytes, most_pixels=most.most_pixels, photos=most.files),
    )


@router.get("/people", tags=["people"])
def people(
    request: Request,
    after: Annotated[str, Query(max_length=200, description="a name; those behind it")] = "",
    limit: Most = 1000,
) -> list[PersonShown]:
    """Everybody who has a name, by name."""
    found = behind(asker(request).people(), after)
    return [PersonShown(**asdict(person)) for person in found[:limit]]


@router.get("/faces", tags=["faces"])
def faces(
    request: Request,
    person: Annotated[Name | None, Query(description="whose; everybody's unless given")] = None,
    unnamed: Annotated[bool, Query(description="those of nobody")] = False,
    after: Annotated[int, Query(ge=0, lt=2**63, description="number of a face; those behind it")] = 0,
    limit: Most = 100,
) -> list[FaceShown]:
    """Faces, by number."""
    found = asker(request).faces(person, unnamed=unnamed, after=after, limit=limit)
    return [
        FaceShown(id=face.id, photo=face.photo, person=face.person, box=face.box, models=list(face.models))
        for face in found
    ]


@router.get("/faces/{face}/thumbnail", tags=["faces"], response_class=Response, responses=documented(404) | {200: JPEG})
def thumbnail(request: Request, face: Id) -> Response:
    """A small picture of the photo that a face is on."""
    content = small_picture(request, face)
    if content is None:
        raise FaultError("not_found", f"face: expected one with a picture, got {face}")
    return Response(content, media_type="image/jpeg")


@router.get("/clusters", tags=["faces"])
def clusters(
    request: Request,
    threshold: Annotated[
        float | None, Query(ge=0, le=4, allow_inf_nan=False, description="squared distance; learned unless given")
    ] = None,
    linkage: Linkage = "average",
    far: Far = 0.01,
) -> list[GroupShown]:
    """Faces that nobody has named, grouped: the largest group first."""
    found = asker(request).cluster(threshold, linkage=linkage, far=far)
    return [
        GroupShown(faces=list(group.faces), nearest=None if group.nearest is None else shown_match(group.nearest))
        for group in found
    ]


@router.get("/audit", tags=["service"])
def audit(
    request: Request,
    head: Annotated[str, Query(max_length=64, description="an earlier `head`, to see that it is still there")] = "",
    limit: Most = 100,
) -> Audit:
    """Who did what when, the newest last; every seal is checked."""
    log = asker(request).audit(head)
    entries = [EntryShown(**asdict(entry)) for entry in log.entries[-limit:]]
    return Audit(entries=entries, count=len(log.entries), intact=log.intact, faults=list(log.faults), head=log.head)


def behind(people: list[Person], after: str) -> list[Person]:
    """Those whose names come after one, in the order of characters: databases have orders of their own."""
    return sorted((person for person in people if person.name > after), key=lambda person: person.name)


def small_picture(request: Request, face: int) -> bytes | None:
    """A small picture of the photo that a face is on; None where there is none."""
    try:
        return asker(request).thumbnail(face)
    except InputError:
        return None


def shown_match(match: Match) -> MatchShown:
    """A match, without what JSON cannot say."""
    return MatchShown(
        person=match.person,
        distance=match.distance,
        probability=None if math.isnan(match.probability) else match.probability,
        accepted=match.accepted,
        face=match.face,
    )
