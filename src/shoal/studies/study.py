"""What every study is: ready to run, in a folder that a run which was stopped goes on in."""

import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from shoal.engine import Progress, RunFolder, Silent
from shoal.studies.result import Result


class Study(ABC):
    """A study on its data, ready to run.

    Attributes:
        name: of the study, as the command line has it.
        identity: what tells this run from others; a folder that belongs to another is refused.
        run_name: a name for the run folder that tells budgets, data sets and settings apart.
        says: what was taken for data, why, and how to get better ones, a sentence each.
    """

    name: ClassVar[str]
    identity: dict[str, Any]
    run_name: str
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

    @abstractmethod
    def _run(self, run: RunFolder, progress: Progress) -> Result: ...
