"""Fixtures of the tests of data sets."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from shoal.data.specs import CIFAR10
from tests.data.helpers import MARKED_ROWS, Server, cifar_row, serve


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and no SHOAL_DATA, no proxy."""
    monkeypatch.delenv("SHOAL_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "cache" / "shoal"


@pytest.fixture(scope="session")
def fake_cifar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CIFAR-10's folder with a few rows set and all others zero (the files are sparse)."""
    folder = tmp_path_factory.mktemp("fake") / CIFAR10.folder
    folder.mkdir()
    for number, wanted in enumerate(CIFAR10.files):
        with (folder / wanted.name).open("wb") as file:
            file.truncate(wanted.size)
            for row in MARKED_ROWS:
                file.seek(3073 * row)
                file.write(cifar_row(number, row))
    (folder / "batches.meta.txt").write_text("\n".join(CIFAR10.classes) + "\n\n")
    return folder


@pytest.fixture(scope="session")
def fake_cifar_archive(fake_cifar: Path) -> Path:
    """The same as the authors pack it, with a member that names a place outside of the folder."""
    path = fake_cifar.parent / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        evil = tarfile.TarInfo("../test_batch.bin")
        evil.size = 4
        archive.addfile(evil, io.BytesIO(b"evil"))
        archive.add(fake_cifar, arcname=CIFAR10.folder)
    return path


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running
