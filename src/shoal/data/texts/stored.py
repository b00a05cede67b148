"""Named sets that lie in files: found in the usual places, read whole or not at all.

A set that `fetch_texts` made has a manifest beside its files, which says how many rows and which SHA-256 each must
have; a set without one must be as published.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shoal.data.download import file_digest
from shoal.data.find import search_folders
from shoal.data.specs import Checksum
from shoal.data.texts.files import read_pairs
from shoal.data.texts.pairs import TextPairs
from shoal.data.texts.specs import TEXT_SPECS, TextFile, TextSpec
from shoal.data.verify import FileCheck
from shoal.errors import InputError, ShoalError, wrong
from shoal.files import write_json

MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Wanted:
    """What a file of a stored set must hold."""

    rows: int
    sha256: str


def find_stored(spec: TextSpec, *, root: str | Path | None = None) -> tuple[Path, str] | None:
    """The first folder that holds a named set, with a phrase for where that is, or None.

    Args:
        spec: a set of files.
        root: the only folder to look in; the usual places (SHOAL_DATA, the cache) by default.

    Raises:
        InputError: if `root` or SHOAL_DATA is no folder.
    """
    for folder, where in search_folders(root):
        for path in (folder / spec.folder, folder):
            if (path == folder / spec.folder or path.name == spec.folder) and not missing_files(spec, path):
                return path, where
    return None


def recognise_stored(folder: Path) -> TextSpec | None:
    """The named set that a folder is, by its name and the sizes of its files, or by its manifest.

    Args:
        folder: to look in.
    """
    for spec in TEXT_SPECS.values():
        if spec.files and folder.resolve().name == spec.folder and not missing_files(spec, folder):
            sizes = all((folder / item.file.name).stat().st_size == item.file.size for item in spec.files)
            return spec if sizes or (folder / MANIFEST).is_file() else None
    return None


def missing_files(spec: TextSpec, folder: Path) -> list[str]:
    """Names of a set's files that are not in a folder."""
    return [item.file.name for item in spec.files if not (folder / item.file.name).is_file()]


def locate_stored(spec: TextSpec, *, root: str | Path | None = None) -> tuple[Path, str]:
    """As `find_stored`, but a set that is not there is an error that says how to get it.

    Raises:
        InputError: if it is not there.
    """
    if found := find_stored(spec, root=root):
        return found
    folders = [folder for folder, _ in search_folders(root)]
    partly = next((folder / spec.folder for folder in folders if (folder / spec.folder).is_dir()), None)
    got = f"one without {', '.join(missing_files(spec, partly))}" if partly else "none"
    fix = f"get it {'with ' if spec.get.startswith('shoal') else ''}{spec.get}"
    expected = f"{spec.folder}/ in one of {', '.join(map(str, folders))}"
    raise wrong(f"data set {spec.name}", expected=expected, got=got, fix=fix)


def read_stored(spec: TextSpec, folder: Path) -> dict[str, TextPairs]:
    """Every part of a set; empty ones for those that it has no file of.

    Args:
        spec: the set.
        folder: where its files lie.

    Raises:
        ShoalError: if a file is broken, or has not as many rows as it should have.
    """
    parts = {item.part: _read_part(spec, folder, item) for item in spec.files}
    nothing = parts["train"].take(())
    return {part: parts.get(part, nothing) for part in ("train", "validation", "test")}


def verify_stored(spec: TextSpec, folder: Path) -> Iterator[FileCheck]:
    """Compare the SHA-256 of each file with the manifest's, or with the published one.

    Args:
        spec: the set.
        folder: where its files lie.
    """
    for item, wanted in _wanted(spec, folder):
        path = folder / item.file.name
        got = file_digest(path, "sha256") if path.is_file() else ""
        expected = Checksum(algorithm="sha256", digest=wanted.sha256)
        yield FileCheck(str(path), got == wanted.sha256, str(expected), f"sha256 {got}" if got else "no such file")


def write_manifest(spec: TextSpec, folder: Path, rows: dict[str, int]) -> None:
    """Say of each file how many rows it has, and its SHA-256, for those who read it later.

    Args:
        spec: the set.
        folder: where its files lie.
        rows: of each part.
    """
    files = {
        item.file.name: {"rows": rows[item.part], "sha256": file_digest(folder / item.file.name, "sha256")}
        for item in spec.files
    }
    write_json(folder / MANIFEST, {"set": spec.name, "files": files})


def _read_part(spec: TextSpec, folder: Path, item: TextFile) -> TextPairs:
    path = folder / item.file.name
    wanted = dict(_wanted(spec, folder))[item].rows
    try:
        pairs = read_pairs(path, group=spec.group, strict=True)
    except InputError as error:
        raise ShoalError(f"{error}; the file is broken, delete it and get it again") from error
    if len(pairs) != wanted:
        fix = f"it may be cut off; get it again: {spec.get}"
        raise ShoalError(f"{path}: expected {wanted:,} rows, got {len(pairs):,}; {fix}")
    return pairs


def _wanted(spec: TextSpec, folder: Path) -> list[tuple[TextFile, Wanted]]:
    """What each file must hold, by the manifest if there is one."""
    path = folder / MANIFEST
    if not path.is_file():
        return [(item, Wanted(item.rows, item.file.checksum.digest)) for item in spec.files]
    try:
        files = json.loads(path.read_text(encoding="utf-8"))["files"]
        return [
            (item, Wanted(int(files[item.file.name]["rows"]), str(files[item.file.name]["sha256"])))
            for item in spec.files
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ShoalError(f"{path}: cannot be read; delete the folder {folder} and get the set again") from error
