"""Finished runs are found wherever they lie below a folder, the newest first; what is no run is passed over."""

import os
from pathlib import Path

from starlette.testclient import TestClient

from shoal.web.runs import Runs
from tests.report.fabricate import fabricate, fabricate_small


def put(root: Path, place: str, when: float, study: str = "exits") -> Path:
    file = root / place / "result.json"
    result = fabricate_small() if study == "small" else fabricate()
    result.save(file)
    os.utime(file, (when, when))
    return file


def test_the_newest_finished_run_of_a_study(tmp_path: Path) -> None:
    study = fabricate().study
    put(tmp_path, "old", 1000)
    put(tmp_path, "demo/new", 3000)
    put(tmp_path, "demo/between", 2000)
    put(tmp_path, "a/b/c/d/too-deep", 9000)
    put(tmp_path, "old/checkpoints", 9000)  # inside of a run
    put(tmp_path, ".hidden/run", 9000)
    (tmp_path / "unfinished").mkdir()
    found = Runs(tmp_path)
    assert [run.folder.name for run in found.all()] == ["new", "between", "old"]
    newest = found.newest(study)
    assert newest is not None
    assert (newest.folder.name, newest.ended, newest.value()["study"]) == ("new", 3000, study)
    assert found.newest("faces") is None
    put(tmp_path, "old", 4000)  # has ended anew
    again = found.newest(study)
    assert again is not None
    assert again.folder.name == "old"


def test_what_is_no_result_is_passed_over(tmp_path: Path) -> None:
    for name, text in {"broken": "{", "list": "[]", "other": '{"study": 3}', "foreign": '{"study": "weather"}'}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "result.json").write_text(text)
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "result.json").symlink_to(tmp_path / "nowhere")
    assert Runs(tmp_path).all() == []
    assert Runs(tmp_path / "missing").all() == []


def test_the_report_of_the_newest_run_is_served_with_a_policy_of_its_own(client: TestClient) -> None:
    study = fabricate().study
    page = client.get(f"/runs/{study}/report")
    assert page.status_code == 200
    assert fabricate().title in page.text
    assert "'unsafe-inline'" in page.headers["content-security-policy"]
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert client.get("/runs/circuits/report").status_code == 404
