"""The summarizer's study, small: every claim is judged, all is drawn, and what is done is not done again."""

import json
from pathlib import Path

import pytest
import torch

from shoal.engine import History
from shoal.errors import InputError
from shoal.report import render
from shoal.studies.repeating import plain_settings
from shoal.studies.result import Result
from shoal.studies.summarize import SummarizeStudy
from shoal.studies.summarize_config import BUDGETS, SummarizeConfig, resolve
from shoal.studies.summarize_measured import fall
from shoal.summarize import SummarizerConfig
from tests.summarize.toy import pairs

IDS = (
    "training_loss_falls",
    "validation_loss_falls",
    "overfitting_is_called",
    "a_gap_is_normal",
    "a_shift_is_no_overfitting",
    "the_verdict_is_right",
    "beats_first_sentence",
    "beams_help",
    "does_not_say_the_same",
    "linear_learns_as_well",
    "linear_is_cheaper",
    "remembering_is_faster",
)


def write_rows(path: Path, rows: list[tuple[str, str]]) -> None:
    path.write_text("".join(json.dumps({"document": a, "summary": b}) + "\n" for a, b in rows))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("texts")
    for name, begin, rows in (("train", 0, 300), ("validation", 300, 40), ("test", 340, 40)):
        write_rows(place / f"{name}.jsonl", pairs(rows, begin))
    return place


def config(place: Path, **changes: object) -> SummarizeConfig:
    small = {
        "data": str(place),
        "budget": "quick",
        "minutes": 0.08,
        "compare_minutes": 0.02,
        "overfit_minutes": 0.04,
        "overfit_rows": 30,
        "test_rows": 30,
        "lengths": (16, 64),
        "curves": 10,
        "shown": 3,
        "precision": "fp32",
    }
    return SummarizeConfig(**(small | changes))  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def result(place: Path) -> Result:
    study = SummarizeStudy(config(place))
    return study.run(place / "run")


def test_every_claim_is_judged(result: Result) -> None:
    assert tuple(claim.id for claim in result.claims) == IDS
    assert result.claims[0].verdict == "supported"
    assert all(claim.measured for claim in result.claims)
    assert result.story is not None
    assert set(result.evidence) == {claim.id for claim in result.claims}


def test_tables_and_pictures_are_drawn(result: Result) -> None:
    assert [table.id for table in result.tables] == ["scores", "losses", "trainings", "costs", "checks"]
    assert len(next(picture for picture in result.pictures if picture.id == "examples").rows) == 3
    names = ["losses", "losses_overfit", "examples", "reading", "looking", "copied", "exact_linear", "cost_by_length"]
    assert [picture.id for picture in result.pictures] == names
    page = render([result])
    assert "first sentence" in page
    assert "held back from training" in page


def test_a_run_that_is_done_is_not_done_again(place: Path, result: Result) -> None:
    again = SummarizeStudy(config(place)).run(place / "run")
    trained = {key: value for key, value in result.seconds.items() if key.startswith("train")}
    assert {key: again.seconds[key] for key in trained} == pytest.approx(trained, rel=0.5)
    for name in ("scores", "costs"):  # what was timed is not timed again
        rows = [next(table.rows for table in one.tables if table.id == name) for one in (result, again)]
        assert rows[0] == rows[1]
    assert (place / "run" / "model" / "config.json").exists()


def test_budgets_are_filled_in() -> None:
    for name, budget in BUDGETS.items():
        assert resolve(SummarizeConfig(budget=name)).minutes == budget.minutes  # pyright: ignore[reportArgumentType]
    assert resolve(SummarizeConfig(minutes=3.0)).minutes == 3.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"minutes": -1.0}, "minutes: expected a number >= 0"),
        ({"lengths": (4,)}, "lengths: expected numbers of tokens"),
        ({"attention": "oprf"}, "needs no calibration"),
        ({"size": "smal"}, "small"),
        ({"data": "debian-description"}, "did you mean"),
    ],
)
def test_wrong_settings_are_refused(place: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SummarizeStudy(config(place, **changes))


def looks(losses: list[float]) -> History:
    return History(rows=[{"loss": loss} for loss in losses], precision="fp32", seconds=1.0)


def test_a_loss_that_falls_fast_at_first_surely_falls() -> None:
    """Losses of a training that made thirteen looks: the fast fall within a quarter was taken for noise."""
    found = fall(looks([4.41, 2.74, 1.29, 0.51, 0.14, 0.044, 0.025, 0.024, 0.03, 0.035, 0.033, 0.03, 0.028]), "loss")
    assert found is not None
    assert found.low > 2
    assert fall(looks([3.0, 2.0, 1.0, 0.5, 0.4, 0.3, 0.2]), "loss") is None


@pytest.mark.parametrize("count", [8, 13, 40])
def test_noise_alone_is_no_fall(count: int) -> None:
    noise = torch.randn(2000, count, generator=torch.Generator().manual_seed(count), dtype=torch.float64)
    found = [fall(looks(row), "loss") for row in noise.tolist()]
    missed = sum(not one.low <= 0 <= one.high for one in found if one) / len(found)
    assert 0.03 <= missed <= 0.07  # of 95 % intervals; three standard errors are 0.015


def test_a_setting_that_is_not_given_is_left_out_of_the_run() -> None:
    """TOML has no None: `shoal summarize fit` ended in a TypeError."""
    assert "dropout" not in plain_settings(SummarizerConfig())
    assert plain_settings(SummarizerConfig(dropout=0.3))["dropout"] == 0.3
