"""The commands as a user meets them: in a process of their own."""

import dataclasses
import importlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import cyclopts
import pytest
import torch

from shoal.exits import exit_outputs
from shoal.studies.exits_kept import load_kept_exits
from shoal.studies.result import Result
from tests.commands.process import Told, at_hand, in_turn, on_a_full_disk, shoal

DEMO = ["study", "exits", "--budget", "quick", "--offline", "--run", "run"]
DEMO_SETTINGS = {"SHOAL_MINUTES": "0.1", "SHOAL_WIDTH": "8"}
QUICK = ["--minutes", "0.05", "--width", "4", "--offline"]


def test_help_does_not_import_torch(tmp_path: Path) -> None:
    code = "import sys, shoal.cli\ntry: shoal.cli.main(['--help'])\nfinally: print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert found.returncode == 0
    assert found.stdout.strip().endswith("False")
    assert "demo" in found.stdout


def test_help_of_all_commands_is_what_each_says_of_itself(tmp_path: Path) -> None:
    """The list is written without importing them, so that it comes at once."""
    from shoal.cli import COMMANDS, app

    for name, (place, told) in COMMANDS.items():
        module, _, attribute = place.partition(":")
        found = getattr(importlib.import_module(module), attribute)
        own = found.help if isinstance(found, cyclopts.App) else found.__doc__
        assert told == own.splitlines()[0], name
        assert app[name] is not None
    code = "import sys, shoal.cli\ntry: shoal.cli.main(['--help'])\nfinally: print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert "shoal.settings" in found.stdout
    assert "shoal.studies" not in found.stdout
    assert "one folder of" in shoal("demo", "--help", cwd=tmp_path).stdout  # each flag is explained


def test_version_and_module_agree(tmp_path: Path) -> None:
    import shoal as package

    assert shoal("--version", cwd=tmp_path).stdout.strip() == package.__version__


WRONG_USE: list[tuple[list[str], str]] = [
    (["studdy"], "studdy"),
    (["study", "exits", "--budget", "huge"], "huge"),
    (["study", "exits", "--widht", "4"], "--width"),
    (["study", "exits", "--model", "resnet81", "--data", "digits"], "did you mean"),
    (["study", "exits", "--data", "cifar100"], "did you mean 'cifar10'"),
    (["study", "exits", "--data", "./nowhere"], "nowhere"),
    (["study", "exits", "--data", "digits", "--at", "layer7"], "unknown layer 'layer7'; did you mean"),
    (["study", "exits", "--minutes", "-1", "--data", "digits"], "minutes: expected a number >= 0, got -1.0"),
    (["study", "exits", "--minutes", "nan", "--data", "digits"], "minutes: expected a number >= 0, got nan"),
    (
        ["study", "exits", "--batch-size", "0", "--data", "digits"],
        "batch_size: expected a whole number >= 1",
    ),
    (["study", "exits", "--seed", str(2**70), "--data", "digits"], "seed: expected a whole number >= 0"),
    (["study", "exits", "--max-accuracy-drop", "3", "--data", "digits"], "max_accuracy_drop: expected a share"),
    (["study", "exits", "--distil", "2", "--data", "digits"], "distil: expected a share from 0 to 1, got 2.0"),
    (["study", "exits", "--image-size", "3", "--data", "digits"], "image_size: expected 0, or 8 to 1024 pixels"),
    (
        ["study", "exits", "--precision", "fp33", "--data", "digits"],
        "unknown precision 'fp33'; did you mean",
    ),
    (["study", "exits", "--optimizer", "adam", "--data", "digits"], "did you mean 'adamw'"),
    (["study", "exits", "--device", "meta", "--data", "digits"], "device: expected"),
    (["study", "exits", "--flip", "up", "--data", "digits"], "unknown flip 'up'"),
    (["study", "exits", "--minutes", "1", "--epochs", "1"], "training time: expected minutes or epochs, got both"),
    (["study", "exits", "--config", "none.toml"], "--config: expected a TOML file, got none.toml"),
    (["study", "attention", "--features", "63"], "features: expected even numbers from 2 to 16384, got [63]"),
    (["attention", "error", "none.safetensors"], "none.safetensors: expected a safetensors file with q, k and v"),
    (["study", "difficulty", "--k", "0", "--data", "digits"], "k: expected a whole number >= 1, got 0"),
    (["study", "difficulty", "--data", "digits", "--layers", "layer7"], "unknown layer 'layer7'; did you mean"),
    (["study", "circuits", "--seeds", "1"], "seeds: expected a whole number from 2 to 1000, or 0 for the budget's"),
    (["circuits", "verify", "sme"], "rule: expected token('A'), same, first"),
    (["circuits", "verify", "same | first"], "expected one that asks one thing of the contents and one of the places"),
    (["circuits", "verify", "token('D')"], "token: expected one of A, B, C, got 'D'"),
    (["circuits", "verify", "same & ~same"], "expected one that selects a key of some sequence"),
    (["circuits", "verify", "same", "--max-len", "0"], "max_len: expected a whole number >= 1, got 0"),
    (["circuits", "verify", "same", "--vocabulary", "AA"], "vocabulary: expected different names"),
    (["circuits", "learn", "same", "--seeds", "0"], "seeds: expected a whole number >= 1, got 0"),
    (["circuits", "learn", "same", "--output", "heads.txt"], "expected a file that ends in .safetensors"),
    (["circuits", "compare", "same", "none.safetensors"], "none.safetensors: expected a safetensors file of heads"),
    (["circuits", "page", "same", "--output", "page.txt"], "--output: expected a file that ends in .html"),
    (["report"], "RUNS"),
    (["data", "fetch", "cifar100"], "cifar10"),
]


