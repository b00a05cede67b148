"""Run folders: one folder holds one configuration's run, and running it again goes on where it stopped.

`config.toml` (resolved), `environment.json`, `metrics.jsonl`, `checkpoints/PART/`, `result.json`,
`report.html`. A folder of another configuration is refused, and so is one that a living process uses.
"""

import contextlib
import errno
import fcntl
import json
import os
import tomllib
from pathlib import Path
from typing import Any

import tomli_w

from shoal.engine.checkpoint import State, latest_checkpoint, load_checkpoint, save_checkpoint
from shoal.errors import ShoalError, wrong
from shoal.files import explain_os_error, remove_partials, write_json, write_text


class RunFolder:
    """An open run folder, locked against other processes; use it as a context, or close it.

    Args:
        path: the folder; made if missing.
        config: the resolved settings: strings, numbers, booleans, lists and tables of them; no None.

    Raises:
        InputError: if the folder belongs to a run with other settings, or holds other files and no run.
        ShoalError: if it cannot be written, or another process is using it.
    """

    def __init__(self, path: str | Path, config: dict[str, Any]):
        self.path = Path(path)
        self.config = config
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / ".lock").open("w")
        except OSError as error:
            raise explain_os_error(error, self.path) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if (self.path / "config.toml").exists() or not self._strangers():
                remove_partials(self.path)
            self._check_config()
        except BlockingIOError:
            self._lock.close()
            raise ShoalError(
                f"{self.path}: another process is running here; wait for it or choose another --run"
            ) from None
        except BaseException:
            self.close()
            if not (self.path / "config.toml").exists():  # a folder that is not ours stays as it was
                (self.path / ".lock").unlink(missing_ok=True)
            raise

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let other processes use the folder."""
        with contextlib.suppress(OSError):
            self._lock.close()

    def record_environment(self, environment: dict[str, Any]) -> None:
        """Write environment.json; a resumed run keeps the newest."""
        write_json(self.path / "environment.json", environment)

    def save(self, part: str, step: int, state: State) -> Path:
        """Save a checkpoint of one part of the run, for example "baseline"."""
        return save_checkpoint(self.path / "checkpoints" / part, step, state)

    def load(self, part: str) -> State | None:
        """The newest checkpoint of a part, or None where there is none."""
        path = latest_checkpoint(self.path / "checkpoints" / part)
        return load_checkpoint(path) if path else None

    def append_metrics(self, part: str, row: dict[str, Any]) -> None:
        """Add one line to metrics.jsonl, in one system call, so that a kill leaves whole lines."""
        line = json.dumps({"part": part, **row}, allow_nan=False) + "\n"
        path = self.path / "metrics.jsonl"
        try:
            handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                if os.write(handle, line.encode()) < len(line.encode()):
                    raise OSError(errno.ENOSPC, "only a part of the line was written")
            finally:
                os.close(handle)
        except OSError as error:
            raise explain_os_error(error, path) from error

    def rewrite_metrics(self, part: str, rows: list[dict[str, Any]]) -> None:
        """Replace a part's lines by `rows`: what was written after the checkpoint that a run resumes from goes."""
        others = [row for row in self.metrics() if row.get("part") != part]
        lines = [json.dumps(row, allow_nan=False) + "\n" for row in [*others, *({"part": part, **row} for row in rows)]]
        write_text(self.path / "metrics.jsonl", "".join(lines))

    def metrics(self) -> list[dict[str, Any]]:
        """All complete lines of metrics.jsonl."""
        path = self.path / "metrics.jsonl"
        if not path.exists():
            return []
        rows = []
        for line in path.read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):  # a line torn by a power cut
                rows.append(json.loads(line))
        return rows

    def _strangers(self) -> list[str]:
        """Files that no run has written."""
        names = sorted(entry.name for entry in self.path.iterdir())
        return [name for name in names if name != ".lock" and not name.startswith(".config.toml.")]

    def _check_config(self) -> None:
        file = self.path / "config.toml"
        if not file.exists():
            if strangers := self._strangers():
                raise wrong(
                    f"run folder {self.path}",
                    expected="an empty folder or one of a Shoal run",
                    got=f"{strangers[0]} and no config.toml",
                    fix="choose another --run",
                )
            write_text(file, tomli_w.dumps(self.config))
            return
        try:
            found = tomllib.loads(file.read_text())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ShoalError(f"{file}: expected a run's settings, got: {error}; choose another --run") from None
        if found != tomllib.loads(tomli_w.dumps(self.config)):
            raise wrong(
                f"run folder {self.path}",
                expected=f"a run with {_first_difference(self.config, found)}",
                got=_first_difference(found, self.config),
                fix="choose another --run, or the same settings to go on with that run",
            )


def _first_difference(one: dict[str, Any], other: dict[str, Any], prefix: str = "") -> str:
    """The first setting of `one` that `other` has otherwise, as "name = value"."""
    for key in [*one, *(key for key in other if key not in one)]:
        mine, theirs = one.get(key), other.get(key)
        if isinstance(mine, dict) and isinstance(theirs, dict) and mine != theirs:
            return _first_difference(mine, theirs, f"{prefix}{key}.")
        if mine != theirs:
            return f"{prefix}{key} = {mine!r}" if key in one else f"no {prefix}{key}"
    return "the same settings"
