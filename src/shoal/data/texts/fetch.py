"""Fetch "debian-descriptions" through the machine's own apt: without root, and without touching the system's lists.

    folder = fetch_texts("debian-descriptions")      # 16 MB, into the user's cache

apt-get brings the lists of the archives that the machine is set up for into a folder of its own, checks their
signatures, and they become three files there. The set appears under its name only when it is complete.
"""

import json
import shutil
import subprocess
import tempfile
from dataclasses import asdict
from pathlib import Path

from shoal.data.download import Report
from shoal.data.fetch import cache_folder
from shoal.data.texts.debian import Description, read_lists
from shoal.data.texts.pairs import TextPairs
from shoal.data.texts.specs import DEBIAN, TEXT_SPECS, TextSpec, match_text_spec
from shoal.data.texts.splits import split_rows
from shoal.data.texts.stored import missing_files, read_stored, write_manifest
from shoal.errors import InputError, ShoalError, unknown_name
from shoal.files import atomic_file, explain_os_error

_SECONDS = 600
_LEAST = 10_000  # every archive of Debian or Ubuntu describes more; fewer means that a list did not come
_HELD_OUT = 2_000
_SIZE = 15_800_000
# Hooks of the system's own settings (Post-Invoke) act on the system's folders; they are not for a private list.
_SETTINGS = """
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear Acquire::Languages;
Acquire::Languages {{ "en"; }};
Acquire::GzipIndexes "false";
Acquire::PDiffs "false";
Acquire::IndexTargets::deb-src::Sources::DefaultEnabled "false";
Acquire::Retries "1";
Acquire::http::Timeout "10";
Acquire::https::Timeout "10";
APT::Sandbox::User "";
Dir::State::Lists "{folder}/lists";
Dir::Cache "{folder}/cache";
"""


def fetch_texts(
    name: str | TextSpec = DEBIAN.name, *, cache: str | Path | None = None, progress: Report | None = None
) -> Path:
    """Make sure that "debian-descriptions" lies complete in the cache.

    Which packages there are depends on the machine's Debian or Ubuntu; on bookworm they are 58,000. The rows are
    split by `split_pairs` over source package, first paragraph and synopsis, 2,000 each for validation and test.

    Args:
        name: of the set; others cannot be fetched.
        cache: the folder to keep data sets in; the user's cache by default.
        progress: called with (what is fetched, bytes there, bytes in all), at the start and at the end.

    Returns:
        The folder that holds train.jsonl, validation.jsonl and test.jsonl.

    Raises:
        InputError: if there is no such set, or it cannot be fetched.
        ShoalError: if apt-get is missing or fails, or the disk is full; nothing half-made is kept.
    """
    spec = match_text_spec(name) if isinstance(name, str) else name
    if spec is None:
        raise unknown_name("data set", str(name), TEXT_SPECS)
    if spec is not DEBIAN:
        how = f"get it {spec.get}" if spec.get else "it is made of what is here, there is nothing to fetch"
        raise InputError(f"{spec.name} cannot be fetched: {how}")
    cache = Path(cache).expanduser() if cache is not None else cache_folder()
    folder = cache / spec.folder
    if is_complete(folder):
        return folder
    report = progress or (lambda *_: None)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".apt-") as temporary:
            report("package lists", 0, _SIZE)
            lists = update_lists(Path(temporary))
            report("package lists", _SIZE, _SIZE)
            make_set(lists, Path(temporary) / "set")
            _move(Path(temporary) / "set", folder)
    except OSError as error:
        raise explain_os_error(error, folder) from error
    return folder


def is_complete(folder: Path) -> bool:
    """Whether a folder holds the set, whole."""
    if missing_files(DEBIAN, folder):
        return False
    try:
        read_stored(DEBIAN, folder)
    except ShoalError:
        return False
    return True


def update_lists(folder: Path) -> Path:
    """Have apt-get bring the lists of the machine's archives into a private folder.

    Args:
        folder: empty; lists, caches and settings of apt-get come into it.

    Returns:
        The folder of the lists.

    Raises:
        ShoalError: if apt-get is missing or brings nothing.
    """
    if not shutil.which("apt-get"):
        raise ShoalError(
            f"{DEBIAN.name} come through apt-get, which is not here: fetch them on a Debian or Ubuntu machine and "
            f"copy the folder, or take 'docstrings', which need nothing"
        )
    for made in ("lists/partial", "cache/archives/partial"):
        (folder / made).mkdir(parents=True)
    settings = folder / "apt.conf"
    settings.write_text(_SETTINGS.format(folder=folder))
    try:
        done = subprocess.run(
            ["apt-get", "update", "-q", "-c", str(settings)],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ShoalError(f"apt-get did not finish in {_SECONDS} s; try again where the network is quicker") from error
    lists = folder / "lists"
    if not any(lists.glob("*_Packages")) or not any(lists.glob("*_Translation-en")):
        raise ShoalError(f"apt-get brought no package lists ({_complaint(done)}); is the network there?")
    return lists


def make_set(lists: Path, folder: Path) -> None:
    """Make the set's files out of apt's lists.

    Args:
        lists: unpacked.
        folder: where to.

    Raises:
        ShoalError: if there are so few packages that a list must be missing.
    """
    rows = read_lists(lists)
    if len(rows) < _LEAST:
        raise ShoalError(
            f"apt-get brought {len(rows):,} package descriptions, expected at least {_LEAST:,}; a list is missing, "
            "try again"
        )
    pairs = TextPairs(
        documents=tuple(row.document for row in rows),
        summaries=tuple(row.summary for row in rows),
        groups=tuple(row.source for row in rows),
        name=DEBIAN.name,
    )
    numbers = split_rows(pairs, validation=_HELD_OUT, test=_HELD_OUT, seed=0)
    parts: dict[str, list[int]] = dict(zip(("train", "validation", "test"), numbers, strict=True))
    for item in DEBIAN.files:
        _write(folder / item.file.name, [rows[number] for number in parts[item.part]])
    write_manifest(DEBIAN, folder, {part: len(some) for part, some in parts.items()})


def _write(path: Path, rows: list[Description]) -> None:
    with atomic_file(path) as file:
        for row in rows:
            file.write(json.dumps(asdict(row), ensure_ascii=False).encode() + b"\n")


def _complaint(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in done.stderr.splitlines() if line.startswith(("E:", "W:"))]
    return lines[0] if lines else f"exit code {done.returncode}"


def _move(made: Path, folder: Path) -> None:
    """Give the set its name; another process that was quicker has made the same."""
    if folder.exists() and not is_complete(folder):
        folder.replace(made.with_name("broken"))
    try:
        made.replace(folder)
    except OSError:
        if not is_complete(folder):
            raise
