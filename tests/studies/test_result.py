"""Results survive as JSON, and a verdict follows from an interval and a bound alone."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shoal.errors import InputError, ShoalError
from shoal.studies.result import Claim, Picture, Result, Table


def claim(low: float, effect: float, high: float, direction: str = "above", **more: Any) -> Claim:
    return Claim(
        id="c", sentence="s", measured="m", effect=effect, low=low, high=high, bound=1.0,
        direction=direction, **more,  # pyright: ignore[reportArgumentType]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "above", "below"),
    [
        (1.1, 2.0, "supported", "contradicted"),
        (1.0, 2.0, "supported", "inconclusive"),
        (0.5, 1.5, "inconclusive", "inconclusive"),
        (0.5, 1.0, "inconclusive", "supported"),
        (0.1, 0.9, "contradicted", "supported"),
        (1.0, 1.0, "supported", "supported"),
    ],
)
def test_the_verdict_follows_from_the_interval(low: float, high: float, above: str, below: str) -> None:
    assert claim(low, low, high).verdict == above
    assert claim(low, high, high, "below").verdict == below


@pytest.mark.parametrize(
    ("low", "high", "above", "below"),
    [(1.1, 2.0, "supported", "contradicted"), (1.0, 2.0, "inconclusive", "contradicted"),
     (0.5, 1.0, "contradicted", "inconclusive"), (1.0, 1.0, "contradicted", "contradicted")],
)  # fmt: skip
def test_a_strict_statement_is_false_at_its_bound(low: float, high: float, above: str, below: str) -> None:
    assert claim(low, low, high, strict=True).verdict == above
    assert claim(low, low, high, "below", strict=True).verdict == below


def test_an_unsettled_claim_is_inconclusive_whatever_its_interval() -> None:
    assert claim(2, 3, 4, unsettled="not converged").verdict == "inconclusive"


def test_an_effect_outside_of_its_interval_is_refused() -> None:
    for low, effect, high in [(2, 1, 3), (0, 1, float("inf")), (float("nan"), 1, 2)]:
        with pytest.raises(InputError, match="expected finite low <= effect <= high"):
            claim(low, effect, high)
    with pytest.raises(InputError, match="and bound"):
        Claim(id="c", sentence="", measured="", effect=1, low=0, high=2, bound=float("nan"), direction="above")


@given(
    text=st.text(max_size=20),
    number=st.floats(allow_nan=False, allow_infinity=False),
    cells=st.lists(st.one_of(st.none(), st.integers(-5, 5), st.text(max_size=5)), min_size=2, max_size=2),
)
def test_a_result_survives_its_file(tmp_path_factory: pytest.TempPathFactory, text: str, number: float, cells) -> None:
    path = tmp_path_factory.mktemp("r") / "result.json"
    result = Result(
        study="exits",
        title=text,
        summary=(text, "b"),
        command="shoal study exits",
        settings={"x": number},
        claims=(claim(0, 1, 2),),
        tables=(Table(id="t", title=text, columns=("a", "b"), rows=(tuple(cells),)),),
        pictures=(Picture(id="p", title="t", kind="lines", rows=({"x": number, "y": 1},)),),
    )
    result.save(path)
    assert Result.load(path) == result
    assert json.loads(path.read_text())["claims"][0]["verdict"] == "inconclusive"


def test_not_a_number_becomes_null(tmp_path: Path) -> None:
    Result(study="s", title="t", summary=(), command="c", seconds={"x": float("nan")}).save(tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text())["seconds"] == {"x": None}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"study": 1}', '{"claims": 3}'])
def test_a_damaged_result_is_explained(tmp_path: Path, text: str) -> None:
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(ShoalError, match=r"expected a result\.json that a study wrote"):
        Result.load(tmp_path / "result.json")
    with pytest.raises(ShoalError, match="no such result; run a study first"):
        Result.load(tmp_path / "none.json")


def test_rows_of_the_wrong_length_are_refused() -> None:
    with pytest.raises(InputError, match="expected 2 cells a row, got 1"):
        Table(id="t", title="t", columns=("a", "b"), rows=((1,),))
