"""The circuits study as a run: rows measured once, the result of a tiny budget, heads as files, the mixed task."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from shoal.circuits import compile_rule, parse_rule, verify
from shoal.cli import app
from shoal.errors import InputError, ShoalError
from shoal.report import render
from shoal.studies import circuits_transformer as mixed
from shoal.studies.circuits import CircuitsStudy
from shoal.studies.circuits_config import BUDGETS, CircuitsConfig, HeadConfig, resolve
from shoal.studies.circuits_heads import as_rows, from_rows, load_heads, save_heads
from shoal.studies.circuits_pictures import painted
from shoal.studies.circuits_tasks import TASKS, short_tasks
from shoal.studies.result import Result
from tests.commands.process import shoal

TINY = CircuitsConfig(budget="quick", seeds=2, learning_steps=100, resamples=2, transformers=2, transformer_steps=3)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result, CircuitsStudy]:
    folder = tmp_path_factory.mktemp("circuits")
    study = CircuitsStudy(TINY, {"who": "a student"})
    return folder, study.run(folder), study


def test_a_run_has_all_of_a_result(run: tuple[Path, Result, CircuitsStudy]) -> None:
    folder, result, _ = run
    assert {path.name for path in folder.iterdir()} >= {"config.toml", "environment.json", "metrics.jsonl"}
    assert Result.load(folder / "result.json").claims == result.claims
    assert result.story is not None
    assert set(result.evidence) == {claim.id for claim in result.claims}
    assert (result.study, len(result.claims), len(result.pictures)) == ("circuits", 17, 10)
    steps = next(picture for picture in result.pictures if picture.id == "steps")
    assert {row["choice"] for row in steps.rows} >= {"same: A B C C A B", "first: A B B A", "unique: A B"}
    assert {row["caption"] for row in steps.rows} == {"Q", "K", "V", "scores", "attention", "output"}
    assert result.notes == {"who": "a student"}
    assert "--seeds 2" in result.command
    by_id = {claim.id: claim for claim in result.claims}
    assert by_id["hand_heads_hold"].verdict == "supported"
    assert by_id["heads_specialise"].unsettled  # three steps teach nothing
    page = render([result])
    assert "a student" in page
    assert "QK circuits by hand and learned" in page


def test_the_same_run_again_measures_nothing(run: tuple[Path, Result, CircuitsStudy]) -> None:
    folder, result, _ = run
    before = (folder / "metrics.jsonl").read_text()
    again = CircuitsStudy(TINY).run(folder)
    assert (folder / "metrics.jsonl").read_text() == before
    assert (again.claims, again.tables, again.pictures) == (result.claims, result.tables, result.pictures)


def test_the_study_as_a_command(run: tuple[Path, Result, CircuitsStudy], tmp_path: Path) -> None:
    """On the folder of the run, so that nothing is measured twice."""
    words = [*shlex.split(run[1].command)[1:], "--run", str(run[0])]
    found = shoal(*words, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    page, report = (run[0] / name for name in ("circuits.html", "report.html"))
    assert found.stdout.splitlines()[-2:] == [f"page: {page}", f"report: {report}"]
    assert page.stat().st_size < 1_000_000
    assert report.exists()
    assert "supported" in found.stdout
    assert "no data set is needed" in found.stderr
    app.config = []
    _, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False)
    assert resolve(bound.arguments["config"]) == resolve(TINY)


def test_a_stopped_run_goes_on(run: tuple[Path, Result, CircuitsStudy], tmp_path: Path) -> None:
    folder, result, _ = run
    lines = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "config.toml").write_text((folder / "config.toml").read_text())
    (tmp_path / "metrics.jsonl").write_text("".join(lines[:-3]) + lines[-3][:20])  # killed in the middle of a line
    again = CircuitsStudy(TINY).run(tmp_path)
    assert (again.claims, again.tables) == (result.claims, result.tables)


def test_a_folder_of_other_settings_is_refused(run: tuple[Path, Result, CircuitsStudy]) -> None:
    with pytest.raises(InputError, match=r"expected a run with settings.seed = 1, got settings.seed = 0"):
        CircuitsStudy(replace(TINY, seed=1)).run(run[0])


def test_pairs_for_the_page_hold(run: tuple[Path, Result, CircuitsStudy]) -> None:
    pairs = run[2].pairs
    assert len(pairs) >= 5  # a hundred steps may be too few for the hard ones
    assert {pair.hand.layout.max_len for pair in pairs} == {4}
    for pair in pairs:
        assert all(verify(head, pair.rule).holds for head in (pair.hand, *pair.learned))


def test_the_tasks_of_the_exercise() -> None:
    by_name = {task.name: task.by_hand() for task in TASKS}
    assert [list(w.shape) for w in by_name["same"].parameters()] == [[3, 3], [3, 3], [3, 3]]
    assert by_name["first"].layout.max_len == 4
    assert by_name["first"].W_Q.shape == (7, 1)  # three contents and four places
    assert [list(w.shape) for w in by_name["unique"].parameters()] == [[8, 8], [8, 8], [8, 1]]
    assert by_name["unique"].layout.null  # the CLS token
    assert len({task.name for task in short_tasks()}) == len(TASKS)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": 1}, "seeds: expected a whole number from 2 to 1000, or 0 for the budget's, got 1"),
        ({"transformers": 1}, "transformers: expected a whole number from 2 to 100"),
        ({"seed": -1}, "seed: expected a whole number from 0 to"),
    ],
)
def test_wrong_settings(changes: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolve(CircuitsConfig(**{"budget": "quick", **changes}))  # type: ignore[arg-type]


def test_every_budget_resolves() -> None:
    for budget in BUDGETS:
        assert resolve(CircuitsConfig(budget=budget)).seeds >= 8  # type: ignore[arg-type]
    assert HeadConfig(vocabulary="one, two").tokens == ("one", "two")


def test_heads_as_rows_and_files(tmp_path: Path) -> None:
    head = compile_rule(parse_rule("~first"), "AB", 3)
    with torch.no_grad():
        head.W_Q.add_(torch.randn(head.W_Q.shape) / 3)
    (row,) = from_rows(json.loads(json.dumps(as_rows([head]))), head.layout)
    save_heads(tmp_path / "heads.safetensors", [head, row], "~first()")
    rule, found = load_heads(tmp_path / "heads.safetensors")
    assert (rule, len(found)) == ("~first()", 2)
    for other in (row, *found):
        assert other.layout == head.layout
        assert all(torch.equal(a, b) for a, b in zip(head.parameters(), other.parameters(), strict=True))


def test_files_that_hold_no_heads(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="got no such file"):
        load_heads(tmp_path / "none.safetensors")
    (tmp_path / "text.safetensors").write_text("no heads here")
    with pytest.raises(ShoalError, match=r"expected a safetensors file of heads, .* got: ") as caught:
        load_heads(tmp_path / "text.safetensors")
    assert caught.value.exit_code == 1
    save_file({"0.W_Q": torch.zeros(2, 2)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="got one without them"):
        load_heads(tmp_path / "other.safetensors")
    head = compile_rule(parse_rule("first"), "AB", 2)
    head.W_Q = torch.nn.Parameter(torch.zeros(3, 1))
    save_heads(tmp_path / "short.safetensors", [head], "first()")
    with pytest.raises(InputError, match="weights of 4 rows expected"):
        load_heads(tmp_path / "short.safetensors")
    head = compile_rule(parse_rule("first"), "AB", 2)
    head.W_V.data.fill_(torch.nan)
    save_heads(tmp_path / "nan.safetensors", [head], "first()")
    with pytest.raises(InputError, match="W_V: expected finite numbers, got NaN or infinity"):
        load_heads(tmp_path / "nan.safetensors")


def test_the_mixed_task() -> None:
    first, previous, once = mixed.wanted(torch.tensor([[3, 1, 3, 2]]))
    assert first.tolist() == [[3, 3, 3, 3]]
    assert previous.tolist() == [[mixed.TOKENS, 3, 1, 3]]
    assert once.tolist() == [[0, 1, 0, 1]]


def test_what_a_head_looks_at() -> None:
    tokens = torch.randint(mixed.TOKENS, (50, mixed.LENGTH), generator=torch.Generator().manual_seed(0))
    places = torch.arange(mixed.LENGTH)
    before = torch.nn.functional.one_hot((places - 1).clamp_min(0), mixed.LENGTH).double()
    others = (tokens[:, :, None] == tokens[:, None, :]) & ~torch.eye(mixed.LENGTH, dtype=torch.bool)
    shared = others.double() / others.sum(-1, keepdim=True).clamp_min(1)
    maps = mixed.Maps(torch.stack([before.expand(50, -1, -1), shared]), tokens)
    assert maps.roles(0)[1] == 1.0
    assert maps.roles(1)[2] == pytest.approx(1.0)


def test_a_head_that_is_left_out_comes_back() -> None:
    model, _ = mixed.train([0, 1], 2)
    tokens = mixed.draw(20, torch.Generator().manual_seed(0))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    whole = model(tokens)
    with mixed.left_out(model, 5):
        assert len(mixed.accuracies(model, tokens)) == 3
        assert not torch.equal(model(tokens)[0], whole[0])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not torch.equal(model.place, mixed.untrained(0).place)


def test_painting_is_white_for_nothing_blue_above_and_red_below() -> None:
    image = painted(torch.tensor([[0.0, 1.0], [-1.0, float("nan")]]))
    assert image.shape == (3, 72, 72)
    assert image[:, 0, 0].tolist() == image[:, 71, 71].tolist() == [255, 255, 255]
    assert image[:, 0, 71].tolist() == [16, 42, 110]
    assert image[:, 71, 0].tolist() == [150, 30, 20]
