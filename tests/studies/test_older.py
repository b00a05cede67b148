"""Results of earlier versions get the story that those of now have."""

from dataclasses import replace
from pathlib import Path

import pytest

from shoal.studies.older import with_story
from shoal.studies.result import Result

RECORDS = Path(__file__).parents[2] / "benchmarks" / "records"


@pytest.mark.parametrize(
    "name", ["difficulty-cifar10-full", "exits-cifar10-full", "faces-lfw-full", "summarize-debian-descriptions-full"]
)
def test_a_record_without_a_story_is_told(name: str) -> None:
    untold = replace(Result.load(RECORDS / f"{name}.json"), headline=None, story=None, evidence={})
    told = with_story(untold)
    assert told.headline is not None
    assert told.story is not None
    assert told.claims == untold.claims
    assert set(told.evidence) <= {claim.id for claim in told.claims}
    assert with_story(told) is told


def test_what_nobody_can_tell_stays_as_it_is() -> None:
    record = replace(Result.load(RECORDS / "exits-cifar10-full.json"), headline=None, story=None)
    other = replace(record, study="hedgehogs")
    assert with_story(other) is other
    unknown = replace(record, claims=(replace(record.claims[0], id="of_long_ago"),))
    assert with_story(unknown) is unknown
