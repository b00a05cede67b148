"""`shoal report --answers`: the answer sheet of runs, with the reader's own words from settings, as a real process."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from shoal.studies.result import Claim, Result
from tests.commands.process import shoal


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run of which little is left."""
    claim = Claim(
        id="halves_the_macs",
        sentence="Half is saved.",
        measured="0.4 of it.",
        effect=0.4,
        low=0.3,
        high=0.45,
        bound=0.5,
        direction="below",
    )
    result = Result(
        study="exits", title="Exits", summary=(), command="shoal study exits", claims=(claim,), notes={"who": "Ann"}
    )
    result.save(tmp_path / "run" / "result.json")
    replace(result, study="faces", claims=()).save(tmp_path / "other" / "result.json")
    return tmp_path / "run"


def test_answers_as_a_page(run: Path) -> None:
    found = shoal("report", "run", "other", "--answers", "--idea", "Mining!", "--json", cwd=run.parent)
    assert found.returncode == 0, found.stderr
    assert found.stderr.strip() == "answers.html"
    told = {one["id"]: one for one in json.loads(found.stdout)}
    assert len(told) == 31
    assert told["4b-iii"]["claims"] == {"halves_the_macs": "supported"}
    page = (run.parent / "answers.html").read_text()
    assert "Mining!" in page
    assert "Ann" in page
    assert "The study of circuits is not among these runs" in page


def test_answers_as_markdown_with_settings_from_a_file(run: Path) -> None:
    (run.parent / "shoal.toml").write_text('idea = "That difficulty is *relative*."\nwho = "Bob"\n')
    found = shoal("report", "run", "--answers", "--output", "sheet/answers.md", cwd=run.parent)
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() == "sheet/answers.md"
    text = (run.parent / "sheet" / "answers.md").read_text()
    assert r"> That difficulty is \*relative\*." in text
    assert "> Bob" in text
    assert "> Ann" not in text


def test_the_readers_words_stand_in_a_report_too(run: Path) -> None:
    found = shoal("report", "run", "other", "--resources", "one laptop", cwd=run.parent)
    assert found.returncode == 0, found.stderr
    page = (run.parent / "report.html").read_text()
    assert "one laptop" in page
    assert 'id="answer-4b-iii"' in page


def test_no_runs_are_refused(run: Path) -> None:
    found = shoal("report", "nowhere", "--answers", cwd=run.parent)
    assert found.returncode in (1, 2)
    assert found.stderr.count("\n") == 1
    assert not (run.parent / "answers.html").exists()
