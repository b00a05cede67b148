"""Exercises: solutions pass their tests, stubs fail them all, usual mistakes are told of, files are up to date."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.loading import ROOT, script

build = script("docs/exercises/build.py")
EXERCISES = build.read_exercises()
FOLDER = ROOT / "docs" / "exercises"
each = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)


def _failures(functions: str, exercise: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Run an exercise's tests on somebody's functions: the message of every test; empty for those that passed."""
    name = f"e{exercise.name}"
    module = ModuleType(name)
    exec(compile(functions, f"{name}.py", "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, name, module)
    names: dict[str, Any] = {}
    exec(compile(exercise.test, f"test_{name}.py", "exec"), names)
    found: dict[str, str] = {}
    for test, function in list(names.items()):
        if test.startswith("test_"):
            try:
                function()
                found[test] = ""
            except Exception as error:  # a wrong solution may raise anything
                found[test] = f"{type(error).__name__}: {error}"
    return found


@each
def test_a_solution_passes(exercise: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = _failures(exercise.solved, exercise, monkeypatch)
    assert len(found) >= 3
    assert set(found.values()) == {""}, found


@each
def test_a_stub_fails_every_test(exercise: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for test, message in _failures(exercise.stub, exercise, monkeypatch).items():
        assert message == "NotImplementedError: this one is yours to write", test


@each
def test_usual_mistakes_are_told_of(exercise: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(exercise.mistakes) >= 3
    for right, wrong, message in exercise.mistakes:
        page, opens, functions = exercise.solved.partition(build.OPENS)  # hints may say it, too
        assert right in functions, right
        found = _failures(page + opens + functions.replace(right, wrong, 1), exercise, monkeypatch)
        assert any(message in said for said in found.values()), f"{right} -> {wrong}: {found}"


@each
def test_a_stub_holds_nothing_of_the_solution(exercise: Any) -> None:
    assert exercise.stub.count("raise NotImplementedError") == exercise.solved.count(build.OPENS)
    assert exercise.stub.count("raise NotImplementedError") >= 1
    for text in ("<solution>", "MISTAKES", "<tests>"):
        assert text not in exercise.stub + exercise.test
    assert "Hints\n" in exercise.stub
    assert "uestion" in exercise.stub


def test_files_are_what_their_sources_make() -> None:
    wanted = {name: text for exercise in EXERCISES for name, text in build.built(exercise).items()}
    there = {path.name: path.read_text() for path in FOLDER.glob("*e[0-9]*_*.py")}
    assert there == wanted, "run python docs/exercises/build.py"


def test_the_readme_lists_them_all() -> None:
    text = (FOLDER / "README.md").read_text()
    for exercise in EXERCISES:
        assert f"[{exercise.title.removesuffix('.')}](e{exercise.name}.py)" in text


def test_a_student_works_in_a_copy(tmp_path: Path) -> None:
    """The command of the README, on the copy that the README makes: fails before, passes after."""
    copy = tmp_path / "mine"
    made = subprocess.run([sys.executable, FOLDER / "build.py", copy], capture_output=True, text=True, check=False)
    assert (made.returncode, made.stderr) == (0, "")
    exercise = EXERCISES[0]
    command = [sys.executable, "-m", "pytest", "-q", f"test_e{exercise.name}.py"]
    before = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert before.returncode == 1, before.stdout
    assert "this one is yours to write" in before.stdout
    (copy / f"e{exercise.name}.py").write_text(exercise.solved)
    after = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert after.returncode == 0, after.stdout
    again = subprocess.run([sys.executable, FOLDER / "build.py", copy], capture_output=True, text=True, check=False)
    assert "is there already and was left as it is" in again.stderr
    assert (copy / f"e{exercise.name}.py").read_text() == exercise.solved
