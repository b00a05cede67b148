"""Which backend a batch goes to, and compiling where no cache can be written. numba is an extra."""

import os
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from shoal.errors import InputError
from shoal.faces import mining_numba
from shoal.faces.losses import TripletLoss
from shoal.faces.mining import mine_semi_hard
from shoal.faces.mining_gradients import pull
from shoal.faces.triplets import Triplets
from tests.faces.test_faces_mining import needs_numba, unit_rows

CPU = torch.device("cpu")


@pytest.fixture
def no_numba(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if it were not installed."""
    monkeypatch.setitem(sys.modules, "numba", None)
    mining_numba.why_not.cache_clear()
    yield
    monkeypatch.undo()
    mining_numba.why_not.cache_clear()


@needs_numba
def test_auto_takes_numba_for_large_float32_batches_on_a_cpu() -> None:
    large = mining_numba.WORTH_IT
    assert mining_numba.uses_numba("auto", CPU, torch.float32, large)
    assert not mining_numba.uses_numba("auto", CPU, torch.float32, large - 1)
    assert mining_numba.uses_numba("numba", CPU, torch.float32, 1)
    assert not mining_numba.uses_numba("numba", CPU, torch.float32, 0)
    for backend in ("auto", "numba", "torch"):
        assert not mining_numba.uses_numba(backend, CPU, torch.float64, large)
        assert not mining_numba.uses_numba(backend, torch.device("cuda"), torch.float32, large)
    assert not mining_numba.uses_numba("torch", CPU, torch.float32, large)


def test_auto_does_without_numba(no_numba: None) -> None:
    assert not mining_numba.uses_numba("auto", CPU, torch.float32, 10**4)
    labels = torch.arange(400) % 40
    assert len(mine_semi_hard(unit_rows(400, 4), labels)) == 400 * 9


def test_auto_does_without_a_numba_that_cannot_compile(monkeypatch: pytest.MonkeyPatch, no_numba: None) -> None:
    """As where its llvmlite is of another version: it imports, and fails at the first loop."""

    def njit(**_: object) -> mining_numba.Loop:
        raise RuntimeError("no LLVM here")

    broken = types.ModuleType("numba")
    monkeypatch.setattr(broken, "njit", njit, raising=False)
    monkeypatch.setitem(sys.modules, "numba", broken)
    for kept in (mining_numba._semi_hard, mining_numba._pull):
        kept.cache_clear()
    assert not mining_numba.uses_numba("auto", CPU, torch.float32, 10**4)
    assert "no LLVM here" in mining_numba.why_not()


def test_numba_that_does_not_work_is_said(no_numba: None) -> None:
    message = r'backend: expected numba, got \w+: .*numba.*; pip install "shoal\[fast\]"'
    labels = torch.arange(4) // 2
    for call in (
        lambda: mine_semi_hard(unit_rows(4, 2), labels, backend="numba"),
        lambda: TripletLoss(backend="numba"),
    ):
        with pytest.raises(InputError, match=message):
            call()


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(InputError, match='backend: expected "auto", "torch" or "numba", got \'cuda\''):
        TripletLoss(backend="cuda")


def test_the_first_compiler_that_works_is_taken() -> None:
    """As numba fails with a cache: at compiling where there is no folder, at the first call where it is full."""

    def fails_at_compiling(_: mining_numba.Loop) -> mining_numba.Loop:
        raise RuntimeError("cannot cache function 'f': no locator available for file 'f.py'")

    def fails_at_calling(_: mining_numba.Loop) -> mining_numba.Loop:
        def call(*_: object) -> None:
            raise OSError(28, "No space left on device")

        return call

    rows: list[int] = []
    example = (np.zeros(2),)
    compilers = [fails_at_compiling, fails_at_calling, lambda loop: loop]
    mining_numba.first_that_works(compilers, lambda values: rows.append(len(values)), example)(np.zeros(3))
    assert rows == [2, 3]
    with pytest.raises(OSError, match="No space left"):
        mining_numba.first_that_works(compilers[:2], lambda _: None, example)


@needs_numba
def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code = """
import torch
from shoal.faces.mining import mine_semi_hard
rows, labels = torch.nn.functional.normalize(torch.randn(9, 4)), torch.arange(9) // 3
assert torch.equal(*(mine_semi_hard(rows, labels, backend=name).negative for name in ("numba", "torch")))
"""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "file" / "folder")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


@needs_numba
@pytest.mark.parametrize("dim", [1, 3, 128])
def test_the_gradient_is_that_of_torch(dim: int) -> None:
    rows = unit_rows(50, dim, seed=1)
    triplets = mine_semi_hard(rows, torch.arange(50) % 11, backend="torch")
    fast, slow = (pull(rows, triplets, backend=backend) for backend in ("numba", "torch"))
    assert torch.allclose(fast, slow, rtol=1e-4, atol=1e-5)
    none = torch.zeros(0, dtype=torch.int64)
    assert pull(rows, Triplets(none, none, none), backend="numba").abs().max() == 0


@needs_numba
@pytest.mark.parametrize("mining", ["semi-hard", "hardest", "random"])
def test_the_loss_is_that_of_torch(mining: str) -> None:
    labels = torch.arange(600) % 50
    found = []
    for backend in ("numba", "torch"):
        rows = unit_rows(600, 32).requires_grad_()
        loss = TripletLoss(mining=mining, backend=backend)(rows, labels)
        loss.backward()
        assert rows.grad is not None
        found.append((loss.detach(), rows.grad))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.allclose(found[0][1], found[1][1], rtol=1e-4, atol=1e-7)
