"""A run that is killed at any moment goes on and ends with the same bits."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from shoal.engine import Interrupted, RunFolder, latest_checkpoint
from tests.engine.toy import train

TOY = [sys.executable, "-m", "tests.engine.toy"]
ROOT = Path(__file__).parents[2]
STEPS = 40


def start(folder: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([*TOY, str(folder), str(STEPS)], cwd=ROOT, env=environment, stderr=subprocess.PIPE)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    path = latest_checkpoint(folder / "checkpoints" / "model")
    assert path is not None
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    process = start(folder)
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()
    return folder


def kill_until_done(folder: Path, seed: int, how: signal.Signals) -> int:
    """Kill the training at random moments until it ends by itself; check the folder after every kill."""
    chance = random.Random(seed)
    kills = 0
    while True:
        before = latest_checkpoint(folder / "checkpoints" / "model")
        process = start(folder)
        # wait until this process has made a step of its own, so that every round gets somewhere
        while process.poll() is None and latest_checkpoint(folder / "checkpoints" / "model") == before:
            time.sleep(0.005)
        time.sleep(chance.random() * 0.4)
        process.send_signal(how)
        _, errors = process.communicate()
        if process.returncode == 0:
            return kills
        assert process.returncode in (-how, 1), errors.decode()
        if process.returncode == 1:
            assert "Interrupted: stopped by SIGTERM" in errors.decode()
        kills += 1
        check_folder(folder)


def check_folder(folder: Path) -> None:
    """Nothing half-written: every file reads back whole."""
    for path in (folder / "checkpoints" / "model").glob("step-*.safetensors"):
        with safe_open(path, framework="pt") as file:
            json.loads(file.metadata()["state"])
    metrics = folder / "metrics.jsonl"
    if metrics.exists():
        for line in metrics.read_text().splitlines():
            json.loads(line)


def lines(folder: Path) -> list[str]:
    return (folder / "metrics.jsonl").read_text().splitlines()


def same(one: Path, other: Path) -> None:
    a, b = weights(one), weights(other)
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name
    rows = [[{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines(f)] for f in (one, other)]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_other_optimizers_go_on_with_the_same_bits(tmp_path: Path, optimizer: str) -> None:
    settings = {"optimizer": optimizer, "learning_rate": 0.01}
    whole, _ = train(None, steps=20, **settings)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    with RunFolder(tmp_path / "run", {}) as run:
        stops = 0
        while stops < 3:  # three times in the middle; then to the end
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            with pytest.raises(Interrupted):
                train(run, steps=20, **settings)
            stops += 1
        parts, _ = train(run, steps=20, **settings)
    for a, b in zip(whole.state_dict().values(), parts.state_dict().values(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_killed_runs_end_bit_identical(tmp_path: Path, uninterrupted: Path, how: signal.Signals) -> None:
    kills = kill_until_done(tmp_path / "run", 1, how)
    assert kills >= 1
    same(uninterrupted, tmp_path / "run")


@pytest.mark.slow
def test_a_hundred_kills(tmp_path: Path, uninterrupted: Path) -> None:
    kills = seed = 0
    while kills < 100:
        folder = tmp_path / f"run{seed}"
        kills += kill_until_done(folder, seed, signal.SIGKILL)
        same(uninterrupted, folder)
        seed += 1


def test_stop_request_saves_at_once(tmp_path: Path) -> None:
    """The first SIGTERM ends the step, saves, restores the handlers and raises with exit code 130."""
    handler = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    with RunFolder(tmp_path / "run", {}) as run, pytest.raises(Interrupted) as caught:
        train(run, steps=100_000, checkpoint_seconds=1e9)
    assert caught.value.exit_code == 130
    assert signal.getsignal(signal.SIGTERM) == handler
    with RunFolder(tmp_path / "run", {}) as run:
        saved = run.load("model")
    assert saved is not None
    assert f"step {saved['pace']['step']}," in str(caught.value)


def test_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", {}) as run:
        first, history = train(run, steps=12)
        again, resumed = train(run, steps=12)
    assert resumed.rows == history.rows
    for a, b in zip(first.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b)
