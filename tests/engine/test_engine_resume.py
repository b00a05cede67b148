"""A run that is killed at any moment goes on and ends with the same bits."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch.utils.data import DataLoader, TensorDataset

from shoal.engine import FitConfig, Interrupted, RunFolder, as_batches, classification, fit, latest_checkpoint
from shoal.errors import InputError
from tests.engine.toy import toy_data, toy_model, train

TOY = [sys.executable, "-m", "tests.engine.toy"]
ROOT = Path(__file__).parents[2]
STEPS = 40


@contextmanager
def sigterm_after(seconds: float) -> Iterator[None]:
    """SIGTERM for a training in this process, as soon as it listens: before and after, it would end the tests."""
    usual = signal.getsignal(signal.SIGTERM)

    def send(*_: object) -> None:
        if signal.getsignal(signal.SIGTERM) == usual:
            signal.setitimer(signal.ITIMER_REAL, 0.001)
        else:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(signal.SIGALRM, send)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


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
    """Nothing half-written under a final name: every file reads back whole."""
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
    assert not list(other.rglob(".*.partial"))  # what kills left half-written is gone


@pytest.mark.parametrize("optimizer", ["muon", "adamw", "muon-adamw"])
def test_other_optimizers_go_on_with_the_same_bits(tmp_path: Path, optimizer: str) -> None:
    settings = {"optimizer": optimizer, "learning_rate": 0.01}
    whole, _ = train(None, steps=20, **settings)
    with RunFolder(tmp_path / "run", {}) as run:
        for _ in range(3):  # in the middle; then to the end
            with sigterm_after(0.02), pytest.raises(Interrupted):
                train(run, steps=20, **settings)
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
    with RunFolder(tmp_path / "run", {}) as run, sigterm_after(0.5), pytest.raises(Interrupted) as caught:
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


def test_a_kill_before_the_first_checkpoint_leaves_no_rows_behind(tmp_path: Path) -> None:
    """Rows of an attempt that no checkpoint remembers are not kept beside those of the next one."""
    with RunFolder(tmp_path / "run", {}) as run:
        run.append_metrics("model", {"step": 6, "epoch": 1.0})
        run.append_metrics("other", {"step": 6, "epoch": 1.0})
        _, history = train(run, steps=12)
        rows = run.metrics()
    assert [row["step"] for row in rows if row["part"] == "model"] == [row["step"] for row in history.rows]
    assert len([row for row in rows if row["part"] == "other"]) == 1


def test_a_half_written_folder_can_be_used(tmp_path: Path) -> None:
    """A process that was killed while it wrote the settings, and one while it wrote a checkpoint."""
    folder = tmp_path / "run"
    (folder / "checkpoints" / "model").mkdir(parents=True)
    (folder / ".config.toml.77.partial").write_bytes(b"half")
    (folder / "checkpoints" / "model" / ".step-00000001.safetensors.77.partial").write_bytes(b"half")
    (folder / "config.toml").write_text("")
    with RunFolder(folder, {}):
        assert not list(folder.rglob("*.partial"))
    other = tmp_path / "other"
    other.mkdir()
    (other / ".config.toml.77.partial").write_bytes(b"half")
    with RunFolder(other, {"a": 1}):
        assert not list(other.rglob("*.partial"))


def test_a_request_in_the_last_step_stops_before_what_follows(tmp_path: Path) -> None:
    """The training is complete, but the next one must not begin."""

    def harmful(images: torch.Tensor, **_: object) -> torch.Tensor:
        os.kill(os.getpid(), signal.SIGTERM)
        return images

    config = FitConfig(epochs=1, precision="fp32")
    batches = as_batches(toy_data(), batch_size=96, augment=harmful)  # one step
    with RunFolder(tmp_path / "run", {}) as run:
        with pytest.raises(Interrupted):
            fit(toy_model(), batches, config=config, run=run)
        saved = run.load("model")
    assert saved is not None
    assert saved["done"]


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_loader_goes_on_with_the_same_bits(tmp_path: Path, shuffle: bool) -> None:
    """Dropout and shuffling both draw from torch's random state; neither disturbs the other."""
    loader = DataLoader(TensorDataset(*toy_data()), batch_size=16, shuffle=shuffle)
    config = FitConfig(epochs=3, precision="fp32", checkpoint_seconds=0.0)

    def run_once(run: RunFolder | None, stop_at: int | None) -> torch.nn.Module:
        model, steps = toy_model(), 0

        def counted(model: torch.nn.Module, inputs: torch.Tensor, labels: torch.Tensor):
            nonlocal steps
            steps += 1
            if steps == stop_at:
                os.kill(os.getpid(), signal.SIGTERM)
            return classification()(model, inputs, labels)

        fit(model, as_batches(loader, batch_size=16, seed=7), config=config, objective=counted, run=run)
        return model

    whole = run_once(None, None)
    with RunFolder(tmp_path / "run", {}) as run:
        with pytest.raises(Interrupted):
            run_once(run, 9)
        parts = run_once(run, None)
    for a, b in zip(whole.state_dict().values(), parts.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", {}) as run:
        train(run, steps=12)
        with pytest.raises(InputError, match=r"expected one of a training with epochs = 4.0, got epochs = 2.0"):
            train(run, steps=24)
        batches = as_batches(toy_data(), batch_size=16)
        fit(toy_model(), batches, config=FitConfig(epochs=1, precision="fp32"), run=run, part="small")
        wider = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 2))
        with pytest.raises(InputError, match=r"checkpoint of small: expected one of this model"):
            fit(wider, batches, config=FitConfig(epochs=1, precision="fp32"), run=run, part="small")
