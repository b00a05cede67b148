"""The commands as a user meets them: in a process of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

QUICK = ["--minutes", "0.05", "--width", "4", "--offline"]


def shoal(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("SHOAL_")}
    clean |= {"XDG_CACHE_HOME": str(cwd / "cache"), "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(
        [sys.executable, "-m", "shoal", *words], cwd=cwd, env=clean, capture_output=True, text=True, check=False
    )


def test_help_does_not_import_torch(tmp_path: Path) -> None:
    code = "import sys, shoal.cli\ntry: shoal.cli.main(['--help'])\nfinally: print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert found.returncode == 0
    assert found.stdout.strip().endswith("False")
    assert "demo" in found.stdout


def test_version_and_module_agree(tmp_path: Path) -> None:
    import shoal as package

    assert shoal("--version", cwd=tmp_path).stdout.strip() == package.__version__


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["studdy"], "studdy"),
        (["study", "exits", "--budget", "huge"], "huge"),
        (["study", "exits", "--widht", "4"], "--width"),
        (["study", "exits", "--model", "resnet81", "--data", "digits"], "did you mean"),
        (["study", "exits", "--data", "cifar100"], "did you mean 'cifar10'"),
        (["study", "exits", "--data", "./nowhere"], "nowhere"),
        (["study", "exits", "--data", "digits", "--at", "layer7"], "unknown layer 'layer7'; did you mean"),
        (["study", "exits", "--minutes", "-1", "--data", "digits"], "minutes: expected a number >= 0, got -1.0"),
        (["study", "exits", "--config", "none.toml"], "--config: expected a TOML file, got none.toml"),
        (["report"], "RUNS"),
        (["data", "fetch", "cifar100"], "cifar10"),
    ],
)
def test_wrong_use_is_one_line_and_code_2(tmp_path: Path, words: list[str], message: str) -> None:
    found = shoal(*words, cwd=tmp_path)
    assert found.returncode == 2, found.stderr
    assert message in found.stderr
    assert found.stderr.strip().splitlines()[-1].startswith("shoal: ")
    assert "Traceback" not in found.stderr
    assert found.stdout == ""


def test_unknown_settings_name_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "shoal.toml").write_text("widht = 4\n")
    found = shoal("study", "exits", "--data", "digits", cwd=tmp_path)
    assert found.returncode == 2
    assert "widht" in found.stderr
    assert "width" in found.stderr.replace("widht", "")
    (tmp_path / "shoal.toml").unlink()
    found = shoal("study", "exits", "--data", "digits", cwd=tmp_path, SHOAL_WIDHT="4")
    assert found.returncode == 2
    assert "unknown environment variable 'SHOAL_WIDHT'; did you mean 'SHOAL_WIDTH'" in found.stderr


def test_a_missing_result_is_code_1(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    found = shoal("report", "empty", cwd=tmp_path)
    assert found.returncode == 1
    assert "no such result; run a study first" in found.stderr


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """One real run on the digits that need no network and no data."""
    folder = tmp_path_factory.mktemp("demo")
    settings = {"SHOAL_MINUTES": "0.1", "SHOAL_WIDTH": "8"}
    return folder, shoal("study", "exits", "--budget", "quick", "--offline", "--run", "run", cwd=folder, **settings)


def test_a_study_runs_without_data_and_network(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, found = demo
    assert found.returncode == 0, found.stderr
    assert "scikit-learn's digits" in found.stderr  # what was taken
    assert "shoal data fetch" in found.stderr  # how to get better data
    assert "report: run/report.html" in found.stdout
    names = {"config.toml", "environment.json", "metrics.jsonl", "checkpoints", "result.json", "report.html"}
    assert names <= {path.name for path in (folder / "run").iterdir()}
    result = json.loads((folder / "run" / "result.json").read_text())
    assert result["settings"]["width"] == 8  # from the environment
    assert len(result["claims"]) == 6
    assert not list(folder.rglob("*.partial"))


def test_the_same_run_again_trains_nothing_anew(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = demo
    metrics = (folder / "run" / "metrics.jsonl").read_text()
    settings = {"SHOAL_MINUTES": "0.1", "SHOAL_WIDTH": "8"}
    words = ["study", "exits", "--budget", "quick", "--offline", "--run", "run", "--json"]
    again = shoal(*words, cwd=folder, **settings)
    assert again.returncode == 0, again.stderr
    assert (folder / "run" / "metrics.jsonl").read_text() == metrics
    assert json.loads(again.stdout)[0]["claims"][0]["id"] == "halves_the_macs"
    other = shoal(*words, "--seed", "1", cwd=folder, **settings)
    assert other.returncode == 2
    assert "expected a run with settings.seed = 1, got settings.seed = 0" in other.stderr


def test_one_report_of_several_runs(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = demo
    found = shoal("report", "run", "run/result.json", "--output", "both.html", cwd=folder)
    assert found.returncode == 0, found.stderr
    assert (folder / "both.html").stat().st_size > (folder / "run" / "report.html").stat().st_size


def test_flags_beat_environment_beats_file(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('width = 5\nseed = 5\nmodel = "cifar_resnet81"\ndata = "digits"\n')
    found = shoal("study", "exits", "--config", "mine.toml", cwd=tmp_path)
    assert "cifar_resnet81" in found.stderr  # the file was read
    found = shoal("study", "exits", "--config", "mine.toml", cwd=tmp_path, SHOAL_MODEL="cifar_resnet82")
    assert "cifar_resnet82" in found.stderr
    found = shoal("study", "exits", "--config", "mine.toml", "--model", "cifar_resnet83", cwd=tmp_path, SHOAL_MODEL="x")
    assert "cifar_resnet83" in found.stderr


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_an_interrupted_study_saves_and_says_so(tmp_path: Path, how: signal.Signals, code: int) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    words = ["study", "exits", "--data", "digits", "--minutes", "5", "--width", "8", "--run", str(tmp_path / "run")]
    process = subprocess.Popen(
        [sys.executable, "-m", "shoal", *words], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    )
    metrics = tmp_path / "run" / "metrics.jsonl"
    while process.poll() is None and not metrics.exists():
        time.sleep(0.05)
    process.send_signal(how)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert f"stopped by {how.name}" in errors
    assert "saved; run the same command to go on" in errors
    assert list((tmp_path / "run" / "checkpoints" / "plain").glob("*.safetensors"))


def test_data_commands(tmp_path: Path) -> None:
    listed = shoal("data", "list", "--json", cwd=tmp_path)
    assert {row["name"] for row in json.loads(listed.stdout)} == {"cifar10", "fashion-mnist", "mnist", "digits"}
    assert shoal("data", "verify", "digits", cwd=tmp_path).returncode == 0


def test_an_unwritable_run_folder(tmp_path: Path) -> None:
    found = shoal("study", "exits", "--data", "digits", *QUICK, "--run", "/proc/nowhere", cwd=tmp_path)
    assert found.returncode == 1
    assert "cannot write /proc/nowhere" in found.stderr
