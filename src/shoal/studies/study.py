"""What every study is: ready to run, in a folder that a run which was stopped goes on in."""

import tempfile
from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from shoal.engine import Progress, RunFolder, Silent, describe_environment
from shoal.errors import ShoalError
from shoal.studies.result import Result


class Study(ABC):
    """A study on its data, ready to run.

    Attributes:
        name: of the study, as the command line has it.
        identity: what tells this run from others; a folder that belongs to another is refused.
        run_name: a name for the run folder that tells budgets, data sets and settings apart.
        notes: what the lab notebook holds besides.
        says: what was taken for data, why, and how to get better ones, a sentence each.
    """

    name: ClassVar[str]
    identity: dict[str, Any]
    run_name: str
    notes: dict[str, str]
    says: tuple[str, ...] = ()

    def run(self, folder: str | Path | None = None, progress: Progress | None = None) -> Result:
        """Train what there is to train, measure, and say what follows.

        Args:
            folder: for checkpoints, measured rows and the result; goes on where a run stopped. One that is thrown away
                unless given.
            progress: told how it goes.

        Returns:
            Tables, pictures and claims; also written to `folder`/result.json.

        Raises:
            InputError: if the folder belongs to a run with other settings or data.
            ShoalError: if training diverges or a file cannot be written.
        """
        if folder is None:
            with tempfile.TemporaryDirectory() as place:
                return self.run(place, progress)
        with RunFolder(folder, self.identity) as run:
            result = self._run(run, progress or Silent())
            result.save(run.path / "result.json")
        return result

    def finished(self, folder: str | Path) -> Result | None:
        """What an earlier run found that has ended in this folder; None where there is no such, and `run` has to.

        It counts if settings and data are the same, and the machine, the versions and the commit. Where files of the
        checkout were changed nobody knows what the same is.

        Args:
            folder: that was given to `run`.

        Returns:
            The result, with the notes of now.

        Raises:
            InputError: if the folder belongs to a run with other settings or data.
        """
        file = Path(folder) / "result.json"
        if not file.exists():
            return None
        with RunFolder(folder, self.identity):  # refuses what belongs to another run
            try:
                found = Result.load(file)
            except ShoalError:  # damaged
                return None
        now = describe_environment(seed=0, device="", why="")
        same = all(found.environment.get(part) == now[part] for part in ("machine", "versions", "commit"))
        changed = str(now["commit"]).endswith("+")
        return replace(found, notes=self.notes) if same and not changed else None

    def spent_before(self, folder: str | Path) -> float:
        """Seconds that interrupted runs in this folder spent on what a further one does not do again.

        Args:
            folder: that was given to `run`.

        Raises:
            InputError: if the folder belongs to a run with other settings or data.
        """
        if not (Path(folder) / "metrics.jsonl").exists():
            return 0.0
        with RunFolder(folder, self.identity) as run:
            return sum(_seconds_by_part(run.metrics()).values())

    @abstractmethod
    def _run(self, run: RunFolder, progress: Progress) -> Result: ...


def _seconds_by_part(rows: list[dict[str, Any]]) -> dict[str, float]:
    """A row of a training tells the time since its start; measurements, which have a key, each tell their own.

    Example:
        >>> fitted = [{"part": "net", "seconds": 2.0}, {"part": "net", "seconds": 5.0}]
        >>> _seconds_by_part([*fitted, {"part": "depths", "key": 1, "seconds": 3.0}])
        {'net': 5.0, 'depths': 3.0}
    """
    found: dict[str, float] = {}
    for row in rows:
        before, seconds = found.get(row["part"], 0.0), row.get("seconds", 0.0)
        found[row["part"]] = before + seconds if "key" in row else max(before, seconds)
    return found
