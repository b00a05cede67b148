"""Whole data sets fetched from a real server, or from a Debian package made here, into an empty cache."""

import gzip
import os
import shutil
import stat
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from shoal.data import cache_folder, fetch, verify
from shoal.data.cifar import read_cifar10
from shoal.data.idx import read_idx_folder
from shoal.data.specs import FASHION_MNIST, DataSpec
from shoal.errors import InputError, ShoalError
from tests.data.helpers import Server, fake_cifar_spec, idx_contents, small_idx_spec, write_idx

CONTENTS = idx_contents(train=300, test=60, side=10)


@pytest.fixture
def small(server: Server, cache: Path) -> DataSpec:
    for name, content in CONTENTS.items():
        server.files[f"/{name}.gz"] = gzip.compress(content, mtime=0)
    return small_idx_spec(server.address, CONTENTS)


def test_the_cache_follows_the_standard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "shoal"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert cache_folder() == tmp_path / "home" / ".cache" / "shoal"


def test_a_set_comes_into_the_cache_once(small: DataSpec, server: Server, cache: Path):
    folder = fetch(small)
    assert folder == cache / "fashion-mnist"
    assert len(read_idx_folder(folder).train) == 300
    assert fetch(small) == folder
    assert len(server.asked) == 4


def test_only_what_is_missing_or_wrong_is_fetched(small: DataSpec, server: Server, tmp_path: Path):
    folder = write_idx(tmp_path / small.folder, CONTENTS, packed=False)
    (folder / "t10k-labels-idx1-ubyte").unlink()
    (folder / "train-labels-idx1-ubyte").write_bytes(b"wrong")
    fetch(small, cache=tmp_path)
    assert sorted(path for path, _ in server.asked) == [
        "/t10k-labels-idx1-ubyte.gz",
        "/train-labels-idx1-ubyte.gz",
    ]
    assert not (folder / "train-labels-idx1-ubyte").exists()  # it would hide the right one
    assert read_idx_folder(folder).train.labels[:3].tolist() == [0, 1, 2]


def test_a_wrong_checksum_never_becomes_a_data_set(small: DataSpec, server: Server, cache: Path):
    server.files["/train-images-idx3-ubyte.gz"] = gzip.compress(b"something else")
    with pytest.raises(ShoalError, match="set aside as"):
        fetch(small)
    assert [path.name for path in (cache / "fashion-mnist").iterdir()] == ["train-images-idx3-ubyte.gz.bad"]
    with pytest.raises(ShoalError, match="no such file"):
        read_idx_folder(cache / "fashion-mnist")


def test_many_fetches_at_once_leave_one_whole_set(small: DataSpec, server: Server, cache: Path):
    server.pause = 0.01
    failures = []

    def one() -> None:
        try:
            read_idx_folder(fetch(small))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert sorted(path.name for path in (cache / "fashion-mnist").iterdir()) == sorted(f"{n}.gz" for n in CONTENTS)


def test_the_archive_is_unpacked_checked_and_dropped(
    fake_cifar: Path, fake_cifar_archive: Path, server: Server, cache: Path
):
    archive = fake_cifar_archive.read_bytes()
    server.files["/cifar-10-binary.tar.gz"] = archive
    server.break_after = len(archive) // 2
    spec = fake_cifar_spec(fake_cifar, server.address, archive)
    folder = fetch(spec)
    assert sorted(path.name for path in folder.iterdir()) == sorted(path.name for path in fake_cifar.iterdir())
    assert [path.name for path in cache.iterdir()] == [folder.name]
    assert len(read_cifar10(folder).train) == 50_000


def test_a_member_with_the_wrong_sum_is_refused(
    fake_cifar: Path, fake_cifar_archive: Path, server: Server, cache: Path
):
    archive = fake_cifar_archive.read_bytes()
    server.files["/cifar-10-binary.tar.gz"] = archive
    spec = fake_cifar_spec(fake_cifar, server.address, archive)
    wrong = replace(spec, files=(replace(spec.files[0], checksum=spec.files[1].checksum), *spec.files[1:]))
    with pytest.raises(ShoalError, match=r"data_batch_1.bin has not sha1"):
        fetch(wrong)
    assert not (cache / spec.folder / "data_batch_1.bin").exists()


