"""Progress on a terminal and elsewhere, and training in several processes."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from shoal.engine.progress import Bar, Lines, Silent, choose_progress

ROOT = Path(__file__).parents[2]
REFUSING = ("NO_COLOR", "CI")


def terminal(**settings: str) -> dict[str, str]:
    """An environment in which a terminal may be drawn on, whatever runs these tests says of its own."""
    return {name: value for name, value in os.environ.items() if name not in REFUSING} | {"TERM": "xterm"} | settings


def report(progress: Lines | Bar | Silent) -> None:
    progress.start("plain")
    for step in range(1, 6):
        progress.update(step / 5, f"loss {1 / step:.3f}  accuracy {step / 5:.1%}")
    progress.say("a line")
    progress.finish("loss 0.200")


def log_of(path: Path, seconds: float) -> str:
    with path.open("w") as file:
        report(Lines(file, seconds=seconds))
    return path.read_text()


def test_lines_tell_share_loss_accuracy_and_time_left(tmp_path: Path) -> None:
    text = log_of(tmp_path / "log", 0.0)
    lines = text.splitlines()
    assert len(lines) == 7
    assert lines[1].startswith("plain:  40%  loss 0.500  accuracy 40.0%  0 s left")
    assert lines[-1] == "plain: done in 0 s  loss 0.200"
    assert "\x1b" not in text


def test_lines_are_not_too_many(tmp_path: Path) -> None:
    assert log_of(tmp_path / "log", 60.0).splitlines() == ["a line", "plain: done in 0 s  loss 0.200"]


def test_silence() -> None:
    report(Silent())


def run_on_a_terminal(code: str, **settings: str) -> tuple[str, str]:
    """What a program prints to stdout, and what the terminal at its stderr is sent."""
    command = [sys.executable, "-c", code]
    leader, follower = pty.openpty()
    found = subprocess.run(
        command, stderr=follower, stdout=subprocess.PIPE, text=True, check=False, env=terminal(**settings)
    )
    os.close(follower)
    shown = os.read(leader, 100_000).decode()
    os.close(leader)
    return found.stdout.strip(), shown


PROGRESS = (
    "import sys\nfrom shoal.engine import choose_progress\np = choose_progress()\np.start('plain')\n"
    "p.update(0.5, 'loss 0.500')\np.finish('loss 0.200')\nprint(type(p).__name__)"
)


def test_a_terminal_gets_a_bar_and_a_file_gets_lines(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as file:
        assert isinstance(choose_progress(file), Lines)
    kind, shown = run_on_a_terminal(PROGRESS)
    assert kind == "Bar"
    assert "plain" in shown
    assert "100%" in shown
    assert "loss 0.200" in shown


@pytest.mark.parametrize("setting", [{"NO_COLOR": "1"}, {"CI": "true"}, {"TERM": "dumb"}])
def test_a_terminal_that_asks_for_plain_text_gets_lines(setting: dict[str, str]) -> None:
    kind, shown = run_on_a_terminal(PROGRESS, **setting)
    assert kind == "Lines"
    assert "loss 0.200" in shown
    assert "\x1b" not in shown


def test_time_left_of_a_part_that_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the part was done by an earlier process: only what this one did tells how fast it is."""
    now = iter([0.0, 0.0, 0.0, 10.0, 10.0])
    monkeypatch.setattr("shoal.engine.progress.time.monotonic", lambda: next(now))
    with (tmp_path / "log").open("w") as file:
        lines = Lines(file, seconds=0.0)
        lines.start("plain")
        lines.update(0.5)
        lines.update(0.6)
    assert (tmp_path / "log").read_text().splitlines()[-1].endswith("40 s left")


@pytest.mark.parametrize("how", ["raise ValueError", "raise KeyboardInterrupt"])
def test_the_cursor_comes_back_when_something_fails(how: str) -> None:
    block = f"with showing_progress() as p:\n    p.start('a')\n    p.update(0.5)\n    {how}"
    code = f"from shoal.commands.output import showing_progress\n{block}"
    _, shown = run_on_a_terminal(code)
    assert "\x1b[?25l" in shown  # hidden
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")  # shown again


@pytest.mark.slow
def test_two_processes_train_one_network(tmp_path: Path) -> None:
    """Under torchrun both processes end with the same weights, and one writes the files."""
    script = tmp_path / "train.py"
    script.write_text(
        "import sys, torch, torch.distributed as dist\n"
        "from safetensors.torch import save_file\n"
        "from tests.engine.toy import train\n"
        "dist.init_process_group('gloo')\n"
        "model, history = train(None, steps=12, precision='fp32')\n"
        "weights = {n: p.contiguous() for n, p in model.named_parameters()}\n"
        "save_file(weights, f'{sys.argv[1]}/{dist.get_rank()}.safetensors')\n"
        "dist.destroy_process_group()\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", str(script), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=300)
    one, other = (load_file(tmp_path / f"{rank}.safetensors") for rank in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)
