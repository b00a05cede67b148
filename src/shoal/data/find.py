"""Where data sets lie on this machine: by name in the usual places, or by path, recognised by what is in it.

    place = locate("cifar10")
    place.path, place.where

The usual places, in order: the folder that SHOAL_DATA names, the user's cache, Debian's shared folder.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from shoal.data.cifar import refuse_python_release
from shoal.data.fetch import cache_folder
from shoal.data.folders import looks_like_images
from shoal.data.idx import IDX_NAMES, idx_candidates, recognise_idx
from shoal.data.specs import CIFAR10, DIGITS, FASHION_MNIST, MNIST, SPECS, DataSpec, match_spec
from shoal.errors import InputError, ShoalError, unknown_name, wrong

_NAMED = (CIFAR10, FASHION_MNIST, MNIST)


@dataclass(frozen=True)
class Place:
    """A data set that was found.

    Attributes:
        kind: which reader reads it; "images" is a folder of class folders.
        path: the folder, or CIFAR-10's archive; empty for scikit-learn's digits.
        where: a phrase for people.
        spec: which named set it is, None for the user's own.
    """

    kind: Literal["cifar", "idx", "images", "digits"]
    path: Path
    where: str
    spec: DataSpec | None = None


def locate(name_or_path: str | Path, *, root: str | Path | None = None) -> Place:
    """Find a data set.

    Args:
        name_or_path: a name of `list_datasets()`, or a path to a folder (or to CIFAR-10's archive). What is
            spelled like a name is one; write ./digits for a folder of that name.
        root: the only folder to look for names in; the usual places by default.

    Returns:
        Where it is.

    Raises:
        InputError: if it is not there, or the path holds nothing that can be read; the message says what to do.

    Example:
        >>> locate("digits").where
        'scikit-learn'
    """
    spec = match_spec(name_or_path) if isinstance(name_or_path, str) else None
    if spec is None:
        path = Path(name_or_path).expanduser()
        if not path.exists() and isinstance(name_or_path, str) and len(path.parts) == 1 and not path.suffix:
            raise unknown_name("data set", name_or_path, SPECS)
        return recognise(path)
    place = find_named(spec, root=root)
    if place is None:
        looked = ", ".join(str(folder) for folder, _ in search_folders(root))
        raise wrong(
            f"data set {spec.name}",
            expected=f"{spec.folder}/ in one of {looked}",
            got="none",
            fix=f"fetch it with `shoal data fetch {spec.name}` ({spec.download_size / 1e6:.0f} MB)",
        )
    return place


def find_named(spec: DataSpec, *, root: str | Path | None = None) -> Place | None:
    """The first place that holds a named set, or None.

    Args:
        spec: the set.
        root: the only folder to look in; the usual places by default.

    Raises:
        InputError: if only CIFAR-10's Python release, with its pickles, is there.
    """
    if spec is DIGITS:
        return Place("digits", Path(), "scikit-learn", spec)
    refusal = None
    for folder, where in search_folders(root):
        try:
            if place := find_in(spec, folder, where):
                return place
        except InputError as error:
            refusal = error
    if refusal:
        raise refusal
    if root is None and spec.debian_folder and spec.debian_folder.is_dir():
        return Place("idx", spec.debian_folder, f"Debian's package {spec.debian_package}", spec)
    return None


def find_in(spec: DataSpec, folder: Path, where: str) -> Place | None:
    """A named set in one folder: the folder itself, a sub-folder of the usual name, or CIFAR-10's archive.

    Raises:
        InputError: if only CIFAR-10's Python release, with its pickles, is there.
    """
    if spec.kind == "cifar":
        candidates = (folder, folder / spec.folder, folder / spec.downloads[0].name)
        for path in candidates:
            if path.is_file() or _has_cifar(path):
                return Place("cifar", path, where, spec)
        refuse_python_release(folder)
        return None
    for path in (folder / spec.folder, *(folder / other for other in spec.other_folders)):
        if _has_idx(path) and _idx_spec(path) in (spec, None):
            return Place("idx", path, where, spec)
    if _has_idx(folder) and _idx_spec(folder) is spec:
        return Place("idx", folder, where, spec)
    return None


def recognise(path: Path, where: str = "") -> Place:
    """Say what lies at a path: a named set, a folder that holds one, or class folders of images.

    Args:
        path: a folder, or CIFAR-10's archive.
        where: a phrase for people; the path itself by default.

    Raises:
        InputError: if it is none of these.
    """
    where = where or str(path)
    if not path.exists():
        names = ", ".join(SPECS)
        raise wrong(f"data {path}", expected=f"a folder, or one of {names}", got="no such file or folder")
    if path.is_file():
        refuse_python_release(path)
        if path.name.endswith((".tar.gz", ".tgz")):
            return Place("cifar", path, where, CIFAR10)
        raise wrong(f"data {path}", expected="a folder or cifar-10-binary.tar.gz", got="another file")
    if _has_cifar(path):
        return Place("cifar", path, where, CIFAR10)
    if _has_idx(path):
        return Place("idx", path, where, _idx_spec(path))
    for spec in _NAMED:
        if (spec is not CIFAR10 or not _only_python(path)) and (place := find_in(spec, path, where)):
            return place
    if looks_like_images(path):
        return Place("images", path, where)
    refuse_python_release(path)
    raise wrong(
        f"data {path}",
        expected="CIFAR-10's binary release, IDX files, or at least two class folders of images",
        got=f"a folder of {_contents(path)}",
    )


def search_folders(root: str | Path | None = None) -> list[tuple[Path, str]]:
    """The folders that named sets are looked for in, with a phrase for each.

    Raises:
        InputError: if `root` or SHOAL_DATA names a folder that does not exist.
    """
    if root is not None:
        return [(_existing(Path(root).expanduser(), "data root"), str(root))]
    configured = os.environ.get("SHOAL_DATA")
    if configured and match_spec(configured) and not Path(configured).exists():
        configured = None  # the name of a data set, not a folder to look in
    mine = [(_existing(Path(configured).expanduser(), "SHOAL_DATA"), "SHOAL_DATA")] if configured else []
    return [*mine, (cache_folder(), "the cache")]


def _existing(folder: Path, what: str) -> Path:
    if not folder.exists():
        raise wrong(what, expected="an existing folder", got=str(folder))
    return folder


def _has_cifar(folder: Path) -> bool:
    return any((folder / file.name).is_file() for file in CIFAR10.files)


def _has_idx(folder: Path) -> bool:
    return any(path.is_file() for name in IDX_NAMES for path in idx_candidates(folder, name))


def _idx_spec(folder: Path) -> DataSpec | None:
    """By content; where that cannot be read, by the folder's name, so that the error tells what is broken."""
    try:
        return recognise_idx(folder)
    except ShoalError:
        return match_spec(folder.name)


def _only_python(folder: Path) -> bool:
    try:
        refuse_python_release(folder)
    except InputError:
        return True
    return False


def _contents(folder: Path) -> str:
    names = sorted(child.name for child in folder.iterdir() if not child.name.startswith("."))
    return (", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")) or "nothing"
