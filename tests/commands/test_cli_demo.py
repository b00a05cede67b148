"""`shoal demo`: every study, small, and one report; by itself, since it takes minutes.

In the slow tier: six studies one after the other are a tenth of what all fast tests take, and each has its own there.
"""

from pathlib import Path

import pytest

from tests.commands.process import shoal

STUDIES = 6


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_demo_runs_without_data_and_network_and_goes_on(tmp_path: Path) -> None:
    """The command behind `make demo`: data at hand, a report at the end; the second time nothing is trained anew."""
    words = ("demo", "--offline", "--data", "digits", "--who", "a student", "--minutes", "0.1")
    found = shoal(*words, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert "digits, as asked for" in found.stderr
    assert found.stdout.splitlines()[-1] == "report: runs/demo/report.html"
    page = (tmp_path / "runs" / "demo" / "report.html").read_text()
    assert "a student" in page
    assert len(page.encode()) < 3_000_000
    assert "Networks that stop early" in page
    assert "Attention that knows its own error" in page
    assert "Attention by hand and learned" in page
    assert "How deep each image has to go" in page
    assert "A summarizer that says when it overfits" in page
    assert "Do embeddings of two generations compare?" in page
    assert (tmp_path / "runs" / "demo" / "circuits.html").stat().st_size < 1_000_000
    metrics = list((tmp_path / "runs" / "demo").rglob("metrics.jsonl"))
    before = [sorted(file.read_text().splitlines()) for file in metrics]  # a training that is read again comes last
    again = shoal("demo", "--offline", "--data", "digits", "--minutes", "0.1", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    if again.stderr.count("finished before") == STUDIES:  # not in a checkout that changes meanwhile
        assert again.stdout == found.stdout
    assert "a student" not in (tmp_path / "runs" / "demo" / "report.html").read_text()
    assert [sorted(file.read_text().splitlines()) for file in metrics] == before
    assert len(list((tmp_path / "runs" / "demo").rglob("metrics.jsonl"))) == len(metrics) == STUDIES
