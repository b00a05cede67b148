"""Notebooks are what their sources make of them, and every cell runs, top to bottom, in an empty namespace."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.loading import ROOT, script

build = script("docs/notebooks/build.py")
SOURCES = build.sources()
SYSTEMS = {"attention", "circuits", "difficulty", "exits", "faces", "summarize"}


@pytest.fixture
def undone() -> Iterator[None]:
    """Puts back what notebooks set for their process."""
    import altair as alt

    threads = torch.get_num_threads()
    before = torch.get_rng_state()
    yield
    torch.set_num_threads(threads)
    torch.set_rng_state(before)
    alt.renderers.enable("default")


def test_every_system_has_a_lesson() -> None:
    assert {source.stem for source in SOURCES} == SYSTEMS


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_a_notebook_is_what_its_source_makes(source: Path) -> None:
    kept = source.with_suffix(".ipynb").read_text()
    assert kept == build.text_of(build.notebook_of(source)), "run python docs/notebooks/build.py"
    cells = json.loads(kept)["cells"]
    assert all(
        cell["outputs"] == [] and cell["execution_count"] is None for cell in cells if cell["cell_type"] == "code"
    )


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_a_lesson_has_text_mathematics_pictures_and_something_to_do(source: Path) -> None:
    cells = build.notebook_of(source).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    assert text.startswith("# ")
    assert "$" in text
    assert "## Try it" in text
    assert "alt.Chart" in code
    assert f"from shoal.{source.stem} import" in code
    assert "assert " in code  # what the text says of the numbers is held to


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_exercises_that_a_lesson_points_to_exist(source: Path) -> None:
    numbers = re.findall(r"exercises (\d\d) (?:to|and) (\d\d) in `docs/exercises`", source.read_text())
    assert len(numbers) == 1
    for number in numbers[0]:
        assert list((ROOT / "docs" / "exercises").glob(f"e{number}_*.py"))


TRAINED_FOR_LONG = {"faces", "summarize"}  # as long as all others together, under the checker of shapes


def _in_its_tier(source: Path) -> Any:
    return pytest.param(source, marks=pytest.mark.slow if source.stem in TRAINED_FOR_LONG else (), id=source.stem)


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("undone")
@pytest.mark.parametrize("source", [_in_its_tier(source) for source in SOURCES])
def test_a_notebook_runs_top_to_bottom(source: Path) -> None:
    names: dict[str, Any] = {"__name__": source.stem}
    shown = [_run(cell.source, names, source) for cell in build.notebook_of(source).cells if cell.cell_type == "code"]
    assert "image/svg+xml" in shown


def _run(code: str, names: dict[str, Any], source: Path) -> str:
    """Run a cell as a notebook does, and say as what its last line is shown; "" for nothing."""
    tree = ast.parse(code, filename=str(source))
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr):
        exec(compile(tree, str(source), "exec"), names)
        return ""
    tree.body.pop()
    exec(compile(tree, str(source), "exec"), names)
    value = eval(compile(ast.Expression(last.value), str(source), "eval"), names)
    return "" if value is None else _shown(value)


def _shown(value: Any) -> str:
    if hasattr(value, "_repr_mimebundle_"):
        bundle = value._repr_mimebundle_(None, None)
        (kind,) = bundle[0] if isinstance(bundle, tuple) else bundle
        return kind
    if hasattr(value, "_repr_html_"):
        assert "<" in value._repr_html_()
        return "text/html"
    return "text/plain" if repr(value) else ""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the client's own
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_a_notebook_runs_in_a_kernel(source: Path, tmp_path: Path) -> None:
    book = build.run(build.notebook_of(source), tmp_path)
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    assert outputs
    noise = [output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"]
    assert noise == []
    assert list(tmp_path.iterdir()) == []  # a lesson leaves nothing behind
