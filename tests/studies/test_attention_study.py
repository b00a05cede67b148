"""The attention study as a run: inputs as they are defined, rows measured once, the result of a tiny budget."""

import json
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from shoal.engine import RunFolder
from shoal.errors import InputError
from shoal.report import render
from shoal.studies.attention import AttentionStudy
from shoal.studies.attention_config import BUDGETS, AttentionConfig, resolve
from shoal.studies.attention_errors import Inputs, Task, floor, measure_task
from shoal.studies.attention_inputs import Head, draw_inputs
from shoal.studies.attention_matrices import painted
from shoal.studies.measured_rows import Rows
from shoal.studies.memory import PeakMemory
from shoal.studies.result import Result

TINY = AttentionConfig(
    budget="quick",
    dim=8,
    heads=2,
    length=64,
    calibration=128,
    features=(8, 16),
    steps=2,
    window=8,
    longest=1024,
    draws=10,
    repeats=3,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    folder = tmp_path_factory.mktemp("attention")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tiny maps have vanishing denominators
        return folder, AttentionStudy(TINY, {"who": "a student"}).run(folder)


def test_a_run_has_all_of_a_result(run: tuple[Path, Result]) -> None:
    folder, result = run
    assert {path.name for path in folder.iterdir()} >= {"config.toml", "environment.json", "metrics.jsonl"}
    assert Result.load(folder / "result.json").claims == result.claims
    assert result.story is not None
    assert set(result.evidence) == {claim.id for claim in result.claims}
    assert (result.study, len(result.claims), len(result.pictures)) == ("attention", 11, 10)
    assert result.notes == {"who": "a student"}
    assert result.environment["machine"]["threads"] == 1
    assert "--heads 2" in result.command
    assert "--features 8 --features 16" in result.command
    by_id = {claim.id: claim.verdict for claim in result.claims}
    assert by_id["identity_is_exact"] == by_id["recurrence_is_the_masked_form"] == "supported"
    assert set(result.seconds) == {"measure costs", "check the mathematics", "measure errors", "choose feature maps"}
    page = render([result])
    assert "a student" in page
    assert "Attention, exact and approximated" in page


def test_the_same_run_again_measures_nothing(run: tuple[Path, Result]) -> None:
    folder, result = run
    before = (folder / "metrics.jsonl").read_text()
    again = AttentionStudy(TINY, {"who": "a student"}).run(folder)
    assert (folder / "metrics.jsonl").read_text() == before
    assert (again.claims, again.tables, again.pictures) == (result.claims, result.tables, result.pictures)


def test_a_stopped_run_goes_on(run: tuple[Path, Result], tmp_path: Path) -> None:
    folder, result = run
    lines = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "config.toml").write_text((folder / "config.toml").read_text())
    (tmp_path / "metrics.jsonl").write_text("".join(lines[:-2]) + lines[-2][:20])  # killed in the middle of a line
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        again = AttentionStudy(TINY).run(tmp_path)
    assert (again.claims, again.tables) == (result.claims, result.tables)


def test_a_folder_of_other_settings_is_refused(run: tuple[Path, Result]) -> None:
    with pytest.raises(InputError, match=r"expected a run with settings.seed = 1, got settings.seed = 0"):
        AttentionStudy(replace(TINY, seed=1)).run(run[0])


def test_names_tell_settings_apart() -> None:
    names = {AttentionStudy(config).run_name for config in (TINY, replace(TINY, seed=1), replace(TINY, heads=3))}
    assert len(names) == 3
    assert all(name.startswith("attention-quick-") for name in names)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads": 1}, "heads: expected a whole number from 2 to 1024, or 0 for the budget's, got 1"),
        ({"dim": 1}, "dim: expected a whole number from 2 to 512, got 1"),
        ({"features": (63,)}, r"features: expected even numbers from 2 to 16384, got \[63\]"),
        ({"features": (64, 32)}, "features: expected numbers in ascending order"),
        ({"features": (4096,)}, "features: expected at most the 2048 tokens of calibration, got 4096"),
    ],
)
def test_wrong_settings(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolve(AttentionConfig(**{"budget": "quick", **changes}))  # type: ignore[arg-type]


def test_every_budget_resolves() -> None:
    for budget in BUDGETS:
        assert resolve(AttentionConfig(budget=budget)).heads >= 4  # type: ignore[arg-type]


def test_trained_like_inputs_are_as_defined() -> None:
    head = Head.drawn(64, torch.Generator().manual_seed(0))
    deviations = head.deviations
    torch.testing.assert_close(deviations[1:] / deviations[0], torch.arange(2, 65, dtype=torch.float64) ** -0.75)
    assert float(deviations.square().sum()) == pytest.approx(64)
    for basis in (head.query_basis, head.key_basis):
        torch.testing.assert_close(basis.mT @ basis, torch.eye(64, dtype=torch.float64))
    assert 0.9 < float((head.query_basis * head.key_basis).sum(0)[0]) < 1
    q, k, _ = draw_inputs("aniso", 2000, heads=2, dim=64, seed=0, purpose="test")
    assert float((q @ k.mT / 8).std(-1).mean()) == pytest.approx(1, abs=0.1)
    other, _, _ = draw_inputs("aniso", 2000, heads=2, dim=64, seed=0, purpose="calibration")
    torch.testing.assert_close(q.mean(2), other.mean(2), atol=0.3, rtol=0)  # the same distribution, other tokens
    assert not torch.equal(q, other)
    iso, _, _ = draw_inputs("iso", 50, heads=2, dim=64, seed=0, purpose="test")
    torch.testing.assert_close(iso.square().mean(-1), torch.ones(1, 2, 50, dtype=torch.float64), atol=1e-3, rtol=0)


def test_the_floor_is_below_maps_and_falls() -> None:
    inputs = Inputs(resolve(replace(TINY, length=128)), "aniso")
    rows = floor(inputs, [8, 16, 127])["errors"]
    landmark = measure_task(inputs, Task(kind="aniso", map="landmark", features=8))
    assert sum(rows[0]) < sum(landmark["errors"])
    assert rows[0][0] > rows[1][0] > rows[2][0]


def test_rows_are_measured_once(tmp_path: Path) -> None:
    calls: list[int] = []

    def measure() -> dict[str, float]:
        calls.append(1)
        return {"value": 0.1 + 0.2}

    for _ in range(2):
        with RunFolder(tmp_path, {"study": "toy"}) as folder:
            rows = Rows(folder)
            assert set(rows.seconds()) == ({"part"} if calls else set())
            assert rows.once("part", {"n": 1}, measure) == rows.once("part", {"n": 1}, measure)
            assert rows.once("part", {"n": 1}, measure) == {"n": 1, "value": 0.1 + 0.2}
    assert len(calls) == 1
    assert json.loads((tmp_path / "metrics.jsonl").read_text())["key"] == {"n": 1}


def test_peak_memory_counts_what_is_alive() -> None:
    x = torch.zeros(1000)
    with PeakMemory(x) as memory:
        y = x.view(10, 100)  # nothing new
        for _ in range(5):
            z = y + 1
            del z
    assert memory.peak == 4000


def test_painting_is_white_for_nothing_and_dark_for_much() -> None:
    image = painted(torch.tensor([[0.0, -1.0], [1.0, float("nan")]], dtype=torch.float64), 1.0)
    assert image.shape == (3, 4, 4)
    assert image[:, 0, 0].tolist() == image[:, 0, 2].tolist() == image[:, 2, 2].tolist() == [255, 255, 255]
    assert image[:, 2, 0].tolist() == [16, 42, 110]
