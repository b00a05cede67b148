"""Schemathesis on the service's OpenAPI document: whatever is sent, every answer is one that the document has."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shoal.gallery import Gallery
from shoal.web.gallery.keys import KeyRing, make_key
from tests.gallery.made_up import EYE, picture
from tests.gallery.service import served

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis: install the extra shoal[test]")

GATED = ("about", "audit", "clusters", "faces", "faces/{face}/thumbnail", "people")
CHANGING = ("faces/assign", "faces/link", "faces/unlink", "people/forget", "people/merge", "people/rename")
OPERATIONS = [
    "GET /health",
    *(f"GET /api/v1/{path}" for path in GATED),
    *(f"POST /api/v1/{path}" for path in (*CHANGING, "people/split", "undo")),
]
WITH_PHOTOS = [f"POST /api/v1/{path}" for path in ("faces", "identify", "verify")]
PICTURES = [picture(0), picture(7), picture(1)[:200], b"no picture", b""]
QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
SLOW = pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The document of a service with keys, over a gallery with some people, and a key."""
    folder = tmp_path_factory.mktemp("schema")
    key = make_key(folder / "keys.jsonl", "schemathesis")
    with Gallery.open(folder / "faces.db", EYE) as gallery:
        for number in range(4):
            gallery.enrol(f"person {number}" if number < 3 else None, [picture(number, at) for at in range(3)])
    with served(folder / "faces.db", ring=KeyRing(folder / "keys.jsonl")) as address:
        found = schemathesis.openapi.from_url(f"{address}/api/openapi.json")
        found.key, found.folder = key, folder
        yield found


def operations(schema: Any) -> dict[str, Any]:
    return {one.ok().label: one.ok() for one in schema.get_all_operations()}


def test_every_operation_is_looked_at(schema: Any):
    assert sorted(operations(schema)) == sorted([*OPERATIONS, *WITH_PHOTOS])


def ask(schema: Any, label: str, examples: int) -> None:
    """Send so many requests that fit the document, and as many that do not."""
    from schemathesis import GenerationMode
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    operation = operations(schema)[label]
    # a request of the right form may name nobody in the gallery: that it is accepted is not promised
    wanted = [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_headers_conformance,
        checks.response_schema_conformance,
    ]
    answered: set[int] = set()
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        quiet = settings(max_examples=examples, deadline=None, suppress_health_check=QUIET, database=None)

        @quiet
        @given(case=operation.as_strategy(generation_mode=mode), content=st.sampled_from(PICTURES))
        def check(case: Any, content: bytes) -> None:
            if isinstance(case.body, dict) and content:
                case.body |= {name: content for name in ("photo",) if name in case.body}
                case.body |= {name: [content] for name in ("photos",) if name in case.body}
            answer = case.call(headers={"authorization": f"Bearer {schema.key}"})
            answered.add(answer.status_code)
            case.validate_response(answer, checks=wanted)
            for secret in (str(schema.folder), "Traceback", "site-packages", schema.key):
                assert secret.encode() not in answer.content

        try:
            check()
        except Exception as error:
            if "Unsatisfiable" not in type(error).__name__:  # what takes nothing cannot be given something wrong
                raise
    assert answered, label


@pytest.mark.parametrize("examples", [5, SLOW])
@pytest.mark.parametrize("label", OPERATIONS)
def test_every_answer_is_documented(schema: Any, label: str, examples: int):
    ask(schema, label, examples)


@pytest.mark.parametrize("examples", [2, SLOW])
@pytest.mark.parametrize("label", WITH_PHOTOS)
def test_every_answer_to_photos_is_documented(schema: Any, label: str, examples: int):
    ask(schema, label, examples)


def test_the_gallery_is_whole_afterwards(schema: Any):
    with Gallery.open(Path(schema.folder) / "faces.db") as gallery:
        assert gallery.check() == []
        assert gallery.audit().intact
