"""A run that has ended is read, not made again; unless it was another one."""

import json
from pathlib import Path
from typing import Any

import pytest

from shoal.engine import Progress, RunFolder, describe_environment
from shoal.errors import InputError
from shoal.studies import study
from shoal.studies.result import Result
from shoal.studies.study import Study


class Counting(Study):
    """Finds how often it was run."""

    name = "counting"

    def __init__(self, seed: int = 0, **notes: str):
        self.identity = {"study": self.name, "settings": {"seed": seed}}
        self.run_name = f"counting-{seed}"
        self.notes = notes

    def _run(self, run: RunFolder, progress: Progress) -> Result:
        found = describe_environment(seed=0, device="cpu", why="nothing is computed")
        return Result(study=self.name, title="T", summary=("found",), command="c", environment=found, notes=self.notes)


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The environment as it is, of a commit that tests can change."""
    now = {**describe_environment(seed=0, device="", why=""), "commit": "abc1234"}
    monkeypatch.setattr(study, "describe_environment", lambda **_: now)
    monkeypatch.setitem(globals(), "describe_environment", lambda **_: dict(now))
    return now


def test_a_run_that_ended_is_read_with_the_notes_of_now(tmp_path: Path) -> None:
    assert Counting().finished(tmp_path / "run") is None
    assert not (tmp_path / "run").exists()
    found = Counting(who="Ann").run(tmp_path / "run")
    again = Counting(who="Bob").finished(tmp_path / "run")
    assert again is not None
    assert again.summary == found.summary
    assert again.notes == {"who": "Bob"}


@pytest.mark.parametrize("part", ["machine", "versions", "commit"])
def test_what_was_measured_elsewhere_is_measured_anew(part: str, tmp_path: Path, clean: dict[str, Any]) -> None:
    Counting().run(tmp_path / "run")
    clean[part] = "another"
    assert Counting().finished(tmp_path / "run") is None


def test_a_checkout_with_changes_is_never_the_same(tmp_path: Path, clean: dict[str, Any]) -> None:
    clean["commit"] = "abc1234+"
    Counting().run(tmp_path / "run")
    assert Counting().finished(tmp_path / "run") is None


def test_a_damaged_result_is_made_again(tmp_path: Path) -> None:
    Counting().run(tmp_path / "run")
    file = tmp_path / "run" / "result.json"
    file.write_text(file.read_text()[:-9])
    assert Counting().finished(tmp_path / "run") is None


def test_another_run_is_refused(tmp_path: Path) -> None:
    Counting().run(tmp_path / "run")
    with pytest.raises(InputError, match="run folder"):
        Counting(seed=1).finished(tmp_path / "run")
    assert json.loads((tmp_path / "run" / "result.json").read_text())["title"] == "T"