@pytest.fixture(scope="module")
def wrong_uses(tmp_path_factory: pytest.TempPathFactory) -> list[Told]:
    """Exit code, stdout and stderr of every wrong use; in one process, since starting one takes seconds."""
    folder = tmp_path_factory.mktemp("wrong")
    found = in_turn([words for words, _ in WRONG_USE], folder)
    assert not list(folder.iterdir())
    return found


@pytest.mark.parametrize("case", range(len(WRONG_USE)), ids=lambda case: " ".join(WRONG_USE[case][0]))
def test_wrong_use_is_one_line_and_code_2(wrong_uses: list[Told], case: int) -> None:
    code, stdout, stderr = wrong_uses[case]
    assert code == 2, stderr
    assert WRONG_USE[case][1] in stderr
    assert stderr.strip().splitlines()[-1].startswith("shoal: ")
    assert "Traceback" not in stderr
    assert stdout == ""


@pytest.mark.parametrize("words", [["studdy"], ["study", "exits", "--data", "digits", "--at", "layer7"]])
def test_wrong_use_of_the_program_itself(tmp_path: Path, words: list[str]) -> None:
    found = shoal(*words, cwd=tmp_path)
    assert found.returncode == 2, found.stderr
    assert found.stderr.strip().splitlines()[-1].startswith("shoal: ")
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
    return folder, shoal(*DEMO, cwd=folder, **DEMO_SETTINGS)