def test_digits_need_no_fetch():
    assert (fetch("digits") / "digits.csv.gz").is_file()


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(InputError, match="unknown data set 'fashion-minst'; did you mean 'fashion-mnist'"):
        fetch("fashion-minst")


needs_dpkg = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="needs Debian's dpkg-deb")


def debian_package(folder: Path, contents: dict[str, bytes]) -> Path:
    """A package as Debian's, with other gzip headers than the authors' files have."""
    root = folder / "root"
    data = root / "usr/share/datasets/fashion-mnist"
    data.mkdir(parents=True)
    for name, content in contents.items():
        (data / f"{name}.gz").write_bytes(gzip.compress(content, mtime=1_591_347_949))
    (root / "DEBIAN").mkdir()
    (root / "DEBIAN" / "control").write_text(
        "Package: dataset-fashion-mnist\nVersion: 1\nArchitecture: all\nMaintainer: t <t@example.org>\nDescription: t\n"
    )
    package = folder / "dataset-fashion-mnist_1_all.deb"
    subprocess.run(["dpkg-deb", "-Zgzip", "--build", str(root), str(package)], check=True, capture_output=True)
    return package


def stand_in_apt(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An apt-get on the PATH that needs no network."""
    folder.mkdir(exist_ok=True)
    script = folder / "apt-get"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@needs_dpkg
class TestDebian:
    @pytest.fixture
    def unreachable(self, cache: Path) -> DataSpec:
        spec = small_idx_spec("http://127.0.0.1:9", CONTENTS)  # the discard port: nobody listens
        return replace(spec, debian_package=FASHION_MNIST.debian_package)

    def test_the_package_is_the_second_source(self, unreachable, cache, tmp_path, monkeypatch):
        package = debian_package(tmp_path, CONTENTS)
        stand_in_apt(tmp_path / "bin", f'cp "{package}" .', monkeypatch)
        folder = fetch(unreachable)
        assert len(read_idx_folder(folder).train) == 300
        assert sorted(path.name for path in folder.iterdir()) == sorted(f"{n}.gz" for n in CONTENTS)

    def test_other_content_is_refused(self, unreachable, cache, tmp_path, monkeypatch):
        package = debian_package(tmp_path, idx_contents(train=299))
        stand_in_apt(tmp_path / "bin", f'cp "{package}" .', monkeypatch)
        with pytest.raises(ShoalError, match=r"cannot be reached .* as a Debian package: .* not the content"):
            fetch(unreachable)
        assert list((cache / "fashion-mnist").iterdir()) == []

    @pytest.mark.parametrize(
        ("body", "complaint"),
        [
            ("echo 'E: Unable to locate package' >&2; exit 100", r"apt-get failed \(E: Unable to locate package\)"),
            ("exit 0", "apt-get brought no dataset-fashion-mnist"),
            ("echo rubbish > dataset-fashion-mnist_1_all.deb", "dpkg-deb failed"),
        ],
    )
    def test_both_reasons_are_told(self, unreachable, tmp_path, monkeypatch, body, complaint):
        stand_in_apt(tmp_path / "bin", body, monkeypatch)
        with pytest.raises(ShoalError, match=rf"cannot be reached .*; and as a Debian package: {complaint}"):
            fetch(unreachable)

    @pytest.mark.slow
    @pytest.mark.skipif(not shutil.which("apt-get"), reason="needs apt-get")
    def test_debian_s_real_package_has_the_published_content(self, cache):
        spec = replace(
            FASHION_MNIST,
            downloads=tuple(replace(item, url=f"http://127.0.0.1:9/{item.name}") for item in FASHION_MNIST.downloads),
        )
        try:
            folder = fetch(spec)
        except ShoalError as error:
            pytest.skip(f"needs Debian's package server: {error}")
        assert all(row.ok for row in verify("fashion-mnist"))
        data = read_idx_folder(folder)
        assert (data.train.name, data.train.counts) == ("fashion-mnist", (6000,) * 10)
