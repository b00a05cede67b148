"""Runs that the playground makes: `python -m shoal study NAME --budget quick` as a process of its own, one at a time.

A run that was cancelled goes on when it is started again. Whatever runs ends with the server.
"""

import asyncio
import contextlib
import os
import re
import signal
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shoal.errors import ShoalError, unknown_name
from shoal.web.runs import STUDIES

_LINES = 40  # kept of what a run says
_LONGEST = 300  # letters of a line
_PATIENCE = 10.0  # s between asking a run to stop and stopping it
_PERCENT = re.compile(r": +(\d{1,3})%")
_OFFLINE = {"difficulty", "exits", "faces", "summarize"}  # studies that would fetch data


class BusyError(ShoalError):
    """Another run is being made."""


@dataclass(eq=False, kw_only=True)
class Job:
    """A run in the making, or how it ended.

    Attributes:
        study: its name.
        folder: the run folder.
        lines: what it said last, on stderr.
        began, ended: seconds since 1970; `ended` is None while it runs.
        code: exit code of the process; None while it runs.
        cancelled: whether the reader stopped it.
    """

    study: str
    folder: Path
    began: float = field(default_factory=time.time)
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=_LINES))
    ended: float | None = None
    code: int | None = None
    cancelled: bool = False
    process: asyncio.subprocess.Process | None = None
    watcher: "asyncio.Task[None] | None" = None

    @property
    def state(self) -> str:
        """What stands: "running", "done", "cancelled" or "failed"."""
        if self.code is None:
            return "running"
        if self.code == 0:
            return "done"
        return "cancelled" if self.cancelled else "failed"

    @property
    def seconds(self) -> int:
        """How long it has run."""
        return int((self.ended or time.time()) - self.began)

    @property
    def said(self) -> str:
        """The last line, or nothing yet."""
        return self.lines[-1] if self.lines else ""

    @property
    def percent(self) -> int | None:
        """How far the part is that runs now; None where it does not say."""
        found = _PERCENT.search(self.said)
        return min(100, int(found[1])) if found else None


class Jobs:
    """Makes runs below a folder, one at a time; used from the event loop only.

    Args:
        root: folder of runs.
        command: what starts a study; the command line's own unless given.
    """

    def __init__(self, root: Path, command: Sequence[str] = (sys.executable, "-m", "shoal", "study")):
        self.root, self.command = root, tuple(command)
        self._jobs: dict[str, Job] = {}
        self._broken: set[Path] = set()  # folders in which a run failed

    @property
    def running(self) -> Job | None:
        """The run that is being made, or None."""
        return next((job for job in self._jobs.values() if job.state == "running"), None)

    def of(self, study: str) -> Job | None:
        """The last run that was made here of a study, or None."""
        return self._jobs.get(study)

    async def start(self, study: str) -> Job:
        """Begin a run; one of the same study that runs already is that run.

        Args:
            study: its name.

        Raises:
            InputError: if there is no such study.
            BusyError: if another run is being made.
        """
        if study not in STUDIES:
            raise unknown_name("study", study, STUDIES)
        if (running := self.running) is not None:
            if running.study == study:
                return running
            raise BusyError(f"a run of {running.study} is being made; wait for it, or cancel it")
        job = self._jobs[study] = Job(study=study, folder=self._folder(study))
        words = [study, "--budget", "quick", "--run", str(job.folder), *(["--offline"] * (study in _OFFLINE))]
        job.process = await asyncio.create_subprocess_exec(
            *self.command,
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"NO_COLOR": "1"},
            start_new_session=True,  # Ctrl-C in the terminal is the server's to hear
        )
        job.watcher = asyncio.create_task(self._watch(job))
        return job

    async def cancel(self, study: str) -> Job | None:
        """Stop a run, and return once it has stopped; what it has done so far stays and is gone on from."""
        job = self.of(study)
        if job is None or job.process is None or job.watcher is None or job.state != "running":
            return job
        job.cancelled = True
        _signal(job.process, signal.SIGTERM)
        try:
            await asyncio.wait_for(asyncio.shield(job.watcher), _PATIENCE)
        except TimeoutError:
            _signal(job.process, signal.SIGKILL)
            await job.watcher
        return job

    async def close(self) -> None:
        """End what runs."""
        if (running := self.running) is not None:
            await self.cancel(running.study)

    async def _watch(self, job: Job) -> None:
        """Keep what a run says, until it ends."""
        assert job.process is not None
        assert job.process.stderr is not None
        async for line in _lines(job.process.stderr):
            job.lines.append(line)
        code = await job.process.wait()
        job.ended = time.time()
        job.code = code
        if job.state == "failed":
            self._broken.add(job.folder)

    def _folder(self, study: str) -> Path:
        """Where a run goes: on in one that was stopped, else in a new folder."""
        number = 1
        while True:
            folder = self.root / "playground" / (study if number == 1 else f"{study}-{number}")
            if folder not in self._broken and not (folder / "result.json").exists():
                return folder
            number += 1


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[str]:
    rest = ""
    while chunk := await stream.read(4096):
        *whole, rest = re.split(r"[\r\n]+", rest + chunk.decode(errors="replace"))
        for line in whole:
            if line.strip():
                yield line.strip()[:_LONGEST]
        rest = rest[-_LONGEST:]
    if rest.strip():
        yield rest.strip()


def _signal(process: asyncio.subprocess.Process, number: int) -> None:
    """Signal a run and whatever it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
