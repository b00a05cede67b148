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

    @abstractmethod
    def _run(self, run: RunFolder, progress: Progress) -> Result: ...
