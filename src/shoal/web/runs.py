"""Finding finished runs: folders below one folder that hold a `result.json`, the newest of each study first."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STUDIES = ("attention", "circuits", "summarize", "difficulty", "exits", "faces")
_DEEPEST = 3  # levels of folders below the one that is looked through: runs/demo/exits-quick-…


@dataclass(frozen=True, kw_only=True)
class Run:
    """A finished run.

    Attributes:
        study: its name.
        folder: the run folder.
        ended: when its result was written, in seconds since 1970.
    """

    study: str
    folder: Path
    ended: float

    @property
    def file(self) -> Path:
        """The result."""
        return self.folder / "result.json"

    def value(self) -> dict[str, Any]:
        """The result as it was written: plain JSON."""
        return json.loads(self.file.read_text(encoding="utf-8"))


class Runs:
    """The finished runs below a folder, looked up anew at every question; what was read once is not read again.

    Args:
        root: the folder; need not exist.
    """

    def __init__(self, root: Path):
        self.root = root
        self._known: dict[Path, tuple[int, str]] = {}  # time and study of each result

    def all(self) -> list[Run]:
        """Every finished run, the newest first."""
        found = [run for file in self._files() if (run := self._run(file))]
        return sorted(found, key=lambda run: (-run.ended, str(run.folder)))

    def newest(self, *studies: str) -> Run | None:
        """The newest finished run of a study, or of any of several; None where there is none."""
        return next((run for run in self.all() if run.study in studies), None)

    def _files(self) -> Iterator[Path]:
        for folder, inner, files in os.walk(self.root):
            depth = len(Path(folder).relative_to(self.root).parts)
            if "result.json" in files:
                inner.clear()  # what is inside of a run is no run
                yield Path(folder) / "result.json"
            inner[:] = [name for name in inner if not name.startswith(".")] if depth < _DEEPEST else []

    def _run(self, file: Path) -> Run | None:
        """What a file says; None where no study wrote it, or it went away meanwhile."""
        try:
            time = file.stat().st_mtime_ns
            known = self._known.get(file)
            study = known[1] if known and known[0] == time else _study(file)
        except OSError:
            return None
        self._known[file] = (time, study)
        return Run(study=study, folder=file.parent, ended=time / 1e9) if study in STUDIES else None


def _study(file: Path) -> str:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        return ""
    study = value.get("study") if isinstance(value, dict) else None
    return study if isinstance(study, str) else ""


def ago(ended: float, now: float | None = None) -> str:
    """How long ago something ended, in words.

    Example:
        >>> ago(0, 30), ago(0, 150), ago(0, 7300), ago(0, 200_000)
        ('just now', '2 minutes ago', '2 hours ago', '2 days ago')
    """
    passed = (time.time() if now is None else now) - ended
    for unit, seconds in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if passed >= seconds:
            count = int(passed // seconds)
            return f"{count} {unit}{'s' * (count != 1)} ago"
    return "just now"
