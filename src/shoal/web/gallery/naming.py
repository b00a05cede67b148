"""The API's addresses that change who is who: they say names, as the commands do, and `POST /undo` takes them back."""

from dataclasses import asdict

from fastapi import APIRouter, Request

from shoal.web.gallery.faults import documented
from shoal.web.gallery.finding import asker
from shoal.web.gallery.shapes import (
    Assign,
    Done,
    Erased,
    Forget,
    Link,
    Merge,
    Rename,
    Split,
    Undone,
    Unlink,
)

router = APIRouter(responses=documented())


@router.post("/people/rename", tags=["people"])
def rename(request: Request, asked: Rename) -> Done:
    """Give somebody another name."""
    asker(request).rename(asked.person, asked.name)
    return Done(done=True)


@router.post("/people/merge", tags=["people"])
def merge(request: Request, asked: Merge) -> Done:
    """Several people turn out to be one."""
    asker(request).merge(asked.people, asked.into)
    return Done(done=True)


@router.post("/people/split", tags=["people"])
def split(request: Request, asked: Split) -> Done:
    """Some of a person's faces are somebody else's, or nobody knows whose."""
    asker(request).split(asked.person, asked.faces, asked.new)
    return Done(done=True)


@router.post("/people/forget", tags=["people"])
def forget(request: Request, asked: Forget) -> Erased:
    """Delete somebody, so that nothing of them is left in any file of the database. Cannot be taken back."""
    return Erased(**asdict(asker(request).forget(asked.person)))


@router.post("/faces/assign", tags=["faces"])
def assign(request: Request, asked: Assign) -> Done:
    """Say whose faces these are."""
    asker(request).assign(asked.faces, asked.person)
    return Done(done=True)


@router.post("/faces/link", tags=["faces"])
def link(request: Request, asked: Link) -> Done:
    """Say that two faces are one person's, or that they are not; grouping keeps to it."""
    asker(request).link(asked.a, asked.b, same=asked.same)
    return Done(done=True)


@router.post("/faces/unlink", tags=["faces"])
def unlink(request: Request, asked: Unlink) -> Done:
    """Take back what was said of two faces; `done` says whether anything had been."""
    return Done(done=asker(request).unlink(asked.a, asked.b))


@router.post("/undo", tags=["people"])
def undo(request: Request) -> Undone:
    """Take back the newest change of whose faces are whose."""
    return Undone(undone=asker(request).undo())
