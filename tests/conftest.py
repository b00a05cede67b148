"""Shared by all tests: shape checking at run time, and the real data where they are present."""

import os
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

import tests.checker  # noqa: F401 - the hook below finds it by name

# jaxtyping's shapes are checked by beartype in tests only: the checker would break torch.compile.
install_import_hook("shoal", "tests.checker.check")

# No deadline: machines are shared, and a slow example is not a wrong one. Derandomised: `make test` must not flicker.
settings.register_profile("fast", deadline=None, derandomize=True, max_examples=50)
settings.register_profile("prove", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real data sets, or a skip that names what is missing."""
    root = os.environ.get("SHOAL_DATA")
    if not root or not Path(root).is_dir():
        pytest.skip("needs real data: set SHOAL_DATA to a folder that holds cifar-10-batches-bin")
    return Path(root)


@pytest.fixture(scope="session")
def cifar10_root(data_root: Path) -> Path:
    """The folder of CIFAR-10's binary release, or a skip that names it."""
    folder = data_root / "cifar-10-batches-bin"
    if not folder.is_dir():
        pytest.skip(f"needs CIFAR-10: {folder} is missing")
    return folder
