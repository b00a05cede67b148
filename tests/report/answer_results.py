"""Results of all six studies for the tests of the answer sheet: made-up ones, and records of three real runs."""

import functools
import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from shoal.studies import (
    attention_claims,
    attention_findings,
    attention_pictures,
    circuits_claims,
    circuits_findings,
    circuits_pictures,
    faces_claims,
    faces_pictures,
    faces_tables,
)
from shoal.studies.attention_config import AttentionConfig
from shoal.studies.attention_config import resolve as resolve_attention
from shoal.studies.circuits_config import CircuitsConfig
from shoal.studies.circuits_config import resolve as resolve_circuits
from shoal.studies.result import Claim, Picture, Result, Table, Verdict
from tests.report.fabricate import tiny_png
from tests.studies import made_up_attention, made_up_circuits, made_up_faces
from tests.studies.test_faces_claims import made_up_faces as made_up_face_images

RECORDS = Path(__file__).parents[2] / "benchmarks" / "records"
STUDIES = ("attention", "circuits", "summarize", "difficulty", "exits", "faces")


@functools.cache
def whole() -> tuple[Result, ...]:
    """All studies, with everything that an answer may ask for."""
    return tuple(_MAKERS[study]() for study in STUDIES)


def quick() -> tuple[Result, ...]:
    """The same without rows for charts and galleries, which then take no time to draw."""
    return tuple(replace(r, pictures=tuple(replace(p, rows=()) for p in r.pictures)) for r in whole())


def judged(result: Result, verdict: Verdict) -> Result:
    """All claims with this verdict."""
    return replace(result, claims=tuple(_judged(claim, verdict) for claim in result.claims))


def _judged(claim: Claim, verdict: Verdict) -> Claim:
    by = {"supported": 1.0, "contradicted": -1.0, "inconclusive": 0.0}[verdict]
    effect = claim.bound + (by if claim.direction == "above" else -by)
    spread = 0.5 if verdict == "inconclusive" else 0.1
    return replace(claim, effect=effect, low=effect - spread, high=effect + spread, unsettled="")


def _attention() -> Result:
    config, m = resolve_attention(AttentionConfig()), made_up_attention.measured()
    return Result(
        **_about("attention", "Attention that knows its own error"),
        claims=attention_claims.all_claims(m),
        tables=attention_findings.tables(config, m),
        pictures=(*attention_pictures.pictures(config, m), _gallery("matrices")),
    )


def _circuits() -> Result:
    config, m = resolve_circuits(CircuitsConfig()), made_up_circuits.measured()
    return Result(
        **_about("circuits", "Heads by hand and learned"),
        claims=circuits_claims.all_claims(m),
        tables=circuits_findings.tables(config, m),
        pictures=circuits_pictures.pictures(m),
    )


def _difficulty() -> Result:
    """The record of a run on CIFAR-10; records keep no images."""
    result = Result.load(RECORDS / "difficulty-cifar10-full.json")
    return replace(result, pictures=(*result.pictures, _gallery("examples"), _gallery("altered")))


def _faces() -> Result:
    m = made_up_faces.measured()
    return Result(
        **_about("faces", "Face embeddings"),
        claims=faces_claims.all_claims(m),
        tables=faces_tables.tables(m),
        pictures=faces_pictures.pictures(m, made_up_face_images()),
    )


def _exits() -> Result:
    """The record of a run on CIFAR-10; records keep no images."""
    result = Result.load(RECORDS / "exits-cifar10-full.json")
    columns = ("network", "share, images alike", "95 % interval", "share, easy and hard mixed", "95 % interval (mixed)")
    spread = Table(
        id="spread",
        title="Does it pay more where difficulty spreads?",
        columns=columns,
        rows=(("11 channels", 1.2, "1.1 to 1.3", 1.1, "1.0 to 1.2"),),
    )
    known = {table.id for table in result.tables}
    tables = (*result.tables, *(() if "spread" in known else (spread,)))
    return replace(result, tables=tables, pictures=(*result.pictures, _gallery("first_and_last")))


def _summarize() -> Result:
    return Result.load(RECORDS / "summarize-debian-descriptions-full.json")


def _about(study: str, title: str) -> dict[str, Any]:
    return {
        "study": study,
        "title": title,
        "summary": ("Made up.",),
        "command": f"shoal study {study} --budget quick",
        "data": {"name": "made up"},
        "settings": {"budget": "quick", "seed": 0},
        "environment": {"machine": {"processor": "A processor", "cores": 2}},
        "seconds": {"all": 75.0},
    }


def _gallery(name: str) -> Picture:
    rows = tuple({"image": tiny_png(i, 20), "caption": f"number {i}", "group": "some"} for i in range(2))
    return Picture(id=name, title=f"A gallery of {name.replace('_', ' ')}", kind="gallery", rows=rows)


_MAKERS: dict[str, Callable[[], Result]] = {
    "attention": _attention,
    "circuits": _circuits,
    "summarize": _summarize,
    "difficulty": _difficulty,
    "exits": _exits,
    "faces": _faces,
}


def without_one_part(result: Result) -> "itertools.chain[tuple[str, Result]]":
    """The result less each of its claims, tables and pictures in turn, with the name of what is missing."""
    claims = ((c.id, replace(result, claims=tuple(x for x in result.claims if x is not c))) for c in result.claims)
    tables = ((t.id, replace(result, tables=tuple(x for x in result.tables if x is not t))) for t in result.tables)
    pictures = (
        (p.id, replace(result, pictures=tuple(x for x in result.pictures if x is not p))) for p in result.pictures
    )
    return itertools.chain(claims, tables, pictures)
