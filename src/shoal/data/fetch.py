"""Fetch a named data set into the user's cache, from its authors, or from Debian where they cannot be reached.

    folder = fetch("fashion-mnist")

Every file is checked before it takes its name; nothing that is in place and right is transferred again.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from shoal.data.cifar import archive_members, check_meta, open_archive
from shoal.data.download import CONNECT_SECONDS, Report, download, file_digest
from shoal.data.idx import content_digest, idx_candidates
from shoal.data.specs import CIFAR10, DataFile, DataSpec, Download, find_spec
from shoal.errors import ShoalError
from shoal.files import explain_os_error

_APT_SECONDS = 180
_APT_OPTIONS = (
    *("-o", "Acquire::Retries=0"),
    *("-o", "Acquire::http::Timeout=5"),
    *("-o", "Acquire::https::Timeout=5"),
)


def cache_folder() -> Path:
    """The folder that fetched data sets are kept in: $XDG_CACHE_HOME/shoal, or ~/.cache/shoal.

    Source: XDG Base Directory Specification 0.8 (a relative path there is to be ignored).
    """
    configured = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (configured if configured.is_absolute() else Path.home() / ".cache") / "shoal"


def fetch(
    name: str | DataSpec,
    *,
    cache: str | Path | None = None,
    progress: Report | None = None,
    patience: float = CONNECT_SECONDS,
) -> Path:
    """Make sure that a data set lies complete and correct in the cache.

    Args:
        name: "cifar10" (170 MB), "fashion-mnist" (31 MB), "mnist" (12 MB), or "digits" (nothing to fetch).
        cache: the folder to keep data sets in; `cache_folder()` by default.
        progress: called with (file name, bytes there, bytes in all).
        patience: seconds to wait for an answer, and for the next bytes of a transfer.

    Returns:
        The folder that holds the set.

    Raises:
        InputError: if there is no such data set.
        ShoalError: if it cannot be fetched; what came so far is kept for the next attempt.
    """
    spec = find_spec(name) if isinstance(name, str) else name
    if spec.kind == "digits":
        return _digits_folder()
    cache = Path(cache) if cache is not None else cache_folder()
    folder = cache / spec.folder
    if all(_is_right(folder, file) for file in spec.files):
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if spec.kind == "cifar":
            _fetch_archive(spec, cache, progress, patience)
        else:
            _fetch_files(spec, folder, progress, patience)
    except OSError as error:
        raise explain_os_error(error, folder) from error
    return folder


def _is_right(folder: Path, file: DataFile) -> bool:
    """Whether the file lies there, packed or unpacked, with the right content."""
    try:
        here = [path for path in idx_candidates(folder, file.name) if path.is_file()]
        return bool(here) and content_digest(here[0], file.checksum.algorithm) == file.checksum.digest
    except ShoalError:
        return False


def _fetch_files(spec: DataSpec, folder: Path, progress: Report | None, patience: float) -> None:
    try:
        for item, file in zip(spec.downloads, spec.files, strict=True):
            if not _is_right(folder, file):
                download(item, folder, progress=progress, patience=patience)
                _remove_unpacked(folder, item)
    except ShoalError as error:
        if not spec.debian_package or not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
            raise
        try:
            _fetch_from_debian(spec, folder)
        except ShoalError as second:
            raise ShoalError(f"{error}; and as a Debian package: {second}") from error


def _remove_unpacked(folder: Path, item: Download) -> None:
    """Readers prefer an unpacked file; a wrong one must not hide the right one that has just come."""
    (folder / item.name.removesuffix(".gz")).unlink(missing_ok=True)


def _fetch_from_debian(spec: DataSpec, folder: Path) -> None:
    """Take the files out of the Debian package; needs no root, installs nothing."""
    with tempfile.TemporaryDirectory() as temporary:
        _run(["apt-get", "download", "-qq", *_APT_OPTIONS, spec.debian_package], temporary)
        package = next(Path(temporary).glob(f"{spec.debian_package}_*.deb"), None)
        if package is None:
            raise ShoalError(f"apt-get brought no {spec.debian_package}")
        _run(["dpkg-deb", "-x", str(package), "x"], temporary)
        assert spec.debian_folder is not None
        inside = Path(temporary) / "x" / spec.debian_folder.relative_to("/")
        for file in spec.files:
            if not _is_right(inside, file):
                raise ShoalError(f"{package.name}: {file.name} has not the content that its authors published")
        for item in spec.downloads:
            _place(inside / item.name, folder / item.name)
            _remove_unpacked(folder, item)


def _run(command: list[str], folder: str) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=_APT_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise ShoalError(f"{command[0]} did not finish in {_APT_SECONDS} s") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ShoalError(f"{command[0]} failed ({lines[-1]})")


def _fetch_archive(spec: DataSpec, cache: Path, progress: Report | None, patience: float) -> None:
    """Bring the archive, check each file in it, move them into place, drop the archive."""
    archive_path = download(spec.downloads[0], cache, progress=progress, patience=patience)
    missing = {file.name: file for file in spec.files}
    with (
        tempfile.TemporaryDirectory(dir=cache, prefix=".unpack-") as temporary,
        open_archive(archive_path) as archive,
    ):
        for member, content in archive_members(archive):
            unpacked = Path(temporary) / Path(member.name).name
            with unpacked.open("wb") as out:
                shutil.copyfileobj(content, out, 1 << 20)
            file = missing.pop(unpacked.name, None)
            if file is None:
                check_meta(unpacked.read_text(errors="replace"), str(archive_path))
            elif file_digest(unpacked, file.checksum.algorithm) != file.checksum.digest:
                raise ShoalError(f"{archive_path}: {unpacked.name} has not {file.checksum}")
            unpacked.replace(cache / CIFAR10.folder / unpacked.name)
    if missing:
        raise ShoalError(f"{archive_path}: lacks {', '.join(missing)}")
    archive_path.unlink(missing_ok=True)


def _place(source: Path, target: Path) -> None:
    """Copy a file so that it takes its name only when it is whole."""
    with tempfile.NamedTemporaryFile(dir=target.parent, suffix=".partial", delete=False) as out:
        try:
            with source.open("rb") as file:
                shutil.copyfileobj(file, out, 1 << 20)
            out.flush()
            os.fsync(out.fileno())
            Path(out.name).replace(target)
        finally:
            Path(out.name).unlink(missing_ok=True)


def _digits_folder() -> Path:
    import sklearn.datasets

    return Path(sklearn.datasets.__file__).parent / "data"