def test_a_study_runs_without_data_and_network(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, found = demo
    assert found.returncode == 0, found.stderr
    assert at_hand() in found.stderr  # what was taken
    assert "shoal data fetch" in found.stderr  # how to get better data
    assert "report: run/report.html" in found.stdout
    names = {"config.toml", "environment.json", "metrics.jsonl", "checkpoints", "result.json", "report.html"}
    assert names <= {path.name for path in (folder / "run").iterdir()}
    result = json.loads((folder / "run" / "result.json").read_text())
    assert result["settings"]["width"] == 8  # from the environment
    assert len(result["claims"]) == 10
    assert not list(folder.rglob("*.partial"))


def test_the_same_run_again_trains_nothing_anew(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = demo
    metrics = (folder / "run" / "metrics.jsonl").read_text()
    again = shoal(*DEMO, "--json", cwd=folder, **DEMO_SETTINGS)
    assert again.returncode == 0, again.stderr
    assert (folder / "run" / "metrics.jsonl").read_text() == metrics
    assert json.loads(again.stdout)[0]["claims"][0]["id"] == "halves_the_macs"
    other = shoal(*DEMO, "--json", "--seed", "1", cwd=folder, **DEMO_SETTINGS)
    assert other.returncode == 2
    assert "expected a run with settings.seed = 1, got settings.seed = 0" in other.stderr


def test_what_a_run_of_exits_keeps_is_what_it_measured(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    run = demo[0] / "run"
    kept = load_kept_exits(run)
    _, right, macs = kept.outputs.replay(kept.policy)
    tables = {table["id"]: table for table in json.loads((run / "result.json").read_text())["tables"]}
    told = next(row for row in tables["comparison"]["rows"] if row[0] == "early exit")
    assert (told[1], told[3]) == (f"{100 * right.double().mean():.2f} %", round(float(macs.double().mean()) / 1e6, 2))
    outputs = exit_outputs(kept.net, kept.shown.pair, prepare=kept.inputs.normalise)
    assert torch.equal(outputs.costs, kept.outputs.costs)
    taken = outputs.exits_taken(kept.policy).tolist()
    assert taken == sorted(taken)


def test_one_report_of_several_runs(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = demo
    result = Result.load(folder / "run" / "result.json")
    dataclasses.replace(result, study="another").save(folder / "another" / "result.json")
    found = shoal("report", "run", "another/result.json", "--output", "both.html", cwd=folder)
    assert found.returncode == 0, found.stderr
    assert (folder / "both.html").stat().st_size > (folder / "run" / "report.html").stat().st_size


def test_runs_of_the_same_study_are_compared(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = demo
    result = Result.load(folder / "run" / "result.json")
    claims = (dataclasses.replace(result.claims[0], effect=90.0, low=80.0, high=100.0), *result.claims[1:])
    changed = {"settings": {**result.settings, "seed": 1}, "claims": claims}
    dataclasses.replace(result, **changed).save(folder / "demo" / "exits-quick" / "result.json")
    found = shoal("report", "run", "demo", "--output", "compared.html", "--json", cwd=folder)
    assert found.returncode == 0, found.stderr
    assert found.stderr == "compared.html\n"
    compared = json.loads(found.stdout)
    assert compared["runs"] == {"A": "run", "B": "demo"}
    study = compared["studies"][0]
    assert [(one["name"], one["values"]) for one in study["changed"]] == [("seed", [0, 1])]
    outcomes = [claim["differences"][0]["outcome"] for claim in study["claims"]]
    assert outcomes == ["differs", *["same"] * (len(outcomes) - 1)] or result.claims[0].unsettled
    page = (folder / "compared.html").read_text()
    assert "2 runs side by side" in page
    assert len(page.encode()) < 500_000
    twice = shoal("report", "run", "run/result.json", cwd=folder)
    assert twice.returncode == 2
    assert twice.stderr == "shoal: runs: expected every run once, got run by run and run/result.json\n"


def test_flags_beat_environment_beats_file(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('width = 5\nseed = 5\nmodel = "cifar_resnet81"\ndata = "digits"\n')
    found = shoal("study", "exits", "--config", "mine.toml", cwd=tmp_path)
    assert "cifar_resnet81" in found.stderr  # the file was read
    found = shoal("study", "exits", "--config", "mine.toml", cwd=tmp_path, SHOAL_MODEL="cifar_resnet82")
    assert "cifar_resnet82" in found.stderr
    found = shoal("study", "exits", "--config", "mine.toml", "--model", "cifar_resnet83", cwd=tmp_path, SHOAL_MODEL="x")
    assert "cifar_resnet83" in found.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_study_saves_and_says_so(tmp_path: Path, how: signal.Signals) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    words = ["study", "exits", "--data", "digits", "--minutes", "5", "--width", "8", "--run", str(tmp_path / "run")]
    process = subprocess.Popen(
        [sys.executable, "-m", "shoal", *words], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    )
    metrics = tmp_path / "run" / "metrics.jsonl"
    while process.poll() is None and not (metrics.exists() and metrics.stat().st_size):  # a row: it is training
        time.sleep(0.05)
    process.send_signal(how)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert f"stopped by {how.name}" in errors
    assert "saved; run the same command to go on" in errors
    assert list((tmp_path / "run" / "checkpoints" / "plain").glob("*.safetensors"))


def test_data_commands(tmp_path: Path) -> None:
    listed = shoal("data", "list", "--json", cwd=tmp_path)
    images = {"cifar10", "fashion-mnist", "mnist", "digits"}
    texts = {"debian-descriptions", "aeslc", "docstrings", "git-log"}
    assert {row["name"] for row in json.loads(listed.stdout)} == images | texts | {"lfw", "olivetti"}
    assert shoal("data", "verify", "digits", cwd=tmp_path).returncode == 0


def test_an_unwritable_run_folder(tmp_path: Path) -> None:
    found = shoal("study", "exits", "--data", "digits", *QUICK, "--run", "/proc/nowhere", cwd=tmp_path)
    assert found.returncode == 1
    assert "cannot write /proc/nowhere" in found.stderr


def test_settings_of_a_study_do_not_disturb_other_commands(tmp_path: Path) -> None:
    (tmp_path / "shoal.toml").write_text('width = 4\nwho = "me"\n')
    assert shoal("data", "list", cwd=tmp_path).returncode == 0
    assert shoal("data", "verify", "digits", cwd=tmp_path, SHOAL_WIDTH="4").returncode == 0


def test_a_wrong_setting_leaves_no_run_folder(tmp_path: Path) -> None:
    words = ["study", "exits", "--data", "digits", "--run", "run"]
    assert shoal(*words, "--precision", "fp33", cwd=tmp_path).returncode == 2
    assert not (tmp_path / "run").exists()


def test_data_variable_is_no_flag(tmp_path: Path) -> None:
    """SHOAL_DATA names where to look: it yields to a settings file and to the next source where it holds nothing."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "shoal.toml").write_text('data = "digits"\nmodel = "cifar_resnet81"\n')
    found = shoal("study", "exits", cwd=tmp_path, SHOAL_DATA="empty")
    assert "unknown network 'cifar_resnet81'" in found.stderr  # the digits were read
    (tmp_path / "shoal.toml").write_text('model = "cifar_resnet81"\n')
    found = shoal("study", "exits", "--offline", cwd=tmp_path, SHOAL_DATA="empty")
    assert "unknown network 'cifar_resnet81'" in found.stderr
    found = shoal("study", "exits", "--offline", cwd=tmp_path, SHOAL_DATA="digits")
    assert "unknown network 'cifar_resnet81'" in found.stderr


def test_the_repeating_command_makes_the_same_run(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    """Parsed again, the command of a report gives the settings that the run had."""
    from shoal.cli import app
    from shoal.studies.exits import command
    from shoal.studies.exits_config import ExitsConfig, resolve

    shown = json.loads((demo[0] / "run" / "result.json").read_text())["command"]
    assert "--width 8" in shown
    assert "--minutes 0.1" in shown
    odd = resolve(
        ExitsConfig(budget="quick", at=("layer1", "layer3"), whitened=False, optimizer="sgd", learning_rate=0.3, seed=4)
    )
    words = shlex.split(command(odd, "my photos"))
    app.config = []
    _, bound, _ = app.parse_args(words[1:], exit_on_error=False, print_error=False)
    again = bound.arguments["config"]
    assert resolve(dataclasses.replace(again, data="")) == odd
    assert again.data == "my photos"


@pytest.mark.skipif(os.geteuid() == 0, reason="needs a user who may not read everything; this is root")
def test_unreadable_data_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "photos" / "a").mkdir(parents=True)
    (tmp_path / "photos" / "a").chmod(0)
    found = shoal("study", "exits", "--data", "photos", cwd=tmp_path)
    assert found.returncode in (1, 2)
    assert "Traceback" not in found.stderr


def test_sigterm_outside_of_training_is_130(tmp_path: Path) -> None:
    code = (
        "import os, signal, shoal.cli as c\n"
        "c.check_environment = lambda: os.kill(os.getpid(), signal.SIGTERM)\n"
        "c.main(['data', 'list'])"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode == 130
    assert found.stderr == "shoal: interrupted\n"


def test_a_wrong_file_fails_verification(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    for name in (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"):
        (folder / name).write_bytes(b"no images")
    found = shoal("data", "verify", "cifar10", cwd=tmp_path, SHOAL_DATA=str(tmp_path / "data"))
    assert found.returncode == 1
    assert "BAD  " in found.stdout
    assert "6 of 6 files are not as published" in found.stderr


def test_a_full_disk_while_a_report_is_written(
    tmp_path: Path, demo: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    found = on_a_full_disk("report", str(demo[0] / "run"), "--output", "page.html", cwd=tmp_path)
    assert found.returncode == 1
    assert found.stderr.startswith("shoal: disk full while writing page.html: ")
    assert [path.name for path in tmp_path.iterdir() if path.name != "cache"] == []


def test_a_full_disk_while_a_study_saves(tmp_path: Path) -> None:
    fill_up(tmp_path)
    assert not list((tmp_path / "run").rglob("*.partial"))
    assert not list((tmp_path / "run").rglob("*.safetensors"))


@pytest.mark.slow
def test_with_room_again_the_same_command_goes_through(tmp_path: Path) -> None:
    words = fill_up(tmp_path)
    again = shoal(*words, cwd=tmp_path)
    assert again.returncode == 0, again.stderr


def fill_up(folder: Path) -> list[str]:
    """A study that ends because the disk is full; the words of its command."""
    words = ["study", "exits", "--data", "digits", *QUICK, "--run", "run"]
    found = on_a_full_disk(*words, cwd=folder)
    assert found.returncode == 1, found.stderr
    assert found.stderr.splitlines()[-1].startswith("shoal: disk full while writing run/checkpoints/plain/step-")
    return words
