"""Run folders: refusals, whole files, and what a full disk leaves behind."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from shoal.engine import RunFolder, latest_checkpoint, load_checkpoint, save_checkpoint
from shoal.errors import InputError, ShoalError


def test_another_configuration_is_refused_and_named(tmp_path: Path) -> None:
    RunFolder(tmp_path, {"fit": {"epochs": 3}, "seed": 1}).close()
    with pytest.raises(InputError, match=r"expected a run with fit.epochs = 4, got fit.epochs = 3"):
        RunFolder(tmp_path, {"fit": {"epochs": 4}, "seed": 1})
    RunFolder(tmp_path, {"fit": {"epochs": 3}, "seed": 1}).close()


def test_a_folder_of_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(InputError, match=r"got photo\.jpg"):
        RunFolder(tmp_path, {})
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    with RunFolder(tmp_path, {}):
        code = "import sys; from shoal.engine import RunFolder; RunFolder(sys.argv[1], {})"
        found = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert "another process is running here" in found.stderr


def test_a_corrupt_configuration_is_explained(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("a = = 1")
    with pytest.raises(ShoalError, match=r"config\.toml: expected a run's settings"):
        RunFolder(tmp_path, {})


@pytest.mark.skipif(os.geteuid() == 0, reason="needs a user who may not write everywhere; this is root")
def test_an_unwritable_folder_is_explained(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(ShoalError, match="permission denied"):
        RunFolder(tmp_path / "run", {})


def test_a_folder_that_cannot_exist_is_explained() -> None:
    with pytest.raises(ShoalError, match="cannot write /proc/"):
        RunFolder("/proc/no-such-folder/run", {})


def test_checkpoints_give_back_what_they_were_given(tmp_path: Path) -> None:
    shared = torch.arange(6.0).reshape(2, 3)
    state = {"a": {0: shared, "b": [shared.t(), None, 1.5, True]}, "empty": {}, "half": torch.ones(2).bfloat16()}
    save_checkpoint(tmp_path, 7, state)
    path = latest_checkpoint(tmp_path)
    assert path is not None
    found = load_checkpoint(path)
    assert torch.equal(found["a"][0], shared)
    assert torch.equal(found["a"]["b"][0], shared.t())
    assert found["a"]["b"][1:] == [None, 1.5, True]
    assert found["empty"] == {}
    assert found["half"].dtype == torch.bfloat16


def test_only_the_newest_checkpoints_stay(tmp_path: Path) -> None:
    for step in (1, 20, 300):
        save_checkpoint(tmp_path, step, {"x": torch.zeros(1)})
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["step-00000020.safetensors", "step-00000300.safetensors"]


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", None])
def test_a_damaged_checkpoint_is_explained(tmp_path: Path, damage: bytes | None) -> None:
    path = save_checkpoint(tmp_path, 1, {"x": torch.zeros(100)})
    path.write_bytes(path.read_bytes()[:-100] if damage is None else damage)
    with pytest.raises(ShoalError, match="expected a checkpoint of a Shoal run"):
        load_checkpoint(path)


def test_a_full_disk_keeps_the_last_checkpoint_and_nothing_half_written(tmp_path: Path) -> None:
    """A file-size limit of the process stands for the full disk: the kernel refuses the write in the middle."""
    first = save_checkpoint(tmp_path, 1, {"x": torch.zeros(10)})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(ShoalError, match=r"disk full while writing .*step-00000002"):
            save_checkpoint(tmp_path, 2, {"x": torch.zeros(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == [first]
    load_checkpoint(first)


def test_metrics_survive_a_torn_line_and_are_rewritten(tmp_path: Path) -> None:
    with RunFolder(tmp_path, {}) as run:
        run.append_metrics("one", {"step": 1})
        run.append_metrics("two", {"step": 1})
        run.append_metrics("one", {"step": 2})
        with (tmp_path / "metrics.jsonl").open("a") as file:
            file.write('{"part": "one", "st')
        run.rewrite_metrics("one", [{"step": 1}])
        assert run.metrics() == [{"part": "two", "step": 1}, {"part": "one", "step": 1}]
