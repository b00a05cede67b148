"""The benchmark of the gallery, small: every part runs, agrees before it times, and its tables are made of it."""

import argparse

import pytest
from benchmarks import gallery as benchmark
from benchmarks import gallery_search
from benchmarks.gallery_places import made_up
from benchmarks.gallery_tables import TABLES

from shoal.gallery import Gallery

SMALL = argparse.Namespace(faces="1000 2000", queries=5, seconds=1.0, upgraded=1000, forgotten=500)


@pytest.mark.slow
@pytest.mark.parametrize("part", benchmark.PARTS)
def test_every_part_measures(part: str):
    found = benchmark.PARTS[part](SMALL)
    environment = {"machine": {"cores": 1, "processor": "any"}, "versions": {"torch": "any"}}
    for of, table in TABLES.values():
        if of == part:
            text = table({part: found | {"environment": environment}})
            assert "nan" not in text
    if part == "search":
        assert [row["faces"] for row in found["rows"]] == [1000, 2000]
        assert all(row["shoal"]["cpu"]["median"] > 0 for row in found["rows"])
    elif part == "upgrade":
        assert found["sha256_before"] == found["sha256_after"]
        assert (found["kept"], found["added"]) == (1000, 1000)
    elif part == "clients":
        assert all((row["lost"], row["errors"]) == (0, {}) for row in found["rows"])
        assert all(row["enrol"]["count"] == row["query"]["count"] > 0 for row in found["rows"])
    else:
        assert found["traces"] == 0


def test_nothing_is_timed_where_answers_differ(tmp_path):
    faces = made_up(30, gallery_search.EACH + 1)
    known, asked = faces[:, :-1], faces[:, -1]
    benchmark.fill(str(tmp_path / "faces.db"), known)
    rows = known.reshape(-1, known.shape[2])
    with Gallery.open(tmp_path / "faces.db") as gallery:
        gallery_search.check(gallery, rows, asked)
        with pytest.raises(SystemExit, match="differs from brute force"):
            gallery_search.check(gallery, rows[::-1].copy(), asked)
