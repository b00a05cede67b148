"""What runs of the same study are compared by: differences with their intervals, conditions, tables, and which runs."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.errors import InputError, ShoalError
from shoal.report.compare import Comparison, Run, as_data, compare
from shoal.report.compare_difference import difference
from shoal.report.compare_runs import read_runs
from shoal.report.compare_tables import compare_tables
from shoal.studies.result import Table
from tests.report.compared import after, before, claim, other_study, two_runs


@pytest.fixture(scope="module")
def compared() -> Comparison:
    return compare([*two_runs(), Run(name="runs/before", result=other_study())])


def test_outcomes(compared: Comparison) -> None:
    found = {one.id: one.differences[0] for one in compared.studies[0].claims}
    outcomes = {name: one.outcome if one else None for name, one in found.items()}
    assert outcomes == {
        "moves": "differs",
        "stays_about": "cannot be told",
        "is_the_same": "same",
        "is_counted": "cannot be told",  # 27 and 26, but neither run says what is noise
        "is_not_settled": "cannot be told",
        "has_another_unit": "cannot be told",
        "goes": None,
        "comes": None,
    }
    why = {name: one.why for name, one in found.items() if one}
    assert "neither run gives an interval" in why["is_counted"]
    assert "not converged" in why["is_not_settled"]
    assert why["has_another_unit"] == "the units differ: ms and s"
    moved = found["moves"]
    assert moved is not None
    assert (moved.value, moved.low, moved.high) == (-4.0, -4 - math.sqrt(2), -4 + math.sqrt(2))


interval = st.tuples(*[st.floats(-1e3, 1e3), st.floats(0, 1e2), st.floats(0, 1e2)]).map(
    lambda drawn: claim("a", drawn[0], drawn[0] - drawn[1], drawn[0] + drawn[2])
)


@given(interval, interval)
def test_turned_around_a_difference_is_its_negative(one, other) -> None:
    there, back = difference(one, other), difference(other, one)
    assert there.value is not None
    assert back.value is not None
    assert there.low is not None
    assert back.high is not None
    assert there.value == -back.value
    assert math.isclose(there.low, -back.high, abs_tol=1e-9)
    assert there.low <= there.value
    assert there.outcome == back.outcome
    if there.outcome == "differs":
        assert there.low > 0 or (back.low is not None and back.low > 0)


def test_runs_that_are_alike_are_seldom_said_to_differ() -> None:
    """Of 2,000 pairs of measurements of the same thing about one in twenty differs by chance; symmetric or skewed."""
    rng = np.random.default_rng(0)
    for exponential in (False, True):
        draws = rng.exponential(1, (2, 2000, 80)) if exponential else rng.normal(1, 1, (2, 2000, 80))
        means, errors = draws.mean(2), 1.96 * draws.std(2, ddof=1) / math.sqrt(80)
        said = 0
        for (a, b), (wide_a, wide_b) in zip(means.T, errors.T, strict=True):
            pair = claim("a", a, a - wide_a, a + wide_a), claim("a", b, b - wide_b, b + wide_b)
            said += difference(*pair).outcome == "differs"
        assert 0.035 < said / 2000 < 0.065


def test_conditions_name_what_changed_and_count_the_rest(compared: Comparison) -> None:
    found = {(one.part, one.name): one.values for one in compared.studies[0].conditions}
    assert found == {
        ("settings", "seed"): (0, 1),
        ("settings", "at"): (["layer1", "layer2"], ["layer1", "layer3"]),
        ("settings", "new"): (None, True),
        ("environment", "versions.torch"): ("2.13.0", "2.13.1"),
    }
    assert compared.studies[0].unchanged == 7  # width, rate, name, training, numpy, commit, device


def test_rows_belong_together_by_their_beginnings(compared: Comparison) -> None:
    table = compared.studies[0].tables[0]
    assert [row.cells for row in table.rows] == [
        (("plain", "93.71", "557"), ("plain", "93.71", "557")),
        (("early exit", "93.58", "231"), ("early exit", "92.10", "231")),
        (("gone", "90.00", "100"), None),
        (None, ("<new>", "91.00", "120")),
    ]
    assert [row.changed for row in table.rows[:2]] == [((False,) * 3,) * 2, ((False,) * 3, (False, True, False))]
    assert table.differing == 3
    assert compared.studies[0].apart == (("Another form", "A, B"),)


def test_rows_that_begin_alike_are_told_apart_by_two_cells_or_by_their_order() -> None:
    columns = ("map", "features", "error")
    one = Table(id="t", title="", columns=columns, rows=(("a", 16, 0.5), ("a", 64, 0.4)))
    two = Table(id="t", title="", columns=columns, rows=(("a", 64, 0.4), ("a", 256, 0.3)))
    assert [[cells and cells[1] for cells in row.cells] for row in compare_tables([one, two]).rows] == [
        ["16", None],
        ["64", "64"],
        [None, "256"],
    ]
    one, two = (replace(table, rows=(("a", 1, 0.5), ("a", 1, last))) for table, last in ((one, 0.4), (two, 0.3)))
    assert [row.cells[1] for row in compare_tables([one, two]).rows] == [("a", "1", "0.5"), ("a", "1", "0.3")]
    empty = replace(one, rows=())
    assert compare_tables([empty, empty]).rows == ()


def test_more_than_two_runs_are_compared_with_the_first() -> None:
    third = replace(before(), settings={**before().settings, "seed": 2})
    found = compare([*two_runs(), Run(name="third", result=third)]).studies[0]
    assert found.letters == ("A", "B", "C")
    assert next(one for one in found.conditions if one.name == "seed").values == (0, 1, 2)
    moves = found.claims[0]
    assert [one.outcome for one in moves.differences if one] == ["differs", "same"]
    assert moves.verdict_changed


def test_the_comparison_as_data_is_json(compared: Comparison) -> None:
    found = json.loads(json.dumps(as_data(compared), allow_nan=False))
    assert found["runs"] == {"A": "runs/before", "B": "runs/<after>"}
    assert found["only_in"] == [{"run": "A", "study": "attention"}]
    study = found["studies"][0]
    assert study["claims"][0]["runs"][1]["verdict"] == "contradicted"
    assert study["claims"][0]["differences"][0]["outcome"] == "differs"
    assert study["headlines"][1]["value"] == "38 %"
    assert study["tables_apart"] == [{"title": "Another form", "runs": ["A", "B"]}]


def test_nothing_to_compare() -> None:
    with pytest.raises(InputError, match="expected two runs of the same study, got one each of exits, attention"):
        compare([two_runs()[0], Run(name="other", result=other_study())])


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two demos, one of which holds a study twice."""
    root = tmp_path_factory.mktemp("runs")
    before().save(root / "one" / "exits-quick-a" / "result.json")
    other_study().save(root / "one" / "attention-quick-a" / "result.json")
    after().save(root / "two" / "exits-quick-b" / "result.json")
    before().save(root / "two" / "exits-quick-c" / "result.json")
    (root / "two" / "not-a-run").mkdir()
    (root / "empty").mkdir()
    return root


def test_a_path_is_a_run_a_file_or_a_demo(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folders)
    named = [(run.name, run.result.study) for run in read_runs([Path("one"), Path("two/exits-quick-b/result.json")])]
    demo = [("one", "attention"), ("one", "exits")]
    assert named == [*demo, ("two/exits-quick-b/result.json", "exits")]
    assert [run.name for run in read_runs([Path("one"), Path("two")])] == [
        "one",
        "one",
        str(Path("two/exits-quick-b")),
        str(Path("two/exits-quick-c")),
    ]


def test_wrong_paths_are_named(folders: Path) -> None:
    with pytest.raises(ShoalError, match=r"empty: expected a run folder, or a folder of such, got no result\.json"):
        read_runs([folders / "empty"])
    with pytest.raises(ShoalError, match=r"nowhere: expected a run folder or its result\.json, got none there"):
        read_runs([folders / "nowhere"])
    with pytest.raises(InputError, match=r"expected every run once, got .*exits-quick-a by .* and "):
        read_runs([folders / "one", folders / "one" / "exits-quick-a" / "result.json"])
